/** Every automatic judgement. A rule that says the same thing tick after tick is one record that is counted up, not thousands. */
import { type DecisionRecord, type DecisionStore, type NewDecision, uuidV7 } from "../../core/index.ts";
import { prepared } from "../session.ts";
import { bodyOf, Conditions, parseBody, type Queryable, type SqlDatabase, type SqlRow, toNumber } from "../sql.ts";

type DecisionBody = Omit<DecisionRecord, "firstAt" | "lastAt" | "count">;

function toDecision(row: SqlRow): DecisionRecord {
  return {
    ...parseBody<DecisionBody>(row["body"]),
    id: row["id"] as string,
    firstAt: toNumber(row["first_at"]),
    lastAt: toNumber(row["last_at"]),
    count: toNumber(row["count"]),
  };
}

const RECORD = prepared(`with last as (
       select position, outcome, reason, run_id from decision
       where model = $2 and kind = $3 and subject = $4 order by position desc limit 1
     ), extended as (
       update decision d set count = d.count + 1, last_at = greatest(d.last_at, $8), body = $9
       from last where d.position = last.position and last.outcome = $5 and last.reason = $6
         and last.run_id is not distinct from $7
       returning d.id, d.first_at, d.last_at, d.count, d.body
     ), inserted as (
       insert into decision (id, model, kind, subject, outcome, reason, run_id, first_at, last_at, count, body)
       select $1, $2, $3, $4, $5, $6, $7, $8, $8, 1, $9 where not exists (select 1 from extended)
       returning id, first_at, last_at, count, body
     )
     select * from extended union all select * from inserted`);

/** One statement, so that it can stand in a transaction of others (a promotion) and costs one round trip in a tick. */
export async function recordDecision(database: Queryable, decision: NewDecision): Promise<DecisionRecord> {
  const { at, ...rest } = decision;
  const id = uuidV7(at);
  const body: DecisionBody = { ...rest, id };
  const { rows } = await database.query(RECORD, [
    id,
    decision.model,
    decision.kind,
    decision.subject,
    decision.outcome,
    decision.reason,
    decision.runId ?? null,
    at,
    bodyOf(body),
  ]);
  return toDecision(rows[0] as SqlRow);
}

export function createDecisionStore(database: SqlDatabase): DecisionStore {
  return {
    record: (decision) => recordDecision(database, decision),
    async list(filter) {
      const conditions = new Conditions();
      conditions.addIf("model = ?", filter.model);
      conditions.addIf("kind = ?", filter.kind);
      conditions.addIf("run_id = ?", filter.runId);
      conditions.before("decision", filter.before);
      const { rows } = await database.query(
        `select id, first_at, last_at, count, body from decision ${conditions.where}
         order by position desc limit ${Math.floor(filter.limit)}`,
        conditions.values,
      );
      return rows.map(toDecision);
    },
    async deleteBefore(before) {
      const { rows } = await database.query(
        "with gone as (delete from decision where last_at < $1 returning 1) select count(*) as count from gone",
        [before],
      );
      return Number(rows[0]?.["count"] ?? 0);
    },
  };
}
