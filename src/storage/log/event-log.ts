/** The log as the loop sees it: one group-commit writer in front, tail and segments behind. */
import { mkdir } from "node:fs/promises";
import {
  type AppendRequest,
  type EventLog,
  fail,
  type LogCursor,
  type Logger,
  type LogSchema,
  RetrainError,
  type SystemClock,
  Turns,
  type WorldClock,
} from "../../core/index.ts";
import type { Analytics } from "../analytics.ts";
import type { SqlDatabase } from "../sql.ts";
import type { StoreHealthMonitor } from "../store-health.ts";
import { type AppendLimits, GroupCommit } from "./append.ts";
import { committedRows } from "./committed-rows.ts";
import { type CompactParts, type CompactResult, compact } from "./compact.ts";
import { writeDataset } from "./dataset.ts";
import { writePool } from "./pool-file.ts";
import { type FindParts, findLabels, findObservations, findPredictions } from "./find.ts";
import { coarsenVolume, damagedSegments, deleteBefore, maintain } from "./maintain.ts";
import { compareToCursor } from "./cursor.ts";
import { consistently, isAfter, readAfter } from "./read.ts";
import { recent } from "./recent.ts";
import { IndexCache } from "./segment-index.ts";
import { SegmentCatalog, toSegmentRecord } from "./segments.ts";
import { tailHasAfter, tailSize } from "./tail.ts";
import { TailMemory } from "./tail-memory.ts";
import { countEvents } from "./volume.ts";
import { VolumeMemory } from "./volume-memory.ts";
import { WrittenEvents } from "./written-events.ts";

/** A dataset reads a longer tail twice (once now, once at the next compaction), so a longer one is compacted first. */
const COMPACT_FIRST_ROWS = 5000;

/** Findings of monitors are shown as charts of the last weeks: a few dozen a tick for a month and more. */
const KEPT_SIGNALS = 500_000;

export interface EventLogOptions {
  readonly database: SqlDatabase;
  /** See `Database.look`: called with every append. */
  readonly look?: () => void;
  /** True when no other process can write: then an unchanged log need not be asked again. */
  readonly isOnlyWriter: boolean;
  readonly analytics: Analytics;
  /** For compaction. */
  readonly background: Analytics;
  readonly folder: string;
  readonly worldClock: WorldClock;
  readonly systemClock: SystemClock;
  readonly health: StoreHealthMonitor;
  readonly schemaOf: (model: string) => LogSchema | undefined;
  readonly logger: Logger;
  readonly limits: AppendLimits;
  readonly beforeSwap?: () => Promise<void>;
}

/** Remembers at which cursor a model had nothing more, until something is appended to it. */
class QuietModels {
  private readonly appends = new Map<string, number>();
  private readonly quiet = new Map<string, { cursor: LogCursor; appends: number }>();

  note(requests: readonly AppendRequest[]): void {
    for (const { model } of requests) this.appends.set(model, this.count(model) + 1);
  }
  count(model: string): number {
    return this.appends.get(model) ?? 0;
  }
  isQuiet(model: string, cursor: LogCursor): boolean {
    const known = this.quiet.get(model);
    return known !== undefined && known.appends === this.count(model) && compareToCursor(cursor, known.cursor) >= 0;
  }
  remember(model: string, cursor: LogCursor, appendsBefore: number): void {
    this.quiet.set(model, { cursor, appends: appendsBefore });
  }
}

export interface OpenEventLog extends EventLog {
  close(): Promise<void>;
}

/** Runs one at a time; callers that come while one waits to start share it. */
function oneAtATime<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve();
  let waiting: Promise<T> | undefined;
  return () => {
    if (waiting) return waiting;
    const next = running
      .catch(() => {})
      .then(() => {
        waiting = undefined;
        return work();
      });
    waiting = next;
    running = next;
    return next;
  };
}

