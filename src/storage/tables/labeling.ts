/** The labeling queue: batches, tasks, what was answered, and label events on their way to the log. Claims are next door. */
import {
  type Annotation,
  type LabelingBatch,
  type LabelingEffect,
  type LabelingStore,
  type LabelingTask,
  stopPoint,
} from "../../core/index.ts";
import { bodyOf, Conditions, listBodies, parseBody, type Queryable, type SqlDatabase, toNumber } from "../sql.ts";
import { createFeedbackStore } from "./feedback.ts";
import { answerWriter } from "./labeling-answers.ts";
import { claimMethods } from "./labeling-claims.ts";
import { countsFor } from "./labeling-counts.ts";
import { REVIEW_PRIORITY } from "./labeling-leases.ts";

const priorityOf = (task: LabelingTask) => (task.origin === "review" ? REVIEW_PRIORITY : 0);
/** Gold questions have no slots of their own: everybody is asked each of them once. */
const slotsOf = (task: LabelingTask) => (task.origin === "gold" || task.state !== "open" ? 0 : task.needed);

/** Tasks of one statement: their features are in it, so it stays at a few megabytes. */
const TASKS_AT_ONCE = 500;

async function insertTasks(transaction: Queryable, tasks: readonly LabelingTask[]): Promise<number> {
  const { rows } = await transaction.query(
    `insert into labeling_task (id, model, example_id, prediction_id, batch_id, origin, state, created_at, due_at, body)
     select i, m, e, nullif(p, ''), b, o, s, c, nullif(d, -1), t
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
       $9::bigint[], string_to_array($10, E'\\n')) with ordinality as t (i, m, e, p, b, o, s, c, d, t, n)
     order by n on conflict do nothing returning id, position`,
    [
      tasks.map(({ id }) => id),
      tasks.map(({ model }) => model),
      tasks.map(({ exampleId }) => exampleId),
      tasks.map(({ predictionId }) => predictionId ?? ""),
      tasks.map(({ batchId }) => batchId),
      tasks.map(({ origin }) => origin),
      tasks.map(({ state }) => state),
      tasks.map(({ createdAt }) => createdAt),
      tasks.map(({ dueAt }) => dueAt ?? -1),
      tasks.map((task) => bodyOf(task)).join("\n"),
    ],
  );
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const added = rows.map((row) => byId.get(row["id"] as string) as LabelingTask);
  await transaction.query(
    `insert into labeling_slot (task_id, slot, model, priority, task_position, is_gold)
     select i, slot, m, p, x, false
     from unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::int[]) as t (i, m, p, x, n),
       generate_series(0, n - 1) as slot`,
    [
      added.map(({ id }) => id),
      added.map(({ model }) => model),
      added.map(priorityOf),
      rows.map((row) => toNumber(row["position"])),
      added.map(slotsOf),
    ],
  );
  return rows.length;
}

function batchMethods(database: SqlDatabase): Pick<LabelingStore, "addBatch" | "addTasks" | "batches"> {
  return {
    async addBatch(batch, tasks) {
      const { rows } = await database.query("select id from labeling_batch where id = $1", [batch.id]);
      if (rows.length > 0) return 0;
      let added = 0;
      // A transaction each: one over all of a large batch would keep everybody waiting, until it is cut for taking too long.
      for (let i = 0; i < tasks.length; i += TASKS_AT_ONCE) {
        const part = tasks.slice(i, i + TASKS_AT_ONCE);
        added += await database.transaction((transaction) => insertTasks(transaction, part));
        stopPoint("labeling.part");
      }
      await database.query(
        "insert into labeling_batch (id, model, body) values ($1, $2, $3) on conflict (id) do nothing",
        [batch.id, batch.model, bodyOf(batch)],
      );
      return added;
    },
    addTasks: (tasks) =>
      database.transaction(async (transaction) => {
        for (let i = 0; i < tasks.length; i += TASKS_AT_ONCE)
          await insertTasks(transaction, tasks.slice(i, i + TASKS_AT_ONCE));
      }),
    async batches(filter) {
      const conditions = new Conditions();
      conditions.add("model = ?", filter.model);
      conditions.before("labeling_batch", filter.before);
      return listBodies<LabelingBatch>(database, "labeling_batch", conditions, filter.limit);
    },
  };
}

