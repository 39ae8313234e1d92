/**
 * The tail in SQL. Every question is one statement that also returns the generation of the segment set: within one statement
 * the locks are taken before the snapshot, so the rows and the number belong together even when a compaction truncates a
 * partition meanwhile. (A repeatable-read transaction would not do: TRUNCATE empties a table also for older snapshots.)
 */
import pg from "pg";
import type { EventKind, ExampleEvent, Instant, LogCursor, LoggedEvent } from "../../core/index.ts";
import { type Queryable, type SqlRow, toNumber } from "../sql.ts";
import { BLOCK_COLUMNS, BLOCK_ROWS, type CodedRow, digitsOf, rowsOf, type TailBlock, toTailBlock } from "./block.ts";
import type { TailRow } from "./columns.ts";
import { compareToCursor } from "./cursor.ts";
import { encodeText, KIND_CODES, KINDS } from "./encode.ts";

export interface TailView<T> {
  readonly generation: number;
  readonly rows: T;
  /** Only rows of transactions below this id are complete. */
  readonly horizon: bigint;
}

export function toLoggedEvent(row: TailRow): LoggedEvent {
  const event = JSON.parse(row.body) as ExampleEvent;
  const { transactionId, seq, receivedAt, importedAt } = row;
  // The event last: what is added to a copy that was spread first costs Node 20 some microseconds a key.
  if (importedAt === null) return { transactionId, seq, receivedAt, ...event };
  return { transactionId, seq, receivedAt, importedAt, ...event };
}

/**
 * Pages in log order. The partitions never have statistics, as they are truncated all the time; without them the planner
 * sorts the whole partition for every page, so it is told to walk the index.
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
): Promise<TailView<TailBlock[]>> {
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
    rows: rows.length === 1 && first["bodies"] === null ? [] : rows.map(toTailBlock),
  };
}

/** Blocks that end after a cursor. */
const AFTER = "model = $1 and (xid, last_seq) > ($2::text::xid8, $3::bigint)";
const COMPLETE = "xid < pg_snapshot_xmin(pg_current_snapshot())";

/** How many of its rows are of the kinds, in SQL. */
function rowsOfKinds(kinds: readonly EventKind[] | undefined): string {
  if (kinds === undefined) return "rows";
  const digits = kinds.map((kind) => digitsOf(KIND_CODES[kind])).join("");
  return `(rows - length(translate(kinds, '${digits}', '')))`;
}

/**
 * The blocks that hold the first $4 wanted rows, and one more: of the first block some rows may be known already. Texts are stored
 * apart from their rows, so that adding up what comes before costs little however long the tail is.
 */
function firstBlocks(where: string, options: { kinds?: readonly EventKind[]; isNewestFirst?: boolean } = {}): string {
  const direction = options.isNewestFirst === true ? "desc" : "asc";
  const order = `xid ${direction}, last_seq ${direction}`;
  const wanted = rowsOfKinds(options.kinds);
  return `select ${BLOCK_COLUMNS} from (
      select *, sum(${wanted}) over (order by ${order} rows unbounded preceding) - ${wanted} as before
      from ingest where ${where} and ${wanted} > 0
    ) counted where before < $4::bigint + ${BLOCK_ROWS} order by counted.xid ${direction}, counted.last_seq ${direction}`;
}

/** @param options.isLong whether many rows are to be expected: then the index is walked, else what is there is sorted */
export async function tailAfter(
  database: Queryable,
  model: string,
  cursor: LogCursor,
  options: { limit: number; isLong: boolean; kinds?: readonly EventKind[] },
): Promise<TailView<(TailRow & { readonly kind: EventKind })[]>> {
  const { limit, kinds, isLong } = options;
  const select = firstBlocks(`${AFTER} and ${COMPLETE}`, kinds === undefined ? {} : { kinds });
  const values = [model, cursor.transactionId.toString(), cursor.seq.toString(), limit];
  const { rows: blocks, ...seen } = await view(database, select, values, isLong ? inOrder : ask);
  const rows: (TailRow & { readonly kind: EventKind })[] = [];
  for (const block of blocks) {
    for (const row of rowsOf(block)) {
      if (rows.length === limit) break;
      const kind = KINDS[row.kind] as EventKind;
      if (compareToCursor(row, cursor) > 0 && (kinds === undefined || kinds.includes(kind)))
        rows.push({ ...row, kind });
    }
  }
  return { ...seen, rows };
}

