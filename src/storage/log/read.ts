/**
 * Reading in log order: segments and tail are each sorted by (transaction id, seq), so a read is a merge of sorted streams.
 * A segment is opened only when the merge reaches its first row, and read only as far as the limit: a fold that starts at the
 * beginning of a long log pays for what it reads, not for what is there.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import type { EventKind, LogCursor, LoggedEvent } from "../../core/index.ts";
import { fail } from "../../core/index.ts";
import { type Analytics, chunksOf, fileList } from "../analytics.ts";
import type { SqlDatabase } from "../sql.ts";
import { compareToCursor } from "./cursor.ts";
import { type Layout, layoutOf, schemaOfSignature } from "./columns.ts";
import { readRow } from "./read-row.ts";
import { segmentPath } from "./segment-write.ts";
import type { SegmentCatalog, StoredSegment } from "./segments.ts";
import { tailAfter, type TailView, toLoggedEvent } from "./tail.ts";
import type { TailMemory } from "./tail-memory.ts";
import type { WrittenEvents } from "./written-events.ts";

export interface LogParts {
  readonly database: SqlDatabase;
  readonly analytics: Analytics;
  readonly catalog: SegmentCatalog;
  readonly folder: string;
  /** The only writer's memory of the tail. */
  readonly memory?: TailMemory;
  /** What the only writer wrote last. */
  readonly newest?: WrittenEvents;
}

/** Each round a compaction must have committed between two statements; ten in a row means something else is wrong. */
const MAX_ROUNDS = 10;

/** Asks the tail, then pairs the answer with the segment set of the same moment; asks again when the set has moved on. */
export async function consistently<T>(
  parts: LogParts,
  model: string,
  askTail: () => Promise<TailView<T>>,
): Promise<TailView<T> & { readonly segments: readonly StoredSegment[] }> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const tail = await askTail();
    const segments = await parts.catalog.at(tail.generation, model);
    if (segments) return { ...tail, segments };
    parts.memory?.forget(model, tail.generation);
  }
  throw fail("STORE_UNAVAILABLE", {
    message: `The segments of model "${model}" changed ${MAX_ROUNDS} times while they were read.`,
    remedy: "Retry; if it repeats, report it.",
    retryable: true,
  });
}

const layouts = new Map<string, Layout>();
export function layoutOfSegment(segment: Pick<StoredSegment, "kind" | "signature">): Layout {
  const key = `${segment.kind} ${segment.signature}`;
  let layout = layouts.get(key);
  if (!layout) {
    layout = layoutOf(segment.kind, schemaOfSignature(segment.signature));
    layouts.set(key, layout);
  }
  return layout;
}

export function isAfter(segment: StoredSegment, cursor: LogCursor): boolean {
  return compareToCursor({ transactionId: segment.maxTransactionId, seq: segment.maxSeq }, cursor) > 0;
}

/** Rows of one file after the cursor, in order, a chunk at a time. */
async function* segmentRows(
  connection: DuckDBConnection,
  folder: string,
  segment: StoredSegment,
  cursor: LogCursor,
): AsyncGenerator<LoggedEvent> {
  const layout = layoutOfSegment(segment);
  const { transactionId, seq } = cursor;
  const sql = `select * from ${fileList([segmentPath(folder, segment.id)])}
    where transaction_id >= ${transactionId} and (transaction_id > ${transactionId} or seq > ${seq})`;
  for await (const { rowCount, columns } of chunksOf(connection, sql)) {
    for (let row = 0; row < rowCount; row++) yield readRow(columns, row, layout);
  }
}

interface Source {
  readonly rows: AsyncIterator<LoggedEvent>;
  head: LoggedEvent;
}

