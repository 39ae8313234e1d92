/**
 * Group commit of small changes: they wait in memory, one transaction is under way at a time and takes all that wait, so that many
 * callers share its round trips and its wait for the disk. One that is refused harms no other; where the transaction itself
 * fails, each is tried again alone.
 */
import { AsyncResource } from "node:async_hooks";
import { RetrainError } from "../../core/index.ts";
import type { Queryable, SqlDatabase } from "../sql.ts";

/** Changes of one transaction: more would keep the first of them waiting for the last. */
const MOST_AT_ONCE = 64;

/** What became of one change: its result, or why it alone was refused. */
export type Settled<R> = { readonly result: R } | { readonly error: unknown };

interface Waiting<Q, R> {
  readonly request: Q;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

export class GroupWriter<Q, R> {
  private readonly database: SqlDatabase;
  /** Of changes with one key a transaction takes the first only: the next is judged by what that one left. */
  private readonly keyOf: (request: Q) => string;
  /** Awaits queries of the transaction only. */
  private readonly writeAll: (transaction: Queryable, requests: readonly Q[]) => Promise<readonly Settled<R>[]>;
  private queue: Waiting<Q, R>[] = [];
  private running: Promise<void> | undefined;
  /** The writer must not run in the context of whoever woke it: that one may hold a transaction. */
  private readonly context = new AsyncResource("RetrainGroupWriter");

  constructor(
    database: SqlDatabase,
    keyOf: (request: Q) => string,
    writeAll: (transaction: Queryable, requests: readonly Q[]) => Promise<readonly Settled<R>[]>,
  ) {
    this.database = database;
    this.keyOf = keyOf;
    this.writeAll = writeAll;
  }

  /** Resolves after the commit. */
  submit(request: Q): Promise<R> {
    const result = new Promise<R>((resolve, reject) => this.queue.push({ request, resolve, reject }));
    this.running ??= this.context.runInAsyncScope(() => this.run());
    return result;
  }

  private async run(): Promise<void> {
    // Leaves the caller's stack first, so that all requests of one turn of the event loop share the transaction.
    await Promise.resolve();
    while (this.queue.length > 0) await this.write(this.take());
    this.running = undefined;
  }

  private take(): Waiting<Q, R>[] {
    const batch: Waiting<Q, R>[] = [];
    const left: Waiting<Q, R>[] = [];
    const keys = new Set<string>();
    for (const one of this.queue) {
      const key = this.keyOf(one.request);
      if (batch.length === MOST_AT_ONCE || keys.has(key)) left.push(one);
      else batch.push(one);
      keys.add(key);
    }
    this.queue = left;
    return batch;
  }

  private async write(batch: readonly Waiting<Q, R>[]): Promise<void> {
    try {
      const requests = batch.map(({ request }) => request);
      const outcomes = await this.database.transaction((transaction) => this.writeAll(transaction, requests));
      for (const [i, outcome] of outcomes.entries()) {
        const { resolve, reject } = batch[i] as Waiting<Q, R>;
        if ("error" in outcome) reject(outcome.error);
        else resolve(outcome.result);
      }
    } catch (error) {
      const isStore =
        error instanceof RetrainError && (error.code === "STORE_UNAVAILABLE" || error.code === "STORE_FULL");
      if (isStore || batch.length === 1) {
        for (const { reject } of batch) reject(error);
        return;
      }
      for (const one of batch) await this.write([one]);
    }
  }
}
