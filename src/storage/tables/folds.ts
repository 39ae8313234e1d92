/**
 * Where folds stand, and the counters they write as deltas. A fold commits by compare-and-set on its number, so of two folders
 * one wins and the other begins again; deltas keep the fold that wrote them, so a sum can leave out what was not yet known.
 */
import type { CounterDelta, FoldStore, Instant, LabelEvent, LoggedEvent, PendingLabel } from "../../core/index.ts";
import { prepared } from "../session.ts";
import { bodyOf, parseBody, type Queryable, type SqlDatabase, type SqlRow, toNumber } from "../sql.ts";
import { FoldMemory } from "./fold-memory.ts";
import { RowMemory } from "./row-memory.ts";
import { addRows, FoldSums, type Sum, toDeltas } from "./fold-sums.ts";

type Change = Parameters<FoldStore["commit"]>[2];
type CounterQuery = Parameters<FoldStore["counters"]>[0];

/** The counters of one statement as joined texts: names, versions and canonical JSON hold no raw newline. */
function counterColumns(counters: readonly CounterDelta[]): string[] {
  const lines = (text: (delta: CounterDelta) => string) => counters.map(text).join("\n");
  return [
    lines((delta) => delta.counter),
    lines((delta) => `v${delta.version}`),
    lines((delta) => String(delta.bucket)),
    lines((delta) => bodyOf(delta.values)),
  ];
}

/** Compare-and-set, history and counters in one statement; nothing of it happens when another folder was first. */
const COMMIT = prepared(`
with moved as (
  insert into fold (model, fold, fold_seq, cursor_xid, cursor_seq, known_through, state)
  select $1::text, $2::text, $3::bigint + 1, $4::bigint, $5::bigint, $6::bigint, $7::text
  where $3::bigint = 0 or exists (select 1 from fold where model = $1 and fold = $2)
  on conflict (model, fold) do update set fold_seq = excluded.fold_seq, cursor_xid = excluded.cursor_xid,
    cursor_seq = excluded.cursor_seq, known_through = excluded.known_through, state = excluded.state
    where fold.fold_seq = $3::bigint
  returning fold_seq
), noted as (
  insert into fold_commit (model, fold, fold_seq, known_through, cursor_xid)
  select $1, $2, fold_seq, $6, $4 from moved
), counted as (
  insert into counter (model, counter, fold, from_seq, fold_seq, version, bucket, known_through, "values")
  select $1, c, $2, fold_seq, fold_seq, substr(v, 2), b::bigint, $6, d
  from moved, unnest(string_to_array($8, E'\\n'), string_to_array($9, E'\\n'), string_to_array($10, E'\\n'),
    string_to_array($11, E'\\n')) as t (c, v, b, d)
)
select fold_seq from moved`);

async function move(database: Queryable, model: string, fold: string, change: Change): Promise<boolean> {
  const { rows } = await database.query(COMMIT, [
    model,
    fold,
    change.expectedFoldSeq,
    change.cursor.transactionId.toString(),
    change.cursor.seq.toString(),
    change.knownThrough,
    bodyOf(change.state),
    ...counterColumns(change.counters),
  ]);
  return rows.length > 0;
}

async function changePending(transaction: Queryable, model: string, change: Change): Promise<void> {
  const { addPending = [], removePending = [] } = change;
  if (removePending.length > 0) {
    await transaction.query("delete from pending_label where model = $1 and key = any ($2::text[])", [
      model,
      removePending.map(escapeKey),
    ]);
  }
  if (addPending.length === 0) return;
  const lines = (text: (pending: PendingLabel) => string) => addPending.map(text).join("\n");
  await transaction.query(
    `insert into pending_label (model, key, xid, seq, body)
     select $1, k, x::bigint, s::bigint, b
     from unnest($2::text[], string_to_array($3, E'\\n'), string_to_array($4, E'\\n'), string_to_array($5, E'\\n')) as t (k, x, s, b)
     on conflict do nothing`,
    [
      model,
      addPending.map(({ key }) => escapeKey(key)),
      lines(({ label }) => label.transactionId.toString()),
      lines(({ label }) => label.seq.toString()),
      lines(({ key, label }) => bodyOf({ key, label })),
    ],
  );
}

