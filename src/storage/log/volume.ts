/**
 * How many events came between two instants, asked at every tick. The sums of whole buckets come from the `volume` table;
 * where an end of the range cuts through a bucket (a second; an hour for ranges that reach far back), the events inside that
 * bucket are counted in the log. The answer is exact in every case.
 */
import { type EventKind, HOUR_MS, type Instant, type LogCounts } from "../../core/index.ts";
import { fileList } from "../analytics.ts";
import { prepared } from "../session.ts";
import { type Queryable, type SqlRow, toNumber, toNumberOrNull } from "../sql.ts";
import { MARK, UNASKED } from "./block.ts";
import { KINDS } from "./encode.ts";
import { consistently, type LogParts } from "./read.ts";
import { segmentPath } from "./segment-write.ts";

interface Range {
  /** Exclusive. */
  readonly since: Instant;
  /** Inclusive. */
  readonly until: Instant;
}
type Counts = { -readonly [K in keyof LogCounts]: LogCounts[K] } & { events: Record<EventKind, number> };

const FIRST: Instant = -8_640_000_000_000_000;
const LAST: Instant = 8_640_000_000_000_000;

/**
 * The span of the coarsest bucket an end cuts through. Finer buckets nest in it, so the log is counted once for all. No
 * bucket is wider than an hour, which bounds the part of the index that is walked.
 */
const CUT = `select bucket, width from volume
  where model = $1 and bucket <= $END and bucket > $END - ${HOUR_MS} and bucket + width > $END and first_at <= $END and last_at > $END
  order by width desc limit 1`;
const SUM = prepared(`
with low as (${CUT.replaceAll("$END", "$2::bigint")}), high as (${CUT.replaceAll("$END", "$3::bigint")})
select sum(observation) as observation, sum(prediction) as prediction, sum(label) as label, sum(outcome) as outcome,
  sum(labelled) as labelled, max(last_at) as last_at,
  (select bucket from low) as low_bucket, (select width from low) as low_width,
  (select bucket from high) as high_bucket, (select width from high) as high_width
from volume v
where model = $1 and bucket > $2::bigint - ${HOUR_MS} and bucket + width > $2::bigint and bucket <= $3::bigint and first_at > $2::bigint and last_at <= $3::bigint
  and not exists (select 1 from low where v.bucket >= low.bucket and v.bucket < low.bucket + low.width)
  and not exists (select 1 from high where v.bucket >= high.bucket and v.bucket < high.bucket + high.width)`);

function noCounts(): Counts {
  return { events: { observation: 0, prediction: 0, label: 0, outcome: 0 }, labelled: 0, lastReceivedAt: null };
}

export async function countEvents(
  parts: LogParts,
  model: string,
  range: { since?: Instant; until?: Instant },
): Promise<LogCounts> {
  const whole = { since: range.since ?? FIRST, until: range.until ?? LAST };
  const counts = noCounts();
  if (whole.since >= whole.until) return counts;
  const { rows } = await parts.database.query(SUM, [model, whole.since, whole.until]);
  const row = rows[0] as SqlRow;
  for (const kind of KINDS) counts.events[kind] = toNumber(row[kind] ?? 0);
  counts.labelled = toNumber(row["labelled"] ?? 0);
  counts.lastReceivedAt = toNumberOrNull(row["last_at"]);
  for (const cut of cutRanges(row, whole)) add(counts, await countInLog(parts, model, cut));
  return counts;
}

function add(counts: Counts, more: LogCounts): void {
  for (const kind of KINDS) counts.events[kind] += more.events[kind];
  counts.labelled += more.labelled;
  if (more.lastReceivedAt !== null)
    counts.lastReceivedAt = Math.max(counts.lastReceivedAt ?? FIRST, more.lastReceivedAt);
}

/** The parts of the range that lie in buckets it cuts through; one when both ends cut the same or nested buckets. */
function cutRanges(row: SqlRow, whole: Range): Range[] {
  const spans: Range[] = [];
  for (const end of ["low", "high"]) {
    const bucket = toNumberOrNull(row[`${end}_bucket`]);
    if (bucket === null) continue;
    const width = toNumber(row[`${end}_width`]);
    const since = Math.max(whole.since, bucket - 1);
    const until = Math.min(whole.until, bucket + width - 1);
    if (since < until) spans.push({ since, until });
  }
  const [low, high] = spans;
  // Buckets nest: two spans are apart, or one holds the other.
  if (low && high && high.since < low.until && low.since < high.until) {
    return [{ since: Math.min(low.since, high.since), until: Math.max(low.until, high.until) }];
  }
  return spans;
}

async function countInLog(parts: LogParts, model: string, { since, until }: Range): Promise<LogCounts> {
  const tail = await consistently(parts, model, () => countInTail(parts.database, model, { since, until }));
  const counts = noCounts();
  const note = (kind: EventKind, rows: number, labelled: number, last: number | null) => {
    counts.events[kind] += rows;
    counts.labelled += labelled;
    if (last !== null) counts.lastReceivedAt = Math.max(counts.lastReceivedAt ?? FIRST, last);
  };
  for (const row of tail.rows) {
    note(
      KINDS[toNumber(row["kind"])] as EventKind,
      toNumber(row["rows"]),
      toNumber(row["labelled"]),
      toNumberOrNull(row["last_at"]),
    );
  }
  for (const kind of KINDS) {
    const files = tail.segments
      .filter((segment) => segment.kind === kind && segment.maxReceivedAt > since && segment.minReceivedAt <= until)
      .map(({ id }) => segmentPath(parts.folder, id));
    if (files.length === 0) continue;
    const labelled = kind === "observation" ? "labelled" : kind === "label" ? "not retraction" : "false";
    const counted = kind === "prediction" ? "origin <> 'shadow'" : "true";
    const row = await parts.analytics.use(async (connection) => {
      // Only columns that every signature has, by name, so files of several schemas may be read together.
      const reader = await connection.runAndReadAll(
        `select count(*) filter (where ${counted})::double, count(*) filter (where ${labelled})::double, max(received_at)::double
         from ${fileList(files)} where received_at > $1 and received_at <= $2`,
        [BigInt(since), BigInt(until)],
      );
      return reader.getRows()[0] as [number, number, number | null];
    });
    note(kind, row[0], row[1], row[2]);
  }
  return counts;
}

async function countInTail(database: Queryable, model: string, { since, until }: Range) {
  const { rows } = await database.query(
    `select l.generation, '0' as horizon, t.* from log_state l left join lateral (
       select digit % ${MARK} as kind, count(*) filter (where digit <> ${UNASKED}) as rows,
         count(*) filter (where digit >= ${MARK} and digit <> ${UNASKED}) as labelled, max(at) as last_at
       from (
         select k::smallint as digit, coalesce(u::bigint, ingest.received_at) as at
         from ingest, unnest(string_to_array(kinds, null), string_to_array(known_at, ',')) as one (k, u) where model = $1
       ) counted where at > $2::bigint and at <= $3::bigint group by 1
     ) t on true`,
    [model, since, until],
  );
  const first = rows[0] as SqlRow;
  return {
    generation: toNumber(first["generation"]),
    horizon: 0n,
    rows: first["kind"] === null ? [] : rows,
  };
}
