/**
 * What answers do to tasks. A claim is a lease on a slot (next door), taken over a row lock, so two people never hold one slot;
 * a unique index keeps one person from holding two slots of a task. Every answer locks its task first: what the answers so far
 * mean is computed between that lock and the commit, from all of them.
 */
import {
  type Annotation,
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
import { bodyOf, parseBody, type Queryable, type SqlDatabase, toNumber } from "../sql.ts";
import { leaseWriter, personKey } from "./labeling-leases.ts";

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

export function claimMethods(database: SqlDatabase): Pick<LabelingStore, "claim" | "release" | "undo"> & {
  readonly adjudicate: LabelingStore["annotate"];
} {
  const claims = leaseWriter(database);
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
