/**
 * What a PostgreSQL server does by itself in the background and the embedded one, a single session, never does: checkpoints,
 * without which the write-ahead log grows for ever and the next start replays all of it, and vacuum with statistics, without
 * which dead rows stay and plans go wrong.
 */
import type { Logger, SystemClock } from "../../core/index.ts";

const CHECKPOINT_EVERY_MS = 60_000;
/** Where rows pour in, a minute of log would take a second to replay at the next start; this much takes less than half of one. */
const CHECKPOINT_LOG_BYTES = 16 * 1024 * 1024;
/** How often the length of the log is looked at: at full ingest some ten megabytes apart. */
const LOOK_EVERY_MS = 1000;
const DAY_MS = 86_400_000;
/** 03:00 UTC: one table after the other, each a pause for everybody. */
const VACUUM_AT_MS = 3 * 3_600_000;

export interface MaintenanceOptions {
  readonly clock: SystemClock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Requests so far: with none since the last checkpoint there is nothing to write. */
  readonly requests: () => number;
  readonly query: (sql: string) => Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
}

/** Runs until the signal aborts. */
export function startMaintenance(options: MaintenanceOptions): void {
  void repeat(options, "checkpoint", () => LOOK_EVERY_MS, checkpointWhenUsed(options));
  void repeat(
    options,
    "vacuum",
    () => untilVacuum(options.clock.now()),
    () => vacuum(options),
  );
}

async function repeat(
  { clock, logger, signal }: MaintenanceOptions,
  what: string,
  pauseMs: () => number,
  work: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await clock.sleep(pauseMs(), signal);
      await work();
    } catch (error) {
      if (!signal.aborted) logger.warn({ what, error: (error as Error).message }, "Maintenance of the store failed");
    }
  }
}

/** After a minute of use, or sooner where the log has grown long. */
function checkpointWhenUsed({ clock, query, requests }: MaintenanceOptions): () => Promise<void> {
  let requestsBefore = -1;
  let requestsSeen = requests();
  let doneAtMs = clock.monotonicMs();
  return async () => {
    const asked = requests();
    const isUsed = asked !== requestsBefore;
    if (!isUsed) return;
    const isDue = clock.monotonicMs() - doneAtMs >= CHECKPOINT_EVERY_MS;
    if (!isDue && asked === requestsSeen) return;
    if (!isDue && (await logBytes(query)) < CHECKPOINT_LOG_BYTES) {
      requestsSeen = requests();
      return;
    }
    await query("CHECKPOINT");
    requestsBefore = requests();
    requestsSeen = requestsBefore;
    doneAtMs = clock.monotonicMs();
  };
}

/** Bytes of the write-ahead log a start would replay now. */
async function logBytes(query: MaintenanceOptions["query"]): Promise<number> {
  const { rows } = await query(
    "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn)::float8 as bytes from pg_control_checkpoint()",
  );
  return Number(rows[0]?.["bytes"] ?? 0);
}

function untilVacuum(now: number): number {
  return DAY_MS - ((now - VACUUM_AT_MS) % DAY_MS);
}

/** Table by table, so that requests come in between. */
async function vacuum({ query, signal }: MaintenanceOptions): Promise<void> {
  const { rows } = await query(
    "select format('%I.%I', schemaname, relname) as name from pg_stat_all_tables where schemaname <> 'pg_toast' order by 1",
  );
  for (const { name } of rows) {
    if (signal.aborted) return;
    await query(`VACUUM (ANALYZE) ${String(name)}`);
  }
}
