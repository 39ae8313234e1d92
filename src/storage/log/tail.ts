/**
 * The tail in SQL. Every question is one statement that also returns the generation of the segment set: within one statement
 * the locks are taken before the snapshot, so the rows and the number belong together even when a compaction truncates a
 * partition meanwhile. (A repeatable-read transaction would not do: TRUNCATE empties a table also for older snapshots.)
 */
import pg from "pg";
import type { EventKind, ExampleEvent, Instant, LogCursor, LoggedEvent } from "../../core/index.ts";
import { type Queryable, type SqlRow, toNumber, toNumberOrNull } from "../sql.ts";
import type { TailRow } from "./columns.ts";
import { encodeText, KIND_CODES, KINDS } from "./encode.ts";

export const TAIL_COLUMNS =
  "xid::text as xid, seq, received_at, imported_at, at, kind, example_id, prediction_id, body";

export interface TailView<T> {
  readonly generation: number;
  readonly rows: T;
  /** Only rows of transactions below this id are complete. */
  readonly horizon: bigint;
}

export function toTailRow(row: SqlRow): TailRow {
  return {
    transactionId: BigInt(row["xid"] as string),
    seq: BigInt(row["seq"] as number),
    receivedAt: toNumber(row["received_at"]),
    importedAt: toNumberOrNull(row["imported_at"]),
    at: toNumber(row["at"]),
    exampleId: row["example_id"] as string | null,
    predictionId: row["prediction_id"] as string | null,
    body: row["body"] as string,
  };
}

export function toLoggedEvent(row: TailRow): LoggedEvent {
  const event = JSON.parse(row.body) as ExampleEvent;
  const { transactionId, seq, receivedAt, importedAt } = row;
  // The event last: what is added to a copy that was spread first costs Node 20 some microseconds a key.
  if (importedAt === null) return { transactionId, seq, receivedAt, ...event };
  return { transactionId, seq, receivedAt, importedAt, ...event };
}

/**
 * A page in log order. The partitions never have statistics, as they are truncated all the time; without them the planner
 * sorts the whole partition for every page (90 ms instead of 2 at 90,000 rows), so it is told to walk the index.
 */
const IN_ORDER =
  "select set_config('enable_bitmapscan', 'off', true), set_config('enable_sort', 'off', true), set_config('enable_seqscan', 'off', true)";

/**
 * Both statements in one request, which PostgreSQL runs as one transaction: opened by a request of its own it would keep the
 * embedded database's one session for three round trips, while everybody who writes waits. Such a request takes no parameters.
 */
function inOrder(database: Queryable, select: string, values: readonly (string | number)[]) {
  const inlined = select.replaceAll(/\$(\d+)/g, (_, number: string) =>
    pg.escapeLiteral(String(values[Number(number) - 1])),
  );
  return database.query(`${IN_ORDER};\n${inlined}`);
}

type Ask = typeof inOrder;
const ask: Ask = (database, select, values) => database.query(select, values);

/** Runs a query over `ingest`, named `tail` in the result, together with the generation. */
async function view(
  database: Queryable,
  select: string,
  values: readonly (string | number)[],
  how: Ask = ask,
): Promise<TailView<SqlRow[]>> {
  // Not a prepared statement: its kept plan would be of the time when the partition was empty, or of other settings.
  const { rows } = await how(
    database,
    `select l.generation, pg_snapshot_xmin(pg_current_snapshot())::text as horizon, tail.*
       from log_state l left join lateral (${select}) tail on true`,
    values,
  );
  const first = rows[0] as SqlRow;
  return {
    generation: toNumber(first["generation"]),
    horizon: BigInt(first["horizon"] as string),
    rows: rows.length === 1 && first["body"] === null ? [] : rows,
  };
}

const AFTER =
  "model = $1 and (xid, seq) > ($2::text::xid8, $3::bigint) and xid < pg_snapshot_xmin(pg_current_snapshot())";

function kindCodes(kinds: readonly EventKind[] | undefined): string {
  return (kinds ?? []).map((kind) => KIND_CODES[kind]).join(",");
}

/** @param options.isLong whether many rows are to be expected: then the index is walked, else what is there is sorted */
export async function tailAfter(
  database: Queryable,
  model: string,
  cursor: LogCursor,
  options: { limit: number; isLong: boolean; kinds?: readonly EventKind[] },
): Promise<TailView<(TailRow & { readonly kind: EventKind })[]>> {
  const kinds = options.kinds ? `and kind in (${kindCodes(options.kinds)})` : "";
  const select = `select ${TAIL_COLUMNS} from ingest where ${AFTER} ${kinds} order by ingest.xid, ingest.seq limit $4::bigint`;
  const values = [model, cursor.transactionId.toString(), cursor.seq.toString(), options.limit];
  const result = await view(database, select, values, options.isLong ? inOrder : ask);
  const rows = result.rows.map((row) => ({ kind: KINDS[toNumber(row["kind"])] as EventKind, ...toTailRow(row) }));
  return { ...result, rows };
}

