/**
 * Transactions with three safeguards. (1) The asynchronous context of the function is marked: using the pool inside it
 * throws TRANSACTION_NESTED at once. On the embedded database, whose one session belongs to the open transaction, it would
 * otherwise wait for itself for ever, and on a server the mistake would stay hidden. (2) A transaction without a statement
 * for 2 s, or open for 5 s, is rolled back with an error that names its call site: a forgotten one stops everybody.
 * (3) COMMIT of a transaction that a swallowed error had aborted is an error, not the silent ROLLBACK that PostgreSQL does.
 */
import type { Kysely } from "kysely";
import type pg from "pg";
import { fail, RestingStorage, type RetrainError, type SystemClock } from "../core/index.ts";
import { isUnavailable, translateDatabaseError } from "./health.ts";
import { kyselyOver, type QueryResult, sendOn } from "./session.ts";
import type { Tables } from "./tables.ts";

export interface Transaction {
  query<R = Record<string, unknown>>(sql: string, params?: readonly unknown[]): Promise<QueryResult<R>>;
  readonly kysely: Kysely<Tables>;
  /** The connection itself, for libraries that join the transaction (the workflow engine's enqueue). */
  readonly client: pg.PoolClient;
}

export interface TransactionLimits {
  /** Rolled back after this long without a statement under way, ms. */
  readonly idleMs: number;
  /** Rolled back after being open this long in all, ms. */
  readonly openMs: number;
}

/** Two seconds is a thousand times a normal transaction; five leave room for a slow disk. Beyond, everybody else waits. */
export const TRANSACTION_LIMITS: TransactionLimits = { idleMs: 2_000, openMs: 5_000 };

/** How often open transactions are looked at, as a share of the idle limit. */
const SWEEPS_PER_LIMIT = 8;

class OpenTransaction implements Transaction {
  readonly client: pg.PoolClient;
  readonly label: string;
  readonly openedAt: number;
  lastActivityAt: number;
  inFlight = 0;
  /** Set when it may not be used any more; a later statement fails with it. */
  ended: Error | undefined;
  /** The statement that aborted it, if one did. */
  failure: Error | undefined;
  reject: (error: Error) => void = () => {};
  readonly #site: Error;
  readonly #clock: SystemClock;
  #kysely: Kysely<Tables> | undefined;

  constructor(client: pg.PoolClient, label: string | undefined, site: Error, clock: SystemClock) {
    this.client = client;
    this.#site = site;
    this.#clock = clock;
    this.openedAt = clock.monotonicMs();
    this.lastActivityAt = this.openedAt;
    this.label = label ?? "unnamed";
  }

  /** Where `transaction` was called: the first line outside this folder's plumbing. Formatted only when asked for. */
  get callSite(): string {
    const lines = (this.#site.stack ?? "").split("\n").slice(1);
    const outside = lines.find((line) => !/[\\/]storage[\\/](transaction|pool)\.[jt]s/.test(line));
    return (outside ?? lines[0] ?? "unknown").trim().replace(/^at /, "");
  }

  get kysely(): Kysely<Tables> {
    this.#kysely ??= kyselyOver((text, params) => this.send(text, params));
    return this.#kysely;
  }

  async query<R = Record<string, unknown>>(sql: string, params: readonly unknown[] = []): Promise<QueryResult<R>> {
    const result = await this.send(sql, params);
    return { rows: result.rows as R[], rowCount: result.rowCount ?? 0 };
  }

  async send(text: string, params: readonly unknown[]): Promise<pg.QueryResult> {
    if (this.ended) throw this.ended;
    this.inFlight += 1;
    try {
      return await sendOn(this.client, text, params);
    } catch (error) {
      this.failure ??= error as Error;
      throw this.ended ?? error;
    } finally {
      this.inFlight -= 1;
      this.lastActivityAt = this.#clock.monotonicMs();
    }
  }
}

export class Transactions {
  readonly #context = new RestingStorage<OpenTransaction>();
  readonly #open = new Set<OpenTransaction>();
  readonly #connect: () => Promise<pg.PoolClient>;
  readonly #clock: SystemClock;
  readonly #limits: TransactionLimits;
  #watching = false;

  constructor(options: { connect: () => Promise<pg.PoolClient>; clock: SystemClock; limits: TransactionLimits }) {
    this.#connect = options.connect;
    this.#clock = options.clock;
    this.#limits = options.limits;
  }

