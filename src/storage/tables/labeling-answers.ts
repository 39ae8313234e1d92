/**
 * Answers, many of them in one transaction of three statements. What an answer means is decided between the lock on its task and
 * the commit, from everything said of it.
 */
import {
  type Annotation,
  fail,
  type LabelEvent,
  type LabelingTask,
  type NewAnnotation,
  type Settle,
  uuidV7,
} from "../../core/index.ts";
import { prepared } from "../session.ts";
import { bodyOf, parseBody, type Queryable, type SqlDatabase } from "../sql.ts";
import { GroupWriter, type Settled } from "./group-writer.ts";
import { labelEventOf, settledTask, unknownTask } from "./labeling-claims.ts";
import { personKey } from "./labeling-leases.ts";

interface Answered {
  readonly annotation: Annotation;
  readonly task: LabelingTask;
}
interface Answer {
  readonly annotation: NewAnnotation;
  readonly settle: Settle;
}
/** What became of one answer, and what is to be written for it. Nothing is written for a repeated one. */
interface Decided extends Answered {
  readonly change?: {
    /** The slot is answered, free again, or gone with the task's last question. */
    readonly fate: "answer" | "free" | "drop";
    readonly isClosed: boolean;
    /** The task leaves the queue: slots nobody holds go. */
    readonly isLeaving: boolean;
    readonly isWider: boolean;
    readonly label?: LabelEvent;
  };
}

/**
 * Persons first, then tasks, then slots, each in order: so two transactions never wait for each other in a circle. The bodies are those
 * of the locked rows; whether the slot is held is looked at under its own lock, which a claim of somebody else would need.
 */
const LOCK = prepared(`with persons as materialized (
    select pg_advisory_xact_lock(h) from (select distinct hashtext(k) as h from unnest($1::text[]) k order by 1) sorted),
  tasks as materialized (
    select id, body from labeling_task where id = any($2::text[]) and (select count(*) from persons) >= 0
    order by id for update),
  held as materialized (
    select s.task_id from unnest($2::text[], $3::text[]) as p (t, l)
    join labeling_slot s on s.task_id = p.t and s.labeler = p.l
    where not s.answered and (select count(*) from tasks) >= 0 for update of s)
  select t.id, t.body, exists (select 1 from held where held.task_id = t.id) as is_held from tasks t`);

/** A statement of its own: it must see what others committed while the locks were waited for. */
const STANDING = prepared(
  "select task_id, body from labeling_annotation where task_id = any($1::text[]) and not undone order by position",
);

const WRITE = prepared(`with change as materialized (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::int[],
      string_to_array($10, E'\\n'), string_to_array($11, E'\\n')) with ordinality
      as t (task, model, labeler, annotation, fate, state, is_closed, is_leaving, needed, task_body, annotation_body, n)),
  noted as (
    insert into labeling_annotation (id, task_id, model, labeler, undone, body)
    select annotation, task, model, labeler, false, annotation_body from change order by n),
  settled as (
    update labeling_task t set state = c.state, body = c.task_body from change c where t.id = c.task),
  slots as (
    update labeling_slot s set answered = c.fate = 'answer', labeler = case when c.fate = 'answer' then s.labeler end,
      expires_at = case when c.fate = 'answer' then s.expires_at else 0 end
    from change c where s.task_id = c.task and s.labeler = c.labeler and not s.answered and c.fate <> 'drop'),
  freed as (
    delete from labeling_slot s using change c where s.task_id = c.task and not s.answered
      and case when s.labeler = c.labeler then c.fate = 'drop' else c.is_closed::boolean or (c.is_leaving::boolean and s.labeler is null) end),
  wider as (
    insert into labeling_slot (task_id, slot, model, priority, task_position, is_gold)
    select t.id, slot, t.model, 0, t.position, false
    from change c join labeling_task t on t.id = c.task, generate_series(0, c.needed - 1) as slot
    on conflict do nothing)
  insert into labeling_effect (id, model, body)
  select i, m, b from unnest($12::text[], $13::text[], string_to_array($14, E'\\n')) with ordinality as t (i, m, b, n) order by n`);

/** Answers, skips and flags; an adjudicator's word goes its own way. */
export const answerWriter = (database: SqlDatabase) =>
  new GroupWriter<Answer, Answered>(database, ({ annotation }) => annotation.taskId, writeAll);

