/**
 * Claims and answers. A claim is a lease on a slot, taken by one statement over a row lock, so two people never hold one slot;
 * a unique index keeps one person from holding two slots of a task. Every answer locks its task first: what the answers so far
 * mean is computed between that lock and the commit, from all of them.
 */
import {
  type Annotation,
  type ClaimRequest,
  fail,
  type LabelEvent,
  type LabelingStore,
  type LabelingTask,
  type NewAnnotation,
  type RetrainError,
  type Settle,
  type Settlement,
  uuidV7,
} from "../../core/index.ts";
import { prepared } from "../session.ts";
import { bodyOf, parseBody, type Queryable, type SqlDatabase, toNumber } from "../sql.ts";
import { GroupWriter } from "./group-writer.ts";

/** Reviews hold an answer back, so they come before everything else. */
export const REVIEW_PRIORITY = 10;

/** One person's claims and answers run one after the other, also from two windows. */
export const personKey = (model: string, labeler: string) => `labeling ${model} ${labeler}`;

async function lockPerson(transaction: Queryable, model: string, labeler: string): Promise<void> {
  await transaction.query("select pg_advisory_xact_lock(hashtext($1))", [personKey(model, labeler)]);
}

export function unknownTask(id: string): RetrainError {
  return fail("NOT_FOUND", {
    message: `There is no labeling task ${JSON.stringify(id.slice(0, 60))}.`,
    remedy: "Claim tasks, and answer those.",
  });
}

async function lockTask(transaction: Queryable, id: string): Promise<LabelingTask> {
  const { rows } = await transaction.query("select body from labeling_task where id = $1 for update", [id]);
  if (rows[0]) return parseBody<LabelingTask>(rows[0]["body"]);
  throw unknownTask(id);
}

async function claimGold(transaction: Queryable, model: string, labeler: string, expiresAt: number): Promise<void> {
  await transaction.query(
    `insert into labeling_slot (task_id, slot, model, priority, task_position, is_gold, labeler, expires_at)
     select t.id, coalesce((select max(slot) + 1 from labeling_slot o where o.task_id = t.id), 0), t.model, 0, t.position,
       true, $2, $3
     from labeling_task t
     where t.model = $1 and t.origin = 'gold' and t.state = 'open'
       and not exists (select 1 from labeling_annotation a where a.task_id = t.id and a.labeler = $2 and not a.undone)
       and not exists (select 1 from labeling_slot s where s.task_id = t.id and s.labeler = $2)
     order by t.position limit 1 on conflict do nothing`,
    [model, labeler, expiresAt],
  );
}

/**
 * Claims of one person run one after the other. Without fresh statistics, which an embedded database seldom has, the planner takes
 * the free slots for a handful, reads all of them and sorts: a claim then costs four times the processor time with 8,000
 * waiting. The settings are local to the transaction.
 */
const BEGIN_CLAIMS = prepared(`select count(pg_advisory_xact_lock(h)), set_config('enable_sort', 'off', true),
  set_config('enable_bitmapscan', 'off', true)
  from (select distinct hashtext(k) as h from unnest($1::text[]) k order by 1) sorted`);

/**
 * What the person holds is renewed, what is missing is taken, and all of it comes back: one statement, since every round trip of a
 * transaction keeps all others waiting. A lease of one's own that ended is as free as any; a gold question stays one's own.
 */
const CLAIM = prepared(`with held as (
    update labeling_slot set expires_at = $4
    where model = $1 and labeler = $2 and not answered and (is_gold or expires_at >= $3)
    returning task_id, priority, task_position),
  chosen as (
    select s.task_id, s.slot from labeling_slot s
    where s.model = $1 and not s.is_gold and not s.answered and s.expires_at < $3 and s.priority >= $6
      and not exists (select 1 from labeling_slot p where p.task_id = s.task_id and p.slot < s.slot
        and not p.answered and p.expires_at < $3 and s.labeler is distinct from $2)
      and not exists (select 1 from labeling_slot o where o.task_id = s.task_id and o.labeler = $2
        and o.slot <> s.slot)
      and not exists (select 1 from labeling_annotation a where a.task_id = s.task_id and a.labeler = $2 and not a.undone)
    order by s.priority desc, s.task_position, s.slot
    limit greatest($5::int - (select count(*) from held where priority >= $6), 0) for update of s skip locked),
  taken as (
    update labeling_slot s set labeler = $2, expires_at = $4 from chosen
    where s.task_id = chosen.task_id and s.slot = chosen.slot
    returning s.task_id, s.priority, s.task_position)
  select t.body from (select * from held where priority >= $6 union all select * from taken) s
  join labeling_task t on t.id = s.task_id
  order by s.priority desc, s.task_position limit $5`);

