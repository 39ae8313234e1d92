/**
 * Counts of profiles as deltas of folds. A fold commits by compare-and-set on its number; old hours are summed, then whole
 * days, so a year of a model is some hundred rows.
 */
import {
  DAY_MS,
  HOUR_MS,
  type Json,
  LOG_START,
  type ProfileDelta,
  type ProfileFoldState,
  type ProfileRow,
  type ProfileStore,
} from "../../core/index.ts";
import { addSparseInPlace, decodeCounts, encodeCounts, sparseOf } from "../../data/index.ts";
import { prepared } from "../session.ts";
import { bodyOf, parseBody, type Queryable, type SqlDatabase, type SqlRow, toNumber } from "../sql.ts";
import { RowMemory } from "./row-memory.ts";

const COMMIT = prepared(`
with moved as (
  update profile_grid set fold_seq = fold_seq + 1, cursor_xid = $4::bigint, cursor_seq = $5::bigint
  where model = $1 and grid = $2 and fold_seq = $3::bigint
  returning fold_seq
), counted as (
  insert into profile (model, grid, scope, bucket, width, from_seq, fold_seq, counts)
  select $1, $2, s, b::bigint, ${HOUR_MS}, fold_seq, fold_seq, c
  from moved, unnest(string_to_array($6, E'\\n'), string_to_array($7, E'\\n'), string_to_array($8, E'\\n')) as t (s, b, c)
)
select fold_seq from moved`);

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
  readonly scope: string;
  readonly from: number;
  readonly widthMs: number;
}
/** Groups of one transaction: short enough that folds and readers come between, long enough that it is not all commits. */
const GROUPS_AT_ONCE = 100;

