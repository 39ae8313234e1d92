/** Runs, their steps and traces. Every write names its attempt: a worker that was taken over must not write any more. */
import {
  fail,
  type Instant,
  RUN_STEPS,
  type RunRecord,
  type RunStepRecord,
  type RunStore,
  type TracePoint,
} from "../../core/index.ts";
import { prepared } from "../session.ts";
import { RowMemory } from "./row-memory.ts";
import { bodyOf, Conditions, isUniqueViolation, parseBody, type Queryable, type SqlDatabase } from "../sql.ts";

type RunBody = Omit<RunRecord, "steps" | "attempt">;
const OPEN = ["queued", "running"];

function runUnknown(id: string) {
  return fail("RUN_UNKNOWN", {
    message: `There is no run with the id ${JSON.stringify(id.slice(0, 80))}.`,
    remedy: "List the runs of the model with `retrain runs`.",
  });
}

/**
 * Locks the run's row until the transaction ends and refuses an attempt that was overtaken.
 * @throws RUN_UNKNOWN, ATTEMPT_STALE
 */
export async function fenceAttempt(
  transaction: Queryable,
  id: string,
  attempt: number,
): Promise<{ readonly body: RunBody; readonly attempt: number }> {
  const { rows } = await transaction.query("select attempt, body from run where id = $1 for update", [id]);
  const row = rows[0];
  if (!row) throw runUnknown(id);
  const current = row["attempt"] as number;
  if (current !== attempt) throw attemptStale(id, attempt, current);
  return { body: parseBody<RunBody>(row["body"]), attempt: current };
}

function attemptStale(id: string, attempt: number, current: number) {
  return fail("ATTEMPT_STALE", {
    message: `Attempt ${attempt} of run ${id} wanted to write, but attempt ${current} has taken the run over.`,
    remedy: "Nothing to do: the newer attempt carries the run on.",
    details: { runId: id, attempt, current },
  });
}

function toRun(body: RunBody, attempt: number, steps: readonly RunStepRecord[]): RunRecord {
  return { ...body, attempt, steps };
}

/** Steps in the order of the loop, whatever order they were written in. */
function inOrder(steps: RunStepRecord[]): RunStepRecord[] {
  return steps.sort((left, right) => RUN_STEPS.indexOf(left.step) - RUN_STEPS.indexOf(right.step));
}

const SELECT = `select r.attempt, r.body,
  (select '[' || string_agg(s.body, ',') || ']' from run_step s where s.run_id = r.id) as steps from run r `;
const BY_ID = "where r.id = $1";
const ACTIVE = "where r.model = $1 and r.state in ('queued', 'running')";
const LAST = "where r.model = $1 order by r.position desc limit 1";
// A run that only gates a held version again must not restart the counting of new rows, the cool-down or the daily budget.
const LAST_TRAINING = "where r.model = $1 and r.cause not in ('held', 'import') order by r.position desc limit 1";
for (const tail of [BY_ID, ACTIVE, LAST, LAST_TRAINING]) prepared(SELECT + tail);

async function select(database: Queryable, tail: string, values: readonly (string | readonly string[])[]) {
  const { rows } = await database.query(SELECT + tail, values);
  return rows.map((row) =>
    toRun(
      parseBody<RunBody>(row["body"]),
      row["attempt"] as number,
      row["steps"] === null ? [] : inOrder(parseBody<RunStepRecord[]>(row["steps"])),
    ),
  );
}

async function writeSteps(transaction: Queryable, id: string, steps: readonly RunStepRecord[]): Promise<void> {
  for (const step of steps) {
    await transaction.query(
      `insert into run_step (run_id, step, body) values ($1, $2, $3)
       on conflict (run_id, step) do update set body = excluded.body`,
      [id, step.step, bodyOf(step)],
    );
  }
}

/** Fence and step in one statement: each is a round trip and there are two a step. No row: the run is unknown. */
const RECORD_STEP = prepared(`with fenced as (
       select attempt from run where id = $1 for update
     ), written as (
       insert into run_step (run_id, step, body) select $1, $2, $3 from fenced where attempt = $4
       on conflict (run_id, step) do update set body = excluded.body
     )
     select attempt from fenced`);

async function recordStep(database: SqlDatabase, id: string, attempt: number, step: RunStepRecord): Promise<void> {
  const { rows } = await database.query(RECORD_STEP, [id, step.step, bodyOf(step), attempt]);
  if (rows[0] === undefined) throw runUnknown(id);
  const current = rows[0]["attempt"] as number;
  if (current !== attempt) throw attemptStale(id, attempt, current);
}