export async function tailHasAfter(database: Queryable, model: string, cursor: LogCursor): Promise<TailView<boolean>> {
  const { rows } = await database.query(
    `select l.generation, pg_snapshot_xmin(pg_current_snapshot())::text as horizon,
         exists (select 1 from ingest where ${AFTER} and ${COMPLETE}) as some from log_state l`,
    [model, cursor.transactionId.toString(), cursor.seq.toString()],
  );
  const row = rows[0] as SqlRow;
  return {
    generation: toNumber(row["generation"]),
    horizon: BigInt(row["horizon"] as string),
    rows: row["some"] as boolean,
  };
}

const EXAMPLE_IDS = `case when example_ids = E'\\x02' then prediction_ids else example_ids end`;

/** Rows of the kinds that name one of the ids, known at or before `asOf`. Cost: a pass of the ids, and the blocks that hold one. */
export async function tailByIds(
  database: Queryable,
  model: string,
  kinds: readonly { readonly kind: EventKind; readonly labelledOnly?: boolean }[],
  keys: { predictionIds: readonly string[]; exampleIds: readonly string[]; asOf: Instant },
): Promise<TailView<TailRow[]>> {
  const predictionIds = keys.predictionIds.map(encodeText);
  const exampleIds = keys.exampleIds.map(encodeText);
  const names = (column: string, parameter: string) =>
    `exists (select 1 from unnest(string_to_array(${column}, E'\\n')) as one where one = any (string_to_array(${parameter}, E'\\n')))`;
  const wanted = rowsOfKinds(kinds.map(({ kind }) => kind));
  const { rows: blocks, ...seen } = await view(
    database,
    `select ${BLOCK_COLUMNS} from ingest
     where model = $1 and (known_at is not null or received_at <= $2::bigint) and ${wanted} > 0
       and (${names("prediction_ids", "$3")} or ${names(EXAMPLE_IDS, "$4")})`,
    [model, keys.asOf, predictionIds.join("\n"), exampleIds.join("\n")],
  );
  const predictions = new Set<string | null>(predictionIds);
  const examples = new Set<string | null>(exampleIds);
  const isWanted = (row: CodedRow) =>
    row.receivedAt <= keys.asOf &&
    (predictions.has(row.predictionId) || examples.has(row.exampleId)) &&
    kinds.some(({ kind, labelledOnly }) => KIND_CODES[kind] === row.kind && (labelledOnly !== true || row.isMarked));
  return { ...seen, rows: blocks.flatMap((block) => rowsOf(block).filter(isWanted)) };
}

export async function tailNewest(
  database: Queryable,
  model: string,
  kind: EventKind,
  before: LogCursor,
  limit: number,
): Promise<TailView<TailRow[]>> {
  const { rows: blocks, ...seen } = await view(
    database,
    firstBlocks("model = $1 and (xid, last_seq - rows + 1) < ($2::text::xid8, $3::bigint)", {
      kinds: [kind],
      isNewestFirst: true,
    }),
    [model, before.transactionId.toString(), before.seq.toString(), limit],
  );
  const rows = blocks
    .flatMap((block) => rowsOf(block).reverse())
    .filter((row) => row.kind === KIND_CODES[kind] && compareToCursor(row, before) < 0);
  return { ...seen, rows: rows.slice(0, limit) };
}

/** How many rows a model has in the tail. */
export async function tailSize(database: Queryable, model: string): Promise<number> {
  const { rows } = await database.query("select coalesce(sum(rows), 0) as count from ingest where model = $1", [model]);
  return toNumber(rows[0]?.["count"]);
}

/** A page of the blocks of a model in one partition, in log order. */
export async function tailPage(
  database: Queryable,
  part: 0 | 1,
  model: string,
  after: LogCursor,
  limit: number,
): Promise<readonly TailBlock[]> {
  const { rows } = await inOrder(
    database,
    `select ${BLOCK_COLUMNS} from ingest_${part} as ingest where ${AFTER}
     order by ingest.xid, ingest.last_seq limit $4::bigint`,
    [model, after.transactionId.toString(), after.seq.toString(), limit],
  );
  return rows.map(toTailBlock);
}

/** A page of all rows of a model in the tail, committed or about to be folded, with the generation of the segment set: some `limit` of them. */
export async function wholeTailPage(
  database: Queryable,
  model: string,
  after: LogCursor,
  limit: number,
): Promise<{ readonly generation: number; readonly rows: readonly CodedRow[] }> {
  const { generation, rows } = await view(
    database,
    firstBlocks(AFTER),
    [model, after.transactionId.toString(), after.seq.toString(), limit],
    inOrder,
  );
  return { generation, rows: rows.flatMap(rowsOf) };
}
