/**
 * Whether the store takes writes. `down`: the database does not answer; `full`: it, or the disk of the segments, has no room.
 * While it is not up, one probe per second asks again; a full store refuses writes at once, so that a crowd of retries does
 * not eat the space which is being freed.
 */
import { statfs } from "node:fs/promises";
import { fail, type Logger, RetrainError, type StoreHealth, type SystemClock } from "../core/index.ts";
import { translateDatabaseError } from "./health.ts";
import type { Queryable, SqlDatabase } from "./sql.ts";

const PROBE_MS = 1000;
/** A write that fits a single page could succeed in the free space of an existing one; this needs new pages. */
const PROBE_BYTES = 65_536;
/** Below this much free space the next segment or stretch of the database's log may not fit; 16 MiB is one of the latter. */
const MIN_FREE_BYTES = 16 * 1024 * 1024;

export function storeFull(cause: unknown): RetrainError {
  return fail("STORE_FULL", {
    message: `The disk is full: ${cause instanceof Error ? cause.message : String(cause)}. Nothing was written.`,
    remedy: "Free space on the disk of the data directory; writing goes on by itself within seconds.",
    retryable: true,
    cause,
  });
}

/** A foreign error as ours where it is about the store; others pass unchanged. */
export function translateStoreError(error: unknown): unknown {
  if (error instanceof RetrainError) return error;
  if (typeof error === "object" && error !== null) {
    const { code, message } = error as { code?: unknown; message?: unknown };
    if (code === "ENOSPC" || code === "EDQUOT" || code === "53100") return storeFull(error);
    if (typeof message === "string" && /No space left on device/i.test(message)) return storeFull(error);
  }
  return translateDatabaseError(error);
}

export class StoreHealthMonitor {
  private current: StoreHealth = { state: "up" };
  private readonly listeners = new Set<(health: StoreHealth) => void>();
  private readonly database: SqlDatabase;
  private readonly directory: string;
  private readonly clock: SystemClock;
  private readonly logger: Logger;
  private readonly stopped = new AbortController();
  private probing: Promise<void> | undefined;

  constructor(options: { database: SqlDatabase; directory: string; clock: SystemClock; logger: Logger }) {
    this.database = options.database;
    this.directory = options.directory;
    this.clock = options.clock;
    this.logger = options.logger;
  }

  health(): StoreHealth {
    return this.current;
  }

  onHealth(listener: (health: StoreHealth) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Translates an error of the store, and remembers what it says about the store. */
  report(error: unknown): unknown {
    const ours = translateStoreError(error);
    if (ours instanceof RetrainError) {
      if (ours.code === "STORE_FULL") this.change({ state: "full", reason: ours.message });
      else if (ours.code === "STORE_UNAVAILABLE") this.unavailable(ours.message);
    }
    return ours;
  }

  /** The database does not answer. A full store stays called full: that it is down as well follows from it. */
  unavailable(reason: string): void {
    if (this.current.state === "up") this.change({ state: "down", reason });
  }

  /** @throws STORE_FULL while the last probe found no room */
  requireRoom(): void {
    if (this.current.state === "full") throw storeFull(this.current.reason ?? "no room");
  }

  async close(): Promise<void> {
    this.stopped.abort(new Error("closed"));
    await this.probing;
  }

  private change(health: StoreHealth): void {
    const changed = health.state !== this.current.state;
    this.current = health;
    if (health.state !== "up") this.probing ??= this.probe();
    if (!changed) return;
    // A database whose log met the end of the disk only says that it is down; the operator should hear why.
    if (health.state === "down") void this.askForSpace();
    this.logger.warn({ state: health.state, reason: health.reason ?? "" }, "The store changed its state");
    for (const listener of this.listeners) {
      try {
        listener(health);
      } catch (error) {
        this.logger.error({ error: String(error) }, "A listener of the store's health failed");
      }
    }
  }

  private async askForSpace(): Promise<void> {
    try {
      await this.requireSpace();
    } catch (error) {
      if (this.current.state === "down") this.report(error);
    }
  }

  private async requireSpace(): Promise<void> {
    const { bavail, bsize } = await statfs(this.directory);
    if (bavail * bsize < MIN_FREE_BYTES) throw storeFull(new Error(`only ${bavail * bsize} bytes are free`));
  }

  private async probe(): Promise<void> {
    while (this.current.state !== "up" && !this.stopped.signal.aborted) {
      try {
        await this.clock.sleep(PROBE_MS, this.stopped.signal);
        await this.tryWrite();
        this.change({ state: "up" });
      } catch (error) {
        if (!this.stopped.signal.aborted) this.report(error);
      }
    }
    this.probing = undefined;
  }

  private async tryWrite(): Promise<void> {
    await this.database.query(
      `insert into write_probe (filler)
       select string_agg(md5(random()::text), '') from generate_series(1, $1::integer)
       on conflict (one) do update set filler = excluded.filler`,
      [PROBE_BYTES / 32],
    );
    await this.requireSpace();
  }
}

/** The database with every error translated and told to the monitor. */
export function guardDatabase(database: SqlDatabase, monitor: StoreHealthMonitor): SqlDatabase {
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw monitor.report(error);
    }
  };
  return {
    query: (text, values) => guarded(() => database.query(text, values)),
    transaction: <T>(work: (transaction: Queryable) => Promise<T>) => guarded(() => database.transaction(work)),
  };
}