function taskMethods(
  database: SqlDatabase,
): Pick<
  LabelingStore,
  "task" | "tasks" | "counts" | "askedExamples" | "createdSince" | "overdue" | "nextDueAt" | "close"
> {
  return {
    async task(id) {
      const { rows } = await database.query("select body from labeling_task where id = $1", [id]);
      return rows[0] ? parseBody<LabelingTask>(rows[0]["body"]) : undefined;
    },
    async tasks(filter) {
      const conditions = new Conditions();
      conditions.add("model = ?", filter.model);
      conditions.addIf("state = ?", filter.state);
      conditions.addIf("origin = any(?)", filter.origins);
      conditions.addIf("batch_id = ?", filter.batchId);
      conditions.addIf("example_id = ?", filter.exampleId);
      conditions.addIf("prediction_id = ?", filter.predictionId);
      conditions.before("labeling_task", filter.before);
      return listBodies<LabelingTask>(database, "labeling_task", conditions, filter.limit);
    },
    counts: async (model, labeler = "") => (await countsFor(database, model, [labeler]))(labeler),
    async askedExamples(model) {
      const { rows } = await database.query("select distinct example_id from labeling_task where model = $1", [model]);
      return rows.map((row) => row["example_id"] as string);
    },
    async createdSince(model, since) {
      const { rows } = await database.query(
        `select count(*) as n from labeling_task
         where model = $1 and created_at >= $2 and origin in ('strategy', 'random')`,
        [model, since],
      );
      return toNumber(rows[0]?.["n"] ?? 0);
    },
    async overdue(model, now) {
      const { rows } = await database.query(
        "select body from labeling_task where model = $1 and state in ('open', 'adjudicate') and due_at <= $2 order by position",
        [model, now],
      );
      return rows.map((row) => parseBody<LabelingTask>(row["body"]));
    },
    async nextDueAt(model) {
      const { rows } = await database.query(
        `select min(due_at) as due from labeling_task
         where model = $1 and state in ('open', 'adjudicate') and due_at is not null`,
        [model],
      );
      const due = rows[0]?.["due"];
      return due === null || due === undefined ? undefined : toNumber(due);
    },
    close: (ids, change) =>
      database.transaction(async (transaction) => {
        const { rows } = await transaction.query(
          `select body from labeling_task where id = any($1) and state in ('open', 'adjudicate') order by id for update`,
          [ids],
        );
        for (const row of rows) {
          const { at, ...rest } = change;
          const task = { ...parseBody<LabelingTask>(row["body"]), ...rest, closedAt: at };
          await transaction.query("update labeling_task set state = $2, body = $3 where id = $1", [
            task.id,
            task.state,
            bodyOf(withoutUndefined(task)),
          ]);
          await transaction.query("delete from labeling_slot where task_id = $1 and not answered", [task.id]);
        }
        return rows.map((row) => parseBody<LabelingTask>(row["body"]).id);
      }),
  };
}

/** Canonical JSON refuses undefined values. */
export function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;
}

export function createLabelingStore(database: SqlDatabase): LabelingStore {
  const { adjudicate, ...claims } = claimMethods(database);
  const answers = answerWriter(database);
  return {
    feedback: createFeedbackStore(database),
    ...batchMethods(database),
    ...taskMethods(database),
    ...claims,
    annotate: (annotation, settle) =>
      annotation.kind === "adjudication" ? adjudicate(annotation, settle) : answers.submit({ annotation, settle }),
    async annotations(filter) {
      const conditions = new Conditions();
      conditions.add("model = ?", filter.model);
      conditions.addIf("task_id = any(?)", filter.taskIds);
      conditions.addIf("labeler = ?", filter.labeler);
      conditions.before("labeling_annotation", filter.before);
      return listBodies<Annotation>(database, "labeling_annotation", conditions, filter.limit);
    },
    async effects(limit) {
      const { rows } = await database.query(
        `select body from labeling_effect order by position limit ${Math.max(1, Math.floor(limit))}`,
      );
      return rows.map((row) => parseBody<LabelingEffect>(row["body"]));
    },
    async finishEffects(ids) {
      await database.query("delete from labeling_effect where id = any($1)", [ids]);
    },
  };
}