async function writeAll(transaction: Queryable, batch: readonly Answer[]): Promise<readonly Settled<Answered>[]> {
  const taskIds = batch.map(({ annotation }) => annotation.taskId);
  const locked = await transaction.query(LOCK, [
    batch.map(({ annotation }) => personKey(annotation.model ?? "", annotation.labeler)),
    taskIds,
    batch.map(({ annotation }) => annotation.labeler),
  ]);
  const rows = new Map(locked.rows.map((row) => [row["id"] as string, row]));
  const said = new Map<string, Annotation[]>(taskIds.map((id) => [id, []]));
  for (const row of (await transaction.query(STANDING, [taskIds])).rows) {
    said.get(row["task_id"] as string)?.push(parseBody<Annotation>(row["body"]));
  }
  const outcomes = batch.map(({ annotation, settle }): Settled<Decided> => {
    const row = rows.get(annotation.taskId);
    try {
      if (row === undefined) throw unknownTask(annotation.taskId);
      const task = parseBody<LabelingTask>(row["body"]);
      const before = said.get(task.id) as Annotation[];
      return { result: decide(task, { annotation, before, isHeld: row["is_held"] === true, settle }) };
    } catch (error) {
      return { error };
    }
  });
  await writeChanges(
    transaction,
    outcomes.flatMap((one) => ("error" in one || one.result.change === undefined ? [] : [one.result])),
  );
  return outcomes.map((one) => {
    if ("error" in one) return one;
    const { annotation, task } = one.result;
    return { result: { annotation, task } };
  });
}

interface Said {
  readonly annotation: NewAnnotation;
  readonly before: readonly Annotation[];
  readonly isHeld: boolean;
  readonly settle: Settle;
}

function decide(task: LabelingTask, { annotation, before, isHeld, settle }: Said): Decided {
  const { taskId, labeler, kind, at, model = task.model, ...rest } = annotation;
  if (model !== task.model) throw unknownTask(taskId);
  const own = before.find((one) => one.labeler === labeler);
  if (own !== undefined && own.kind === kind && own.value === annotation.value) return { annotation: own, task };
  if (own !== undefined) {
    throw fail("CONFLICT", {
      message: `${labeler} has answered task ${taskId} already (${own.kind}).`,
      remedy: "Undo that answer first.",
    });
  }
  requireSlot(task, labeler, isHeld);
  const { exampleId, origin } = task;
  const written: Annotation = {
    ...rest,
    kind,
    at,
    taskId,
    labeler,
    id: uuidV7(at),
    model,
    exampleId,
    origin,
    undone: false,
  };
  const settlement = settle(task, [...before, written]);
  const next = settledTask(task, settlement, at);
  const isClosed = next.state === "done" || next.state === "discarded";
  const isLeaving = next.state !== "open";
  return {
    annotation: written,
    task: next,
    change: {
      fate: kind !== "skip" ? "answer" : isLeaving ? "drop" : "free",
      isClosed,
      isLeaving,
      isWider: next.state === "open" && next.needed > task.needed,
      ...(settlement.label === undefined
        ? {}
        : { label: labelEventOf(task, settlement.label, at, annotation.comment) }),
    },
  };
}

function requireSlot(task: LabelingTask, labeler: string, isHeld: boolean): void {
  if (task.state === "done" || task.state === "discarded") {
    throw fail("CONFLICT", {
      message: `Task ${task.id} is closed (${task.state}).`,
      remedy: "Claim another one; to change an answer of yours, undo it first.",
    });
  }
  if (isHeld) return;
  throw fail("CONFLICT", {
    message: `Task ${task.id} is not held by ${labeler}: it was never claimed, or its lease ended and somebody else took it.`,
    remedy: "Claim tasks again; what is held is listed first.",
  });
}

async function writeChanges(transaction: Queryable, decided: readonly Decided[]): Promise<void> {
  if (decided.length === 0) return;
  const changes = decided.map((one) => one.change as NonNullable<Decided["change"]>);
  const effects = changes.flatMap(({ label }, i) => {
    if (label === undefined) return [];
    return [{ id: uuidV7(label.at), model: (decided[i] as Decided).task.model, event: label }];
  });
  await transaction.query(WRITE, [
    decided.map(({ task }) => task.id),
    decided.map(({ task }) => task.model),
    decided.map(({ annotation }) => annotation.labeler),
    decided.map(({ annotation }) => annotation.id),
    changes.map(({ fate }) => fate),
    decided.map(({ task }) => task.state),
    changes.map(({ isClosed }) => String(isClosed)),
    changes.map(({ isLeaving }) => String(isLeaving)),
    changes.map(({ isWider }, i) => (isWider ? (decided[i] as Decided).task.needed : 0)),
    decided.map(({ task }) => bodyOf(task)).join("\n"),
    decided.map(({ annotation }) => bodyOf(annotation)).join("\n"),
    effects.map(({ id }) => id),
    effects.map(({ model }) => model),
    effects.map(bodyOf).join("\n"),
  ]);
}