async function hasPending(database: Queryable, model: string): Promise<boolean> {
  const { rows } = await database.query(
    prepared("select exists (select 1 from pending_label where model = $1) as some"),
    [model],
  );
  return rows[0]?.["some"] as boolean;
}

/** Keys hold ids as users made them; PostgreSQL takes no NUL and no lone surrogate. */
function escapeKey(key: string): string {
  return JSON.stringify(key);
}

function toPending(row: SqlRow): PendingLabel {
  const { key, label } = parseBody<{ key: string; label: LoggedEvent<LabelEvent> }>(row["body"]);
  return {
    key,
    label: { ...label, transactionId: BigInt(row["xid"] as number), seq: BigInt(row["seq"] as number) },
  };
}

/** True when the sum of the folds known by `asOf` holds all and only what had been received by then. */
async function isExact(
  database: Queryable,
  query: CounterQuery & { asOf: Instant },
  folds: readonly string[],
  hasEvents: HasEvents,
) {
  for (const fold of folds) {
    const { rows } = await database.query(
      `with later as (
         select min(fold_seq) as seq from fold_commit where model = $1 and fold = $2 and known_through > $3
       )
       select l.seq as later_seq, (select collapsed from fold_commit where model = $1 and fold = $2 and fold_seq = l.seq) as collapsed,
         (select max(known_through) from fold_commit where model = $1 and fold = $2 and fold_seq < l.seq) as known_before,
         exists (select 1 from fold_commit where model = $1 and fold = $2 and fold_seq > l.seq and known_through <= $3) as disordered,
         exists (
           select 1 from import_mark m where m.model = $1 and m.min_received_at <= $3 and (
             select c.known_through from fold_commit c
             where c.model = $1 and c.fold = $2 and c.cursor_xid >= m.xid::text::bigint order by c.fold_seq limit 1) > $3
         ) as imported
       from later l`,
      [query.model, fold, query.asOf],
    );
    const row = rows[0] as SqlRow;
    if (row["later_seq"] === null) continue;
    if (row["collapsed"] || row["disordered"] || row["imported"]) return false;
    const since = row["known_before"] === null ? undefined : toNumber(row["known_before"]);
    if (await hasEvents(query.model, since, query.asOf)) return false;
  }
  return true;
}

/** Whether the model has events received in (since, until]. */
export type HasEvents = (model: string, since: Instant | undefined, until: Instant) => Promise<boolean>;

async function countersAsOf(database: Queryable, query: CounterQuery & { asOf: Instant }, hasEvents: HasEvents) {
  const { rows } = await database.query(
    `select fold, version, bucket, known_through, "values" from counter where model = $1 and counter = $2 and known_through <= $3`,
    [query.model, query.counter, query.asOf],
  );
  const folds = await database.query("select distinct fold from counter where model = $1 and counter = $2", [
    query.model,
    query.counter,
  ]);
  const sums = new Map<string, Sum>();
  addRows(sums, rows);
  const names = folds.rows.map((row) => row["fold"] as string);
  return {
    rows: toDeltas(query.counter, sums.values(), query),
    exact: await isExact(database, query, names, hasEvents),
  };
}

/** Sums the deltas of one counter's old folds into one row per (version, bucket). */
async function collapseCounter(transaction: Queryable, model: string, counter: string, fold: string, before: Instant) {
  const { rows } = await transaction.query(
    `delete from counter where model = $1 and counter = $2 and fold = $3 and known_through < $4
     returning from_seq, fold_seq, version, bucket, known_through, "values"`,
    [model, counter, fold, before],
  );
  if (rows.length === 0) return;
  const sums = new Map<string, Sum>();
  addRows(sums, rows);
  const greatest = (name: string) => rows.reduce((most, row) => Math.max(most, toNumber(row[name])), 0);
  const fromSeq = rows.reduce((least, row) => Math.min(least, toNumber(row["from_seq"])), Number.MAX_SAFE_INTEGER);
  const deltas = toDeltas(counter, sums.values(), {});
  const [, versions, buckets, values] = counterColumns(deltas);
  await transaction.query(
    `insert into counter (model, counter, fold, from_seq, fold_seq, version, bucket, known_through, "values")
     select $1, $2, $3, $4, $5, substr(v, 2), b::bigint, $6, d
     from unnest(string_to_array($7, E'\\n'), string_to_array($8, E'\\n'), string_to_array($9, E'\\n')) as t (v, b, d)`,
    [
      model,
      counter,
      fold,
      fromSeq,
      greatest("fold_seq"),
      greatest("known_through"),
      versions as string,
      buckets as string,
      values as string,
    ],
  );
}