  /** The error to throw when the pool is used inside an open transaction, or undefined. */
  nested(use: string): RetrainError | undefined {
    const outer = this.#context.getStore();
    if (!outer || outer.ended) return undefined;
    return fail("TRANSACTION_NESTED", {
      message: `${use} was called inside the transaction "${outer.label}" opened at ${outer.callSite}; the embedded database has one session, so it would wait for itself for ever.`,
      remedy: "Use the transaction handed to the function (tx.query, tx.kysely, tx.client), or move the call outside.",
    });
  }

  async run<T>(work: (tx: Transaction) => Promise<T>, label: string | undefined, site: Error): Promise<T> {
    const nested = this.nested("transaction()");
    if (nested) throw nested;
    const client = await this.#connect();
    const tx = new OpenTransaction(client, label, site, this.#clock);
    let broken: Error | undefined;
    try {
      await client.query("BEGIN");
      tx.lastActivityAt = this.#clock.monotonicMs();
      const result = await this.#watched(tx, work);
      await this.#commit(tx);
      return result;
    } catch (error) {
      broken = await this.#rollBack(tx, error);
      throw translateDatabaseError(error);
    } finally {
      this.#open.delete(tx);
      tx.ended ??= closedError(tx.label);
      client.release(broken);
    }
  }

  async #watched<T>(tx: OpenTransaction, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const cut = new Promise<never>((_, reject) => {
      tx.reject = reject;
    });
    this.#open.add(tx);
    this.#watch();
    const working = this.#context.run(tx, () => work(tx));
    // When the transaction was cut, the function may still fail later, on its next statement; nobody waits for that.
    working.catch(() => {});
    return await Promise.race([working, cut]);
  }

  async #commit(tx: OpenTransaction): Promise<void> {
    if (tx.ended) throw tx.ended;
    tx.inFlight += 1;
    const { command } = await tx.client.query("COMMIT");
    tx.inFlight -= 1;
    if (command !== "COMMIT") throw tx.failure ?? closedError(tx.label);
  }

  /** Returns the error with which the connection must be thrown away, if it must. */
  async #rollBack(tx: OpenTransaction, error: unknown): Promise<Error | undefined> {
    tx.ended ??= tx.failure ?? closedError(tx.label);
    if (tx.inFlight > 0 || isUnavailable(error)) return error as Error;
    try {
      await tx.client.query("ROLLBACK");
      return undefined;
    } catch (rollBackError) {
      return rollBackError as Error;
    }
  }

  #watch(): void {
    if (this.#watching) return;
    this.#watching = true;
    const sweep = async () => {
      while (this.#open.size > 0) {
        await this.#clock.sleep(this.#limits.idleMs / SWEEPS_PER_LIMIT);
        for (const tx of this.#open) this.#check(tx);
      }
      this.#watching = false;
    };
    // The loop lives longer than the transaction that started it, so it must not carry that one's context.
    void this.#context.exit(sweep);
  }

  #check(tx: OpenTransaction): void {
    if (tx.ended) return;
    const now = this.#clock.monotonicMs();
    const idleMs = tx.inFlight > 0 ? 0 : now - tx.lastActivityAt;
    const openMs = now - tx.openedAt;
    if (idleMs <= this.#limits.idleMs && openMs <= this.#limits.openMs) return;
    const what =
      idleMs > this.#limits.idleMs
        ? `without a statement for ${Math.round(idleMs)} ms`
        : `open for ${Math.round(openMs)} ms`;
    tx.ended = fail("TRANSACTION_TOO_LONG", {
      message: `The transaction "${tx.label}" opened at ${tx.callSite} was ${what} and was rolled back: while it is open, others wait for it.`,
      remedy: "Do slow work (files, network, computing) before the transaction or after it.",
      details: { label: tx.label, callSite: tx.callSite, idleMs: Math.round(idleMs), openMs: Math.round(openMs) },
    });
    this.#open.delete(tx);
    tx.reject(tx.ended);
  }
}

function closedError(label: string): RetrainError {
  return fail("TRANSACTION_TOO_LONG", {
    message: `The transaction "${label}" has ended; a statement came after it.`,
    remedy: "Await every statement before the function given to transaction() returns.",
  });
}
