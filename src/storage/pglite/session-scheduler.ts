/**
 * Shares the one session of the embedded database between connections. A request runs whole; while its reply leaves a
 * transaction open, the session belongs to that connection and everybody else waits. So ten connections behave as they
 * would on a server that runs their transactions one after the other. Runs inside the worker: no round trip between requests.
 */
import { ABANDON, closeStatements, type ReplySummary, summarizeReply } from "./protocol.ts";

interface Waiting {
  readonly connection: number;
  readonly bytes: Uint8Array;
}

export interface SchedulerPort {
  /** Runs one request to its end and returns the whole reply. */
  execute(bytes: Uint8Array): Uint8Array;
  deliver(connection: number, reply: Uint8Array): void;
  /** The database said it is dying, in the reply that is then not delivered. Called once. */
  onFatal(reason: string): void;
}

export class SessionScheduler {
  readonly #port: SchedulerPort;
  readonly #waiting: Waiting[] = [];
  /** Statements prepared by name, by connection. */
  readonly #prepared = new Map<number, Set<string>>();
  readonly #listening = new Set<number>();
  #owner: number | undefined;
  #dead = false;

  constructor(port: SchedulerPort) {
    this.#port = port;
  }

  submit(connection: number, bytes: Uint8Array, notes: { prepares: readonly string[]; listens: boolean }): void {
    if (notes.listens) this.#listening.add(connection);
    if (notes.prepares.length > 0) {
      const names = this.#prepared.get(connection) ?? new Set();
      for (const name of notes.prepares) names.add(name);
      this.#prepared.set(connection, names);
    }
    this.#waiting.push({ connection, bytes });
    this.#drain();
  }

  /** The connection ended: its waiting requests are forgotten, its transaction is rolled back. */
  drop(connection: number): void {
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      if (this.#waiting[i]?.connection === connection) this.#waiting.splice(i, 1);
    }
    this.#listening.delete(connection);
    const names = this.#prepared.get(connection);
    this.#prepared.delete(connection);
    if (this.#owner === connection) {
      this.#run(ABANDON);
      this.#owner = undefined;
    }
    // Closing names needs an idle session: inside another's failed transaction the server would refuse it.
    if (names && this.#owner === undefined) this.#run(closeStatements(names));
    this.#drain();
  }

  #drain(): void {
    while (!this.#dead) {
      const next =
        this.#owner === undefined ? 0 : this.#waiting.findIndex(({ connection }) => connection === this.#owner);
      const [request] = next < 0 ? [] : this.#waiting.splice(next, 1);
      if (!request) return;
      const outcome = this.#run(request.bytes);
      if (!outcome) return;
      this.#owner = outcome.summary.status === "I" ? undefined : request.connection;
      this.#port.deliver(request.connection, outcome.reply);
      this.#notify(request.connection, outcome.summary);
    }
  }

  /** Undefined once the database is dying: what it says from then on is not to be believed. */
  #run(bytes: Uint8Array): { reply: Uint8Array; summary: ReplySummary } | undefined {
    if (this.#dead) return undefined;
    const reply = this.#port.execute(bytes);
    const summary = summarizeReply(reply);
    if (summary.fatal !== undefined) {
      this.#dead = true;
      this.#port.onFatal(summary.fatal);
      return undefined;
    }
    return { reply, summary };
  }

  #notify(sender: number, { notifications }: ReplySummary): void {
    for (const notification of notifications) {
      for (const connection of this.#listening) {
        if (connection !== sender) this.#port.deliver(connection, notification);
      }
    }
  }
}
