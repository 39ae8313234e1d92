/** Rows that broke the schema, and the batches they came in. Both are written by the log, in the transaction of the events. */
import type { BatchRecord, QuarantinedRow, QuarantineStore } from "../../core/index.ts";
import { bodyOf, Conditions, listBodies, parseBody, type Queryable, type SqlDatabase } from "../sql.ts";

type QuarantineBody = Omit<QuarantinedRow, "state">;

/** Idempotent by id, so that a request which is retried in a smaller transaction writes them once. */
export async function insertQuarantined(transaction: Queryable, rows: readonly QuarantinedRow[]): Promise<void> {
  if (rows.length === 0) return;
  const bodies = rows.map(({ state: _state, ...body }) => bodyOf(body));
  await transaction.query(
    `insert into quarantine (id, model, state, body)
     select i, m, s, b
     from unnest($1::text[], $2::text[], $3::text[], string_to_array($4, E'\\n')) with ordinality as t (i, m, s, b, n)
     order by n on conflict (id) do nothing`,
    [rows.map((row) => row.id), rows.map((row) => row.model), rows.map((row) => row.state), bodies.join("\n")],
  );
}

export async function insertBatches(transaction: Queryable, batches: readonly BatchRecord[]): Promise<void> {
  if (batches.length === 0) return;
  await transaction.query(
    `insert into batch (id, model, body)
     select i, m, b from unnest($1::text[], $2::text[], string_to_array($3, E'\\n')) with ordinality as t (i, m, b, n)
     order by n on conflict (id) do nothing`,
    [
      batches.map((batch) => batch.id),
      batches.map((batch) => batch.model),
      batches.map((batch) => bodyOf(batch)).join("\n"),
    ],
  );
}

export function createQuarantineStore(database: SqlDatabase): QuarantineStore {
  return {
    async list(filter) {
      const conditions = new Conditions();
      conditions.add("model = ?", filter.model);
      conditions.addIf("state = ?", filter.state);
      conditions.before("quarantine", filter.before);
      const { rows } = await database.query(
        `select state, body from quarantine ${conditions.where}
         order by position desc limit ${Math.floor(filter.limit)}`,
        conditions.values,
      );
      return rows.map((row) => ({
        ...parseBody<QuarantineBody>(row["body"]),
        state: row["state"] as QuarantinedRow["state"],
      }));
    },
    async count(model) {
      const { rows } = await database.query(
        "select count(*) as count from quarantine where model = $1 and state = 'waiting'",
        [model],
      );
      return Number(rows[0]?.["count"]);
    },
    async mark(ids, state) {
      if (ids.length === 0) return;
      await database.query("update quarantine set state = $2 where id = any ($1::text[])", [ids, state]);
    },
    async batches(filter) {
      const conditions = new Conditions();
      conditions.add("model = ?", filter.model);
      conditions.before("batch", filter.before);
      return listBodies<BatchRecord>(database, "batch", conditions, filter.limit);
    },
  };
}