export async function tailHasAfter(database: Queryable, model: string, cursor: LogCursor): Promise<TailView<boolean>> {
  const { rows } = await database.query(
    `select l.generation, pg_snapshot_xmin(pg_current_snapshot())::text as horizon,
         exists (select 1 from ingest where ${AFTER}) as some from log_state l`,
    [model, cursor.transactionId.toString(), cursor.seq.toString()],
  );
  const row = rows[0] as SqlRow;
  return {
    generation: toNumber(row["generation"]),
    horizon: BigInt(row["horizon"] as string),
    rows: row["some"] as boolean,
  };
}

/** Rows of the kinds that name one of the ids, known at or before `asOf`. */
export async function tailByIds(
  database: Queryable,
  model: string,
  kinds: readonly { readonly kind: EventKind; readonly labelledOnly?: boolean }[],
  keys: { predictionIds: readonly string[]; exampleIds: readonly string[]; asOf: Instant },
): Promise<TailView<TailRow[]>> {
  const list = (ids: readonly string[]) => ids.map(encodeText).join("\n");
  const wanted = kinds.map(
    ({ kind, labelledOnly }) => `(kind = ${KIND_CODES[kind]}${labelledOnly === true ? " and labelled" : ""})`,
  );
  const result = await view(
    database,
    `select ${TAIL_COLUMNS} from ingest
     where model = $1 and (${wanted.join(" or ")}) and received_at <= $2::bigint
       and (prediction_id in (select unnest(string_to_array($3, E'\\n'))) or example_id in (select unnest(string_to_array($4, E'\\n'))))`,
    [model, keys.asOf, list(keys.predictionIds), list(keys.exampleIds)],
  );
  return { ...result, rows: result.rows.map(toTailRow) };
}

export async function tailNewest(
  database: Queryable,
  model: string,
  kind: EventKind,
  before: LogCursor,
  limit: number,
): Promise<TailView<TailRow[]>> {
  const result = await view(
    database,
    `select ${TAIL_COLUMNS} from ingest
     where model = $1 and kind = ${KIND_CODES[kind]} and (xid, seq) < ($2::text::xid8, $3::bigint)
     order by ingest.xid desc, ingest.seq desc limit $4::bigint`,
    [model, before.transactionId.toString(), before.seq.toString(), limit],
  );
  return { ...result, rows: result.rows.map(toTailRow) };
}

/** How many rows a model has in the tail. */
export async function tailSize(database: Queryable, model: string): Promise<number> {
  const { rows } = await database.query("select count(*) as count from ingest where model = $1", [model]);
  return toNumber(rows[0]?.["count"]);
}

/** A page of the rows of a model in one partition, in log order. */
export async function tailPage(
  database: Queryable,
  part: 0 | 1,
  model: string,
  after: LogCursor,
  limit: number,
): Promise<readonly (TailRow & { readonly kind: number })[]> {
  const { rows } = await inOrder(
    database,
    `select ${TAIL_COLUMNS} from ingest_${part} as ingest
     where model = $1 and (xid, seq) > ($2::text::xid8, $3::bigint)
     order by ingest.xid, ingest.seq limit $4::bigint`,
    [model, after.transactionId.toString(), after.seq.toString(), limit],
  );
  return rows.map((row) => ({ kind: toNumber(row["kind"]), ...toTailRow(row) }));
}

/** A page of all rows of a model in the tail, committed or about to be folded, with the generation of the segment set. */
export async function wholeTailPage(
  database: Queryable,
  model: string,
  after: LogCursor,
  limit: number,
): Promise<{ readonly generation: number; readonly rows: readonly (TailRow & { readonly kind: number })[] }> {
  const { generation, rows } = await view(
    database,
    `select ${TAIL_COLUMNS} from ingest where model = $1 and (xid, seq) > ($2::text::xid8, $3::bigint)
     order by ingest.xid, ingest.seq limit $4::bigint`,
    [model, after.transactionId.toString(), after.seq.toString(), limit],
    inOrder,
  );
  return { generation, rows: rows.map((row) => ({ kind: toNumber(row["kind"]), ...toTailRow(row) })) };
}