/** Labels an answer leads to leave through the log; the row waits until they are there. */
async function writeEffect(transaction: Queryable, task: LabelingTask, event: LabelEvent): Promise<void> {
  const id = uuidV7(event.at);
  await transaction.query("insert into labeling_effect (id, model, body) values ($1, $2, $3)", [
    id,
    task.model,
    bodyOf({ id, model: task.model, event }),
  ]);
}

export function labelEventOf(task: LabelingTask, value: LabelEvent["value"], at: number, comment?: string): LabelEvent {
  return {
    kind: "label",
    exampleId: task.exampleId,
    at,
    value,
    labelSource: "expert",
    ...(comment === undefined || comment === "" ? {} : { comment }),
    ...(task.origin === "random" ? {} : { selective: true as const }),
  };
}

/** The task as the settlement leaves it. */
export function settledTask(task: LabelingTask, settlement: Settlement, at: number): LabelingTask {
  const { label: _label, ...change } = settlement;
  const { answer: _answer, closedAt: _closedAt, closedBy: _closedBy, ...kept } = task;
  const isClosed = change.state === "done" || change.state === "discarded";
  return { ...kept, ...change, ...(isClosed ? { closedAt: at } : {}) };
}

/** Applies what the answers mean: state, further slots, label. */
async function applySettlement(
  transaction: Queryable,
  task: LabelingTask,
  settlement: Settlement,
  cause: { readonly at: number; readonly comment?: string },
): Promise<LabelingTask> {
  const { label } = settlement;
  const next = settledTask(task, settlement, cause.at);
  const isClosed = next.state === "done" || next.state === "discarded";
  await transaction.query("update labeling_task set state = $2, body = $3 where id = $1", [
    task.id,
    next.state,
    bodyOf(next),
  ]);
  if (task.origin === "gold") {
    // Everybody has a slot of their own; an answer that was taken back frees it.
    await transaction.query(
      `delete from labeling_slot s where task_id = $1 and answered
       and not exists (select 1 from labeling_annotation a where a.task_id = $1 and a.labeler = s.labeler and not a.undone)`,
      [task.id],
    );
  } else {
    if (next.state === "open") {
      await transaction.query(
        `update labeling_slot s set answered = false, labeler = null, expires_at = 0 where task_id = $1 and answered
         and not exists (select 1 from labeling_annotation a where a.task_id = $1 and a.labeler = s.labeler and not a.undone)`,
        [task.id],
      );
      // A third opinion, or an answer that was taken back: as many slots as people are asked.
      await transaction.query(
        `insert into labeling_slot (task_id, slot, model, priority, task_position, is_gold)
         select t.id, slot, t.model, 0, t.position, false
         from labeling_task t, generate_series(0, $2::int - 1) as slot where t.id = $1
         on conflict do nothing`,
        [task.id, next.needed],
      );
    } else {
      await transaction.query(
        "delete from labeling_slot where task_id = $1 and not answered and (labeler is null or $2)",
        [task.id, isClosed],
      );
    }
  }
  if (label !== undefined) await writeEffect(transaction, task, labelEventOf(task, label, cause.at, cause.comment));
  return next;
}

async function standingAnnotations(transaction: Queryable, taskId: string): Promise<Annotation[]> {
  const { rows } = await transaction.query(
    "select body from labeling_annotation where task_id = $1 and not undone order by position",
    [taskId],
  );
  return rows.map((row) => parseBody<Annotation>(row["body"]));
}