async function create(database: SqlDatabase, run: RunRecord): Promise<boolean> {
  const { steps, attempt, ...body } = run;
  try {
    return await database.transaction(async (transaction) => {
      const existing = await transaction.query("select 1 from run where id = $1", [run.id]);
      if (existing.rows.length > 0) return true;
      await transaction.query(
        "insert into run (id, model, state, queued_at, attempt, cause, body) values ($1, $2, $3, $4, $5, $6, $7)",
        [run.id, run.model, run.state, run.queuedAt, attempt, run.cause.trigger, bodyOf(body)],
      );
      await writeSteps(transaction, run.id, steps);
      return true;
    });
  } catch (error) {
    if (isUniqueViolation(error, "run_one_open")) return false;
    // Two creates of the same run raced; the other one won, with the same content.
    if (isUniqueViolation(error, "run_pkey")) return true;
    throw error;
  }
}

async function beginAttempt(database: SqlDatabase, id: string, at: Instant): Promise<number> {
  return database.transaction(async (transaction) => {
    const { rows } = await transaction.query("select attempt, body from run where id = $1 for update", [id]);
    const row = rows[0];
    if (!row) throw runUnknown(id);
    const attempt = (row["attempt"] as number) + 1;
    let body = parseBody<RunBody>(row["body"]);
    // A finished run stays finished: its workflow may be replayed after a crash, and then only reads.
    if (OPEN.includes(body.state)) body = { ...body, state: "running", startedAt: body.startedAt ?? at };
    await transaction.query("update run set attempt = $2, state = $3, body = $4 where id = $1", [
      id,
      attempt,
      body.state,
      bodyOf(body),
    ]);
    return attempt;
  });
}

async function update(
  database: SqlDatabase,
  id: string,
  attempt: number,
  change: Parameters<RunStore["update"]>[2],
): Promise<void> {
  try {
    await database.transaction(async (transaction) => {
      const { body } = await fenceAttempt(transaction, id, attempt);
      const next = { ...body, ...change };
      await transaction.query("update run set state = $2, body = $3 where id = $1", [id, next.state, bodyOf(next)]);
    });
  } catch (error) {
    if (!isUniqueViolation(error, "run_one_open")) throw error;
    throw fail("RUN_ACTIVE", {
      message: `Run ${id} cannot be opened again: its model has another open run.`,
      remedy: "Wait for the open run to end, or cancel it.",
      cause: error,
    });
  }
}

async function appendTrace(
  database: SqlDatabase,
  id: string,
  attempt: number,
  points: readonly TracePoint[],
): Promise<void> {
  if (points.length === 0) return;
  await database.transaction(async (transaction) => {
    await fenceAttempt(transaction, id, attempt);
    // One text with a line per point: canonical JSON holds no raw newline, and the last point of an epoch wins.
    const byEpoch = new Map(points.map((point) => [point.epoch, bodyOf(point)]));
    await transaction.query(
      `insert into run_trace (run_id, epoch, body)
       select $1, e::integer, b from unnest(string_to_array($2, ','), string_to_array($3, E'\\n')) as t (e, b)
       on conflict (run_id, epoch) do update set body = excluded.body`,
      [id, [...byEpoch.keys()].join(","), [...byEpoch.values()].join("\n")],
    );
  });
}

export function createRunStore(database: SqlDatabase, isOnlyWriter: boolean): RunStore {
  const memory = new RowMemory<RunRecord | undefined>(isOnlyWriter);
  /** Asked at every tick; while a run goes on it is written all the time. */
  const newest = (tail: string, model: string) =>
    memory.read(`${tail} ${model}`, async () => (await select(database, tail, [model]))[0]);
  return {
    create: (run) => memory.write(() => create(database, run)),
    get: async (id) => (await select(database, BY_ID, [id]))[0],
    async list(filter) {
      const conditions = new Conditions();
      conditions.addIf("r.model = ?", filter.model);
      conditions.addIf("r.state = any (?::text[])", filter.states);
      conditions.before("run", filter.before);
      const tail = `${conditions.where} order by r.position desc limit ${Math.floor(filter.limit)}`;
      return select(database, tail, conditions.values as readonly (string | readonly string[])[]);
    },
    active: (model) => newest(ACTIVE, model),
    last: (model, options) => newest(options?.training === true ? LAST_TRAINING : LAST, model),
    beginAttempt: (id, at) => memory.write(() => beginAttempt(database, id, at)),
    update: (id, attempt, change) => memory.write(() => update(database, id, attempt, change)),
    recordStep: (id, attempt, step) => memory.write(() => recordStep(database, id, attempt, step)),
    appendTrace: (id, attempt, points) => appendTrace(database, id, attempt, points),
    async trace(id, options) {
      const { rows } = await database.query(
        "select body from run_trace where run_id = $1 and epoch > $2 order by epoch",
        [id, options?.afterEpoch ?? -2_147_483_648],
      );
      return rows.map((row) => parseBody<TracePoint>(row["body"]));
    },
    async countSince(model, since) {
      const { rows } = await database.query(
        "select count(*) as count from run where model = $1 and queued_at >= $2 and cause not in ('held', 'import')",
        [model, since],
      );
      return Number(rows[0]?.["count"]);
    },
  };
}