async function collapse(database: SqlDatabase, model: string, before: Instant): Promise<void> {
  const { rows } = await database.query(
    "select counter, fold from counter where model = $1 and known_through < $2 group by counter, fold having count(*) > 1",
    [model, before],
  );
  for (const row of rows) {
    await database.transaction((transaction) =>
      collapseCounter(transaction, model, row["counter"] as string, row["fold"] as string, before),
    );
  }
  await database.query(
    `with newest as (
       select fold, max(fold_seq) as seq from fold_commit where model = $1 and known_through < $2 group by fold
     ), marked as (
       update fold_commit c set collapsed = true from newest n where c.model = $1 and c.fold = n.fold and c.fold_seq = n.seq
     )
     delete from fold_commit c using newest n where c.model = $1 and c.fold = n.fold and c.fold_seq < n.seq`,
    [model, before],
  );
  // An import that every fold has summed into its collapsed row cannot make a later as-of view wrong any more.
  await database.query(
    `delete from import_mark m where m.model = $1 and m.xid::text::bigint <= (
       select min(cursor_xid) from fold_commit c where c.model = $1 and c.collapsed)`,
    [model],
  );
}

async function commit(database: SqlDatabase, model: string, fold: string, change: Change): Promise<boolean> {
  const hasPending = (change.addPending?.length ?? 0) + (change.removePending?.length ?? 0) > 0;
  if (!hasPending) return move(database, model, fold, change);
  return database.transaction(async (transaction) => {
    const isFirst = await move(transaction, model, fold, change);
    if (isFirst) await changePending(transaction, model, change);
    return isFirst;
  });
}

export function createFoldStore(database: SqlDatabase, isOnlyWriter: boolean, hasEvents: HasEvents): FoldStore {
  const sums = new FoldSums(database, isOnlyWriter);
  const memory = new FoldMemory(database, isOnlyWriter);
  /** Models known to have no label that waits: nearly all, whose labels come after their predictions. */
  const waiting = new RowMemory<boolean>(isOnlyWriter);
  const anyPending = (model: string) =>
    waiting.read(
      model,
      () => hasPending(database, model),
      (some) => !some,
    );
  return {
    read: (model, fold) => memory.state(model, fold),
    async commit(model, fold, change) {
      const before = memory.forget(model, fold);
      try {
        const work = () => commit(database, model, fold, change);
        const adds = (change.addPending?.length ?? 0) > 0;
        const isFirst = adds ? await waiting.write(work, [model]) : await work();
        // Forgotten again otherwise: a reader may have asked between, and have been told of the time before.
        if (isFirst) memory.remember(model, fold, change, before);
        else memory.forget(model, fold);
        const won = isFirst ? { foldSeq: change.expectedFoldSeq + 1, counters: change.counters } : undefined;
        sums.noteCommit(model, fold, won);
        return isFirst;
      } catch (error) {
        memory.forget(model, fold);
        sums.noteCommit(model, fold);
        throw error;
      }
    },
    async counters(query) {
      const { asOf } = query;
      if (asOf !== undefined && (await memory.newest(query.model)) > asOf) {
        return countersAsOf(database, { ...query, asOf }, hasEvents);
      }
      return { rows: toDeltas(query.counter, await sums.current(query.model, query.counter), query), exact: true };
    },
    hasPending: anyPending,
    async pendingLabels(model, keys) {
      if (keys.length === 0 || !(await anyPending(model))) return [];
      const { rows } = await database.query(
        "select xid, seq, body from pending_label where model = $1 and key = any ($2::text[]) order by xid, seq",
        [model, keys.map(escapeKey)],
      );
      return rows.map(toPending);
    },
    async pendingCount(model) {
      const { rows } = await database.query("select count(*) as count from pending_label where model = $1", [model]);
      return toNumber(rows[0]?.["count"]);
    },
    collapse: (model, before) => collapse(database, model, before),
  };
}