/** An adjudicator's word: it needs no slot, and takes the place of an earlier one. */
async function adjudicate(database: SqlDatabase, annotation: NewAnnotation, settle: Settle) {
  return database.transaction(async (transaction) => {
    const { taskId, labeler, at, model: expected } = annotation;
    const task = await lockTask(transaction, taskId);
    if (expected !== undefined && expected !== task.model) throw unknownTask(taskId);
    const before = await standingAnnotations(transaction, taskId);
    const own = before.find((one) => one.labeler === labeler);
    if (own !== undefined && own.kind === "adjudication" && own.value === annotation.value)
      return { annotation: own, task };
    await transaction.query(
      `update labeling_annotation set undone = true, body = replace(body, '"undone":false', '"undone":true')
       where task_id = $1 and not undone and (labeler = $2 or body like '%"kind":"adjudication"%')`,
      [taskId, labeler],
    );
    const { model, exampleId, origin } = task;
    const written: Annotation = { ...annotation, id: uuidV7(at), model, exampleId, origin, undone: false };
    await transaction.query(
      "insert into labeling_annotation (id, task_id, model, labeler, undone, body) values ($1, $2, $3, $4, false, $5)",
      [written.id, taskId, model, labeler, bodyOf(written)],
    );
    const settlement = settle(task, await standingAnnotations(transaction, taskId));
    const next = await applySettlement(transaction, task, settlement, annotation);
    return { annotation: written, task: next };
  });
}

async function undo(database: SqlDatabase, request: Parameters<LabelingStore["undo"]>[0], settle: Settle) {
  const { model, labeler, annotationId, now, leaseMs, at } = request;
  return database.transaction(async (transaction) => {
    await lockPerson(transaction, model, labeler);
    const { rows } = await transaction.query(
      `select body from labeling_annotation where model = $1 and labeler = $2 and not undone
       and ($3 = '' or id = $3) order by position desc limit 1`,
      [model, labeler, annotationId ?? ""],
    );
    if (!rows[0]) {
      throw fail("NOT_FOUND", {
        message: `${labeler} has no ${annotationId === undefined ? "answer" : "such answer"} to take back.`,
        remedy: "Only one's own answers can be undone; an adjudicator can overrule others.",
      });
    }
    const annotation = { ...parseBody<Annotation>(rows[0]["body"]), undone: true };
    const task = await lockTask(transaction, annotation.taskId);
    await transaction.query("update labeling_annotation set undone = true, body = $2 where id = $1", [
      annotation.id,
      bodyOf(annotation),
    ]);
    const settlement = settle(task, await standingAnnotations(transaction, task.id));
    const next = await applySettlement(transaction, task, settlement, { at });
    if (next.state === "open" && task.origin !== "gold") {
      // In their hands again, unless others have taken every free slot meanwhile.
      await transaction.query(
        `update labeling_slot set labeler = $2, expires_at = $4 where task_id = $1 and slot =
           (select min(slot) from labeling_slot where task_id = $1 and not answered and expires_at < $3)`,
        [task.id, labeler, now, now + leaseMs],
      );
    }
    return { annotation, task: next };
  });
}

async function claimAll(transaction: Queryable, requests: readonly ClaimRequest[]) {
  await transaction.query(BEGIN_CLAIMS, [requests.map(({ model, labeler }) => personKey(model, labeler))]);
  const claimed: { readonly result: readonly LabelingTask[] }[] = [];
  for (const { model, labeler, count, now, leaseMs, gold, reviewsOnly } of requests) {
    const lowest = reviewsOnly === true ? REVIEW_PRIORITY : 0;
    const expiresAt = now + leaseMs;
    if (gold && lowest === 0) await claimGold(transaction, model, labeler, expiresAt);
    const { rows } = await transaction.query(CLAIM, [model, labeler, now, expiresAt, Math.max(count, 0), lowest]);
    claimed.push({ result: rows.map((row) => parseBody<LabelingTask>(row["body"])) });
  }
  return claimed;
}

export function claimMethods(database: SqlDatabase): Pick<LabelingStore, "claim" | "release" | "undo"> & {
  readonly adjudicate: LabelingStore["annotate"];
} {
  const claims = new GroupWriter(database, ({ model, labeler }: ClaimRequest) => personKey(model, labeler), claimAll);
  return {
    claim: (request) => claims.submit(request),
    async release(model, labeler, taskIds) {
      const { rowCount } = await database.query(
        `update labeling_slot set labeler = null, expires_at = 0
         where model = $1 and labeler = $2 and not answered and ($3 or task_id = any($4))`,
        [model, labeler, taskIds === undefined, taskIds ?? []],
      );
      return toNumber(rowCount);
    },
    adjudicate: (annotation, settle) => adjudicate(database, annotation, settle),
    undo: (request, settle) => undo(database, request, settle),
  };
}
