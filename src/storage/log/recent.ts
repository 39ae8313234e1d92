/** Events newest first, a page at a time. The cursor of a page is `<transactionId>-<seq>` of its last event. */
import { type EventKind, fail, type LogCursor, type LoggedEvent } from "../../core/index.ts";
import { chunksOf, fileList } from "../analytics.ts";
import { readRow } from "./read-row.ts";
import { compareToCursor } from "./cursor.ts";
import { consistently, layoutOfSegment, type LogParts } from "./read.ts";
import { segmentPath } from "./segment-write.ts";
import type { StoredSegment } from "./segments.ts";
import { tailNewest, toLoggedEvent } from "./tail.ts";

const LAST: LogCursor = { transactionId: 9_223_372_036_854_775_807n, seq: 9_223_372_036_854_775_807n };

function parseBefore(before: string | undefined): LogCursor {
  if (before === undefined) return LAST;
  const match = /^(\d{1,18})-(\d{1,18})$/.exec(before);
  if (match) return { transactionId: BigInt(match[1] as string), seq: BigInt(match[2] as string) };
  throw fail("BODY_INVALID", {
    message: `The page mark ${JSON.stringify(before.slice(0, 60))} is not one this server gave out.`,
    remedy: "Pass `<transactionId>-<seq>` of the last event of the page before.",
  });
}

async function newestOf(
  parts: LogParts,
  segment: StoredSegment,
  before: LogCursor,
  limit: number,
): Promise<LoggedEvent[]> {
  const layout = layoutOfSegment(segment);
  const { transactionId, seq } = before;
  const sql = `select * from ${fileList([segmentPath(parts.folder, segment.id)])}
    where transaction_id < ${transactionId} or (transaction_id = ${transactionId} and seq < ${seq})
    order by transaction_id desc, seq desc limit ${limit}`;
  return parts.analytics.use(async (connection) => {
    const events: LoggedEvent[] = [];
    for await (const { rowCount, columns } of chunksOf(connection, sql)) {
      for (let row = 0; row < rowCount; row++) events.push(readRow(columns, row, layout));
    }
    return events;
  });
}

export async function recent(
  parts: LogParts,
  model: string,
  options: { kind: EventKind; limit: number; before?: string },
): Promise<readonly LoggedEvent[]> {
  const before = parseBefore(options.before);
  const limit = Math.max(1, Math.floor(options.limit));
  const { rows, segments } = await consistently(parts, model, () =>
    tailNewest(parts.database, model, options.kind, before, limit),
  );
  let events = rows.map(toLoggedEvent);
  const candidates = segments
    .filter((segment) => segment.kind === options.kind && segment.minTransactionId <= before.transactionId)
    .sort((left, right) => (left.maxTransactionId > right.maxTransactionId ? -1 : 1));
  for (const segment of candidates) {
    const oldest = events[limit - 1];
    // Segments come newest first: once a page is full, older ones cannot change it.
    if (oldest && segment.maxTransactionId < oldest.transactionId) break;
    events.push(...(await newestOf(parts, segment, before, limit)));
    events = events.sort((left, right) => compareToCursor(right, left)).slice(0, limit);
  }
  return events;
}