/** The first `limit` events of the segments after the cursor and below the horizon. */
async function mergeSegments(
  parts: LogParts,
  segments: readonly StoredSegment[],
  cursor: LogCursor,
  options: { limit: number; horizon: bigint },
): Promise<LoggedEvent[]> {
  const waiting = segments
    .filter((segment) => isAfter(segment, cursor) && segment.minTransactionId < options.horizon)
    .sort((left, right) => (left.minTransactionId < right.minTransactionId ? -1 : 1));
  const open: Source[] = [];
  const events: LoggedEvent[] = [];
  const openNext = async (borrow: <T>(work: (connection: DuckDBConnection) => T) => Promise<T>) => {
    const segment = waiting.shift() as StoredSegment;
    const rows = await borrow((connection) => segmentRows(connection, parts.folder, segment, cursor));
    const first = await rows.next();
    if (!first.done) open.push({ rows, head: first.value });
  };
  await withConnections(parts.analytics, async (borrow) => {
    while (events.length < options.limit) {
      let best = least(open);
      while (waiting[0] && (!best || waiting[0].minTransactionId <= best.head.transactionId)) {
        await openNext(borrow);
        best = least(open);
      }
      if (!best || best.head.transactionId >= options.horizon) return;
      events.push(best.head);
      const next = await best.rows.next();
      if (next.done) open.splice(open.indexOf(best), 1);
      else best.head = next.value;
    }
  });
  return events;
}

function least(open: readonly Source[]): Source | undefined {
  let best: Source | undefined;
  for (const source of open) if (!best || compareToCursor(source.head, best.head) < 0) best = source;
  return best;
}

/** Streams need a connection each; they are all given back when the merge is done. */
async function withConnections<T>(
  analytics: Analytics,
  work: (borrow: <R>(use: (connection: DuckDBConnection) => R) => Promise<R>) => Promise<T>,
): Promise<T> {
  let release: () => void = () => {};
  const done = new Promise<void>((resolve) => {
    release = resolve;
  });
  const held: Promise<void>[] = [];
  try {
    return await work(
      (use) =>
        new Promise((resolve, reject) => {
          held.push(
            analytics
              .use(async (connection) => {
                resolve(use(connection));
                await done;
              })
              .catch(reject),
          );
        }),
    );
  } finally {
    release();
    await Promise.all(held);
  }
}

/** Merges two sorted lists, at most `limit` long. */
function mergeSorted(left: readonly LoggedEvent[], right: readonly LoggedEvent[], limit: number): LoggedEvent[] {
  const merged: LoggedEvent[] = [];
  let i = 0;
  let j = 0;
  while (merged.length < limit && (i < left.length || j < right.length)) {
    const a = left[i];
    const b = right[j];
    if (a && (!b || compareToCursor(a, b) <= 0)) {
      merged.push(a);
      i += 1;
    } else {
      merged.push(b as LoggedEvent);
      j += 1;
    }
  }
  return merged;
}

export async function readAfter(
  parts: LogParts,
  model: string,
  cursor: LogCursor,
  options: { limit: number; kinds?: readonly EventKind[]; isLong?: boolean },
): Promise<{ readonly events: readonly LoggedEvent[]; readonly cursor: LogCursor; readonly more: boolean }> {
  const limit = Math.max(1, Math.floor(options.limit));
  const events =
    parts.newest?.after(model, cursor, { ...options, limit }) ??
    (await readStored(parts, model, cursor, { ...options, limit }));
  const last = events.at(-1);
  return {
    events,
    cursor: last ? { transactionId: last.transactionId, seq: last.seq } : cursor,
    more: events.length === limit,
  };
}

async function readStored(
  parts: LogParts,
  model: string,
  cursor: LogCursor,
  options: { limit: number; kinds?: readonly EventKind[]; isLong?: boolean },
): Promise<LoggedEvent[]> {
  const { limit } = options;
  const { rows, horizon, segments } = await consistently(parts, model, async () => {
    const known = await parts.memory?.after(model, cursor, options);
    if (known !== undefined) return known;
    const asked = await tailAfter(parts.database, model, cursor, { ...options, isLong: options.isLong ?? true });
    return { ...asked, rows: asked.rows.map(toLoggedEvent) };
  });
  const wanted = options.kinds ? segments.filter(({ kind }) => options.kinds?.includes(kind)) : segments;
  const old = await mergeSegments(parts, wanted, cursor, { limit, horizon });
  return mergeSorted(old, rows, limit);
}
