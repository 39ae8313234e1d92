/** Every automatic judgement. A rule that says the same thing tick after tick is one record that is counted up, not thousands. */
import { type DecisionRecord, type DecisionStore, type NewDecision, uuidV7 } from "../../core/index.ts";
import { prepared } from "../session.ts";
import { bodyOf, Conditions, parseBody, type Queryable, type SqlDatabase, type SqlRow, toNumber } from "../sql.ts";

import { type SettingMemory, settingLines, settingTexts, writeSettings } from "./settings.ts";

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

/** Several decisions of different rules at once: the same for each as `RECORD`, without a round trip each. */
const RECORD_ALL = prepared(`with kept as (
       insert into setting (key, value)
       select k, v from unnest(string_to_array($10, E'\\n'), string_to_array($11, E'\\n')) as t (k, v)
       on conflict (key) do update set value = excluded.value
     ), given as (
       select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[])
         with ordinality as t (id, model, kind, subject, outcome, reason, run_id, at, body, n)
     ), extended as (
       update decision d set count = d.count + 1, last_at = greatest(d.last_at, g.at), body = g.body
       from given g cross join lateral (
         select position from decision where model = g.model and kind = g.kind and subject = g.subject
         order by position desc limit 1) last
       where d.position = last.position and d.outcome = g.outcome and d.reason = g.reason and d.run_id is not distinct from g.run_id
       returning g.n, d.id, d.first_at, d.last_at, d.count, d.body
     ), inserted as (
       insert into decision (id, model, kind, subject, outcome, reason, run_id, first_at, last_at, count, body)
       select id, model, kind, subject, outcome, reason, run_id, at, at, 1, body from given g
       where not exists (select 1 from extended e where e.n = g.n) order by n
       returning id, first_at, last_at, count, body
     )
     select * from extended
     union all select g.n, i.* from inserted i join given g on g.id = i.id
     order by n`);

async function recordAll(
  database: SqlDatabase,
  decisions: readonly NewDecision[],
  settings: ReadonlyMap<string, unknown>,
): Promise<DecisionRecord[]> {
  const rules = new Set(decisions.map(({ model, kind, subject }) => [model, kind, subject].join("\u001f")));
  if (decisions.length + settings.size < 2 || rules.size < decisions.length) {
    // A rule that speaks twice: its second record is judged by its first, which one statement does not see.
    const records: DecisionRecord[] = [];
    for (const decision of decisions) records.push(await recordDecision(database, decision));
    await writeSettings(database, settings);
    return records;
  }
  const given = decisions.map(({ at, ...rest }) => ({ ...rest, at, id: uuidV7(at) }));
  const texts = (text: (decision: (typeof given)[number]) => string) => given.map(text);
  const { rows } = await database.query(RECORD_ALL, [
    texts((decision) => decision.id),
    texts((decision) => decision.model),
    texts((decision) => decision.kind),
    texts((decision) => decision.subject),
    texts((decision) => decision.outcome),
    texts((decision) => decision.reason),
    given.map((decision) => decision.runId ?? null),
    given.map((decision) => decision.at),
    texts(({ at: _, ...body }) => bodyOf(body)),
    ...settingLines(settings),
  ]);
  return rows.map(toDecision);
}

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

export function createDecisionStore(database: SqlDatabase, memory: SettingMemory): DecisionStore {
  return {
    record: (decision) => recordDecision(database, decision),
    recordAll(decisions, settings = {}) {
      const texts = settingTexts(settings);
      return memory.put(() => recordAll(database, decisions, texts), texts);
    },
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