async function collapseGroups(
  transaction: Queryable,
  { model, grid }: { readonly model: string; readonly grid: string },
  groups: readonly Group[],
): Promise<void> {
  const lines = (values: readonly (string | number)[]) => values.join("\n");
  const { rows } = await transaction.query(
    `delete from profile p using unnest(string_to_array($3, E'\\n'), string_to_array($4, E'\\n')::bigint[],
       string_to_array($5, E'\\n')::bigint[]) as g (scope, start, width)
     where p.model = $1 and p.grid = $2 and p.scope = g.scope and p.bucket >= g.start and p.bucket < g.start + g.width
     returning p.scope, p.bucket, p.width, p.from_seq, p.fold_seq, p.counts, g.start`,
    [
      model,
      grid,
      lines(groups.map((group) => group.scope)),
      lines(groups.map((group) => group.from)),
      lines(groups.map((group) => group.widthMs)),
    ],
  );
  const found = new Map<string, ReturnType<typeof toRow>[]>();
  for (const row of rows) {
    const key = `${row["start"] as string} ${row["scope"] as string}`;
    found.set(key, [...(found.get(key) ?? []), toRow(row)]);
  }
  const merged = groups.flatMap(({ scope, from, widthMs }) => {
    const parts = found.get(`${from} ${scope}`);
    if (parts === undefined) return [];
    return [
      {
        scope,
        from,
        width: Math.max(widthMs, ...parts.map((row) => row.widthMs)),
        fromSeq: Math.min(...parts.map((row) => row.fromSeq)),
        foldSeq: Math.max(...parts.map((row) => row.foldSeq)),
        counts: sumCounts(parts.map((row) => row.counts)),
      },
    ];
  });
  if (merged.length === 0) return;
  await transaction.query(
    `insert into profile (model, grid, scope, bucket, width, from_seq, fold_seq, counts)
     select $1, $2, s, b, w, f, t, c
     from unnest(string_to_array($3, E'\\n'), string_to_array($4, E'\\n')::bigint[], string_to_array($5, E'\\n')::bigint[],
       string_to_array($6, E'\\n')::bigint[], string_to_array($7, E'\\n')::bigint[], string_to_array($8, E'\\n'))
       as v (s, b, w, f, t, c)`,
    [
      model,
      grid,
      lines(merged.map((row) => row.scope)),
      lines(merged.map((row) => row.from)),
      lines(merged.map((row) => row.width)),
      lines(merged.map((row) => row.fromSeq)),
      lines(merged.map((row) => row.foldSeq)),
      lines(merged.map((row) => row.counts)),
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
  ].map(({ row, widthMs }) => ({ scope: row["scope"] as string, from: toNumber(row["start"]), widthMs }));
  for (let i = 0; i < groups.length; i += GROUPS_AT_ONCE) {
    const some = groups.slice(i, i + GROUPS_AT_ONCE);
    await database.transaction((transaction) => collapseGroups(transaction, { model, grid }, some));
  }
}

async function readState(database: Queryable, model: string, grid: string): Promise<ProfileFoldState> {
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
}

type Change = Parameters<ProfileStore["commit"]>[2];

async function commit(database: Queryable, model: string, grid: string, change: Change): Promise<boolean> {
  const { expectedFoldSeq, cursor, deltas } = change;
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
}

/** Where the fold of a grid stands, and what its newest commits added. */
interface KnownFold {
  readonly state: ProfileFoldState;
  /** What was added after this number. */
  readonly since: number;
  readonly added: readonly ProfileRow[];
}
/** Rows kept per grid: a view that has not looked for so long asks the table. */
const KEPT_ROWS = 500;

function afterCommit(known: KnownFold, { expectedFoldSeq, cursor, deltas }: Change): KnownFold {
  const foldSeq = expectedFoldSeq + 1;
  const state = { cursor, foldSeq };
  if (known.state.foldSeq !== expectedFoldSeq || known.added.length + deltas.length > KEPT_ROWS) {
    return { state, since: foldSeq, added: [] };
  }
  const row = ({ scope, bucket, counts }: ProfileDelta): ProfileRow => {
    return { scope, bucket, counts, widthMs: HOUR_MS, fromSeq: foldSeq, foldSeq };
  };
  return { state, since: known.since, added: [...known.added, ...deltas.map(row)] };
}

/** @param isOnlyWriter true when no other process can write: then its folds are known without asking */
export function createProfileStore(database: SqlDatabase, isOnlyWriter: boolean): ProfileStore {
  const folds = new RowMemory<KnownFold>(isOnlyWriter);
  const keyOf = (model: string, grid: string) => `${model}\u001f${grid}`;
  const known = (model: string, grid: string) =>
    folds.read(keyOf(model, grid), async () => {
      const state = await readState(database, model, grid);
      return { state, since: state.foldSeq, added: [] };
    });
  return {
    async saveGrid(model, grid, body) {
      await folds.write(() =>
        database.query(
          "insert into profile_grid (model, grid, body) values ($1, $2, $3) on conflict (model, grid) do nothing",
          [model, grid, bodyOf(body)],
        ),
      );
    },
    async grid(model, grid) {
      const { rows } = await database.query("select body from profile_grid where model = $1 and grid = $2", [
        model,
        grid,
      ]);
      return rows[0] === undefined ? undefined : parseBody<Json>(rows[0]["body"]);
    },
    read: async (model, grid) => (await known(model, grid)).state,
    async commit(model, grid, change) {
      if (!isOnlyWriter) return commit(database, model, grid, change);
      const before = await known(model, grid);
      const next = new Map([[keyOf(model, grid), afterCommit(before, change)]]);
      return folds.put(
        () => commit(database, model, grid, change),
        next,
        (isFirst) => isFirst,
      );
    },
    async rows(model, grid, afterSeq) {
      if (isOnlyWriter) {
        const { since, added } = await known(model, grid);
        if (afterSeq >= since) return added.filter((row) => row.foldSeq > afterSeq);
      }
      const { rows } = await database.query(
        `select scope, bucket, width, from_seq, fold_seq, counts from profile
         where model = $1 and grid = $2 and fold_seq > $3 order by fold_seq`,
        [model, grid, afterSeq],
      );
      return rows.map(toRow);
    },
    async collapse(model, grid, before) {
      if (!isOnlyWriter) return collapse(database, model, grid, before);
      const { state } = await known(model, grid);
      const next = new Map([[keyOf(model, grid), { state, since: state.foldSeq, added: [] }]]);
      await folds.put(() => collapse(database, model, grid, before), next);
    },
    async deleteBefore(model, before) {
      await folds.write(() =>
        database.query("delete from profile where model = $1 and bucket + width <= $2", [model, before]),
      );
    },
    keepGrids: (model, grids) =>
      folds.write(async () => {
        await database.query("delete from profile where model = $1 and not grid = any ($2::text[])", [model, grids]);
        await database.query("delete from profile_grid where model = $1 and not grid = any ($2::text[])", [
          model,
          grids,
        ]);
      }),
  };
}
