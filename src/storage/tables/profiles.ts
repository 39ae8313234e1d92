/**
 * Counts of profiles as deltas of folds. A fold commits by compare-and-set on its number; old hours are summed, then whole
 * days, so a year of a model is some hundred rows.
 */
import { DAY_MS, HOUR_MS, type Json, LOG_START, type ProfileRow, type ProfileStore } from "../../core/index.ts";
import { addSparseInPlace, decodeCounts, encodeCounts, sparseOf } from "../../data/index.ts";
import { bodyOf, parseBody, type Queryable, type SqlDatabase, type SqlRow, toNumber } from "../sql.ts";

const COMMIT = `
with moved as (
  update profile_grid set fold_seq = fold_seq + 1, cursor_xid = $4::bigint, cursor_seq = $5::bigint
  where model = $1 and grid = $2 and fold_seq = $3::bigint
  returning fold_seq
), counted as (
  insert into profile (model, grid, scope, bucket, width, from_seq, fold_seq, counts)
  select $1, $2, s, b::bigint, ${HOUR_MS}, fold_seq, fold_seq, c
  from moved, unnest(string_to_array($6, E'\\n'), string_to_array($7, E'\\n'), string_to_array($8, E'\\n')) as t (s, b, c)
)
select fold_seq from moved`;

function toRow(row: SqlRow): ProfileRow {
  return {
    scope: row["scope"] as string,
    bucket: toNumber(row["bucket"]),
    widthMs: toNumber(row["width"]),
    fromSeq: toNumber(row["from_seq"]),
    foldSeq: toNumber(row["fold_seq"]),
    counts: row["counts"] as string,
  };
}

/** The sum of encoded counts, encoded. */
function sumCounts(texts: readonly string[]): string {
  const sparse = texts.map(decodeCounts);
  const size = sparse.reduce((most, { places }) => Math.max(most, (places[places.length - 1] ?? 0) + 1), 0);
  const vector = new Float64Array(size);
  for (const one of sparse) addSparseInPlace(vector, one);
  return encodeCounts(sparseOf(vector));
}

interface Group {
  readonly model: string;
  readonly grid: string;
  readonly scope: string;
  readonly from: number;
  readonly widthMs: number;
}

async function collapseGroup(transaction: Queryable, group: Group): Promise<void> {
  const { model, grid, scope, from, widthMs } = group;
  const { rows } = await transaction.query(
    `delete from profile where model = $1 and grid = $2 and scope = $3 and bucket >= $4 and bucket < $5
     returning scope, bucket, width, from_seq, fold_seq, counts`,
    [model, grid, scope, from, from + widthMs],
  );
  if (rows.length === 0) return;
  const found = rows.map(toRow);
  await transaction.query(
    `insert into profile (model, grid, scope, bucket, width, from_seq, fold_seq, counts)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      model,
      grid,
      scope,
      from,
      Math.max(widthMs, ...found.map((row) => row.widthMs)),
      Math.min(...found.map((row) => row.fromSeq)),
      Math.max(...found.map((row) => row.foldSeq)),
      sumCounts(found.map((row) => row.counts)),
    ],
  );
}

async function collapse(
  database: SqlDatabase,
  model: string,
  grid: string,
  before: { hoursBefore: number; daysBefore: number },
) {
  const days = await database.query(
    `select scope, bucket / ${DAY_MS} * ${DAY_MS} as start from profile
     where model = $1 and grid = $2 and bucket < $3 group by 1, 2 having count(*) > 1 or max(width) < ${DAY_MS}`,
    [model, grid, before.daysBefore],
  );
  const hours = await database.query(
    `select scope, bucket as start from profile
     where model = $1 and grid = $2 and bucket >= $3 and bucket < $4 group by 1, 2 having count(*) > 1`,
    [model, grid, before.daysBefore, before.hoursBefore],
  );
  const groups: Group[] = [
    ...days.rows.map((row) => ({ row, widthMs: DAY_MS })),
    ...hours.rows.map((row) => ({ row, widthMs: HOUR_MS })),
  ].map(({ row, widthMs }) => ({ model, grid, scope: row["scope"] as string, from: toNumber(row["start"]), widthMs }));
  // One group a transaction: folds and readers come between.
  for (const group of groups) await database.transaction((transaction) => collapseGroup(transaction, group));
}

export function createProfileStore(database: SqlDatabase): ProfileStore {
  return {
    async saveGrid(model, grid, body) {
      await database.query(
        "insert into profile_grid (model, grid, body) values ($1, $2, $3) on conflict (model, grid) do nothing",
        [model, grid, bodyOf(body)],
      );
    },
    async grid(model, grid) {
      const { rows } = await database.query("select body from profile_grid where model = $1 and grid = $2", [
        model,
        grid,
      ]);
      return rows[0] === undefined ? undefined : parseBody<Json>(rows[0]["body"]);
    },
    async read(model, grid) {
      const { rows } = await database.query(
        "select fold_seq, cursor_xid, cursor_seq from profile_grid where model = $1 and grid = $2",
        [model, grid],
      );
      const row = rows[0];
      if (row === undefined) return { cursor: LOG_START, foldSeq: 0 };
      return {
        cursor: { transactionId: BigInt(row["cursor_xid"] as number), seq: BigInt(row["cursor_seq"] as number) },
        foldSeq: toNumber(row["fold_seq"]),
      };
    },
    async commit(model, grid, { expectedFoldSeq, cursor, deltas }) {
      const lines = (values: readonly (string | number)[]) => values.join("\n");
      const { rows } = await database.query(COMMIT, [
        model,
        grid,
        expectedFoldSeq,
        cursor.transactionId.toString(),
        cursor.seq.toString(),
        lines(deltas.map((delta) => delta.scope)),
        lines(deltas.map((delta) => delta.bucket)),
        lines(deltas.map((delta) => delta.counts)),
      ]);
      return rows.length > 0;
    },
    async rows(model, grid, afterSeq) {
      const { rows } = await database.query(
        `select scope, bucket, width, from_seq, fold_seq, counts from profile
         where model = $1 and grid = $2 and fold_seq > $3 order by fold_seq`,
        [model, grid, afterSeq],
      );
      return rows.map(toRow);
    },
    collapse: (model, grid, before) => collapse(database, model, grid, before),
    async deleteBefore(model, before) {
      await database.query("delete from profile where model = $1 and bucket + width <= $2", [model, before]);
    },
    async keepGrids(model, grids) {
      await database.query("delete from profile where model = $1 and not grid = any ($2::text[])", [model, grids]);
      await database.query("delete from profile_grid where model = $1 and not grid = any ($2::text[])", [model, grids]);
    },
  };
}