export async function openEventLog(options: EventLogOptions): Promise<OpenEventLog> {
  const { database, analytics, folder, systemClock, health } = options;
  await mkdir(folder, { recursive: true });
  const catalog = new SegmentCatalog(database);
  const memory = options.isOnlyWriter ? new TailMemory(database) : undefined;
  const volumes = options.isOnlyWriter ? new VolumeMemory() : undefined;
  const newest = options.isOnlyWriter ? new WrittenEvents() : undefined;
  const parts: FindParts = {
    database,
    analytics,
    catalog,
    folder,
    indexes: new IndexCache(),
    ...(memory === undefined ? {} : { memory }),
    ...(newest === undefined ? {} : { newest }),
  };
  const quiet = new QuietModels();
  /** Models whose last page was full, so that more of its kind is likely to come. */
  const catchingUp = new Set<string>();
  const writer = new GroupCommit({
    database,
    worldClock: options.worldClock,
    systemClock,
    health,
    limits: options.limits,
    onCommit({ written, receivedAt, text }) {
      const requests = written.map(({ request }) => request);
      const committed = committedRows(written, text);
      quiet.note(requests);
      memory?.note(committed);
      volumes?.note(requests, receivedAt);
      newest?.note(committed);
    },
  });
  const turns = new Turns(systemClock, () => writer.isWriting);
  const compactParts: CompactParts = {
    database,
    analytics: options.background,
    folder,
    systemClock,
    schemaOf: options.schemaOf,
    logger: options.logger,
    turns,
    ...(options.beforeSwap === undefined ? {} : { beforeSwap: options.beforeSwap }),
  };
  /** Errors of DuckDB and files say "disk full" in their own words. */
  const reported = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw corruptSegment(health.report(error));
    }
  };
  /** Work that may change the segment set. */
  const changing = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } finally {
      memory?.clear();
    }
  };
  const deleting = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await changing(work);
    } finally {
      newest?.clear();
      volumes?.clear();
    }
  };
  const compactOnce: () => Promise<CompactResult> = oneAtATime(() => reported(changing(compact(compactParts))));
  const maintainOnce = oneAtATime(() => reported(changing(maintainAll(options, catalog))));
  let closing: Promise<void> | undefined;

  return {
    append(request) {
      options.look?.();
      return writer.append(request);
    },
    submit(request, onWritten, onFailed) {
      options.look?.();
      writer.submit(request, onWritten, onFailed);
    },
    inTurn: (step) => turns.take(step),
    async readAfter(model, cursor, readOptions) {
      const before = quiet.count(model);
      if (options.isOnlyWriter && quiet.isQuiet(model, cursor)) return { events: [], cursor, more: false };
      const isLong = catchingUp.has(model);
      const result = await reported(readAfter(parts, model, cursor, { ...readOptions, isLong }));
      if (result.more) catchingUp.add(model);
      else catchingUp.delete(model);
      if (!result.more && readOptions.kinds === undefined) {
        quiet.remember(model, result.cursor, before);
      }
      return result;
    },
    async hasAfter(model, cursor) {
      const before = quiet.count(model);
      if (options.isOnlyWriter && quiet.isQuiet(model, cursor)) return false;
      const { rows, segments } = await consistently(parts, model, () => tailHasAfter(database, model, cursor));
      const has = rows || segments.some((segment) => isAfter(segment, cursor));
      if (!has) quiet.remember(model, cursor, before);
      return has;
    },
    counts(model, range) {
      const ask = () => reported(countEvents(parts, model, range));
      if (volumes === undefined || range.until !== undefined) return ask();
      return volumes.since(model, range.since, ask, () => !writer.isWriting);
    },
    findPredictions: (model, keys) => reported(findPredictions(parts, model, keys)),
    findLabels: (model, keys) => reported(findLabels(parts, model, keys)),
    findObservations: (model, keys) => reported(findObservations(parts, model, keys)),
    recent: (model, recentOptions) => reported(recent(parts, model, recentOptions)),
    async writeDataset(request) {
      // What was acknowledged before the call, or is about to be, belongs to the answer.
      await writer.settle();
      if ((await tailSize(database, request.schema.model)) > COMPACT_FIRST_ROWS) await compactOnce();
      return reported(writeDataset(parts, request));
    },
    async writePool(request) {
      await writer.settle();
      return reported(writePool(parts, request));
    },
    compact: compactOnce,
    maintain: maintainOnce,
    deleteBefore: (model, kinds, before) => deleting(deleteBefore({ database, systemClock }, model, kinds, before)),
    damagedSegments: (model) => damagedSegments({ catalog, folder }, model),
    async segments(model) {
      return (await catalog.current(model)).map((segment) => toSegmentRecord(segment, folder));
    },
    close() {
      closing ??= writer.close();
      return closing;
    },
  };
}

/** An error of DuckDB about one of our files means that the file is not as we wrote it; others pass unchanged. */
function corruptSegment(error: unknown): unknown {
  if (error instanceof RetrainError || !(error instanceof Error) || !error.message.includes(".parquet")) return error;
  return fail("STORE_CORRUPT", {
    message: `A segment of the log cannot be read: ${error.message.split("\n")[0]}`,
    remedy:
      "Restore the file from a backup of the data directory, or delete the model's events before it by retention.",
    cause: error,
  });
}

async function maintainAll(options: EventLogOptions, catalog: SegmentCatalog): Promise<void> {
  const { database, analytics, folder, systemClock, worldClock } = options;
  await maintain({ database, analytics, catalog, folder, systemClock });
  await coarsenVolume(database, worldClock.now());
  await database.query("delete from signal where position <= (select max(position) from signal) - $1::bigint", [
    KEPT_SIGNALS,
  ]);
}
