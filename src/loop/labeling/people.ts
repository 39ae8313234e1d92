/** What people do with tasks: claim, answer, undo, adjudicate. An answer is acknowledged when its label is in the log. */
import type { ModelSpec } from "../../config/spec.ts";
import {
  fail,
  type Instant,
  type LabelingTask,
  type LabelValue,
  plural,
  type Settle,
  uuidV7,
} from "../../core/index.ts";
import { compileLabelValidator } from "../../data/validate.ts";
import { settleTask } from "../../feedback/consensus.ts";
import type { LabelingSpec } from "../../feedback/spec.ts";
import { type LoopContext, modelSpec } from "../context.ts";
import { applyDeadlines } from "../reviews/deadlines.ts";
import { areChoicesOpen, choicesOf, rememberAnswer } from "./choices.ts";
import { flushEffects } from "./effects.ts";
import { labelingPolicy } from "./queue.ts";
import type { Answered, LabelingSession, LabelingSurface, TaskView } from "./surface.ts";

/** Tasks one person holds at once: a screen of similar items in bulk mode; more would keep them from others. */
const MOST_HELD = 50;
const LABELER = /^[\p{L}\p{N}][\p{L}\p{N} ._:@+-]{0,79}$/u;

export function viewOf(task: LabelingTask, policy: LabelingSpec): TaskView {
  // What measures people or the model is answered without a hint.
  const isHidden =
    policy.hidePrediction || task.origin === "random" || task.origin === "gold" || task.origin === "audit";
  const { version, decision, scores } = task;
  const confidence = scores !== undefined && scores.length > 1 ? Math.max(...scores) : undefined;
  return {
    id: task.id,
    exampleId: task.exampleId,
    ...(task.predictionId === undefined ? {} : { predictionId: task.predictionId }),
    at: task.at,
    features: task.features,
    createdAt: task.createdAt,
    ...(task.dueAt === undefined ? {} : { dueAt: task.dueAt }),
    isReview: task.origin === "review",
    ...(isHidden || version === undefined || decision === undefined
      ? {}
      : { suggestion: { version, decision, ...(confidence === undefined ? {} : { confidence }) } }),
  };
}

/** @throws BODY_INVALID without a value, ROW_INVALID unless it is a label of the model */
export function checkLabel(spec: ModelSpec, value: unknown): LabelValue {
  if (value === undefined) {
    throw fail("BODY_INVALID", {
      message: "The answer has no `value`.",
      remedy: 'Give one, or the kind "skip" or "flag".',
    });
  }
  const problem = compileLabelValidator(spec.schema)(value);
  if (problem === undefined) return value as LabelValue;
  throw fail("ROW_INVALID", {
    message: `The answer does not fit model ${spec.name}: ${problem.message}`,
    remedy: "Choose one of the answers a session lists.",
    details: { code: problem.code },
  });
}

/** @throws BODY_INVALID for a name no person has */
export function checkLabeler(name: string): string {
  if (LABELER.test(name)) return name;
  throw fail("BODY_INVALID", {
    message: `${JSON.stringify(name.slice(0, 80))} is no name of a labeler.`,
    remedy: "Use letters, digits, spaces and . _ : @ + -, at most 80.",
  });
}

/** What was released cannot be called back; anything else can. A task that was given up, or whose truth arrived, stays closed. */
function settleUndone(...[task, annotations]: Parameters<typeof settleTask>): ReturnType<typeof settleTask> {
  const { state, needed, answer, closedBy } = task;
  if (state === "discarded")
    return {
      state,
      needed,
      ...(answer === undefined ? {} : { answer }),
      ...(closedBy === undefined ? {} : { closedBy }),
    };
  if (task.origin !== "review" || task.state !== "done") return settleTask(task, annotations);
  throw fail("CONFLICT", {
    message: `The answer about ${task.exampleId} was released with your decision.`,
    remedy: "An operator can still adjudicate the task: the application then reads the new value, if it looks again.",
  });
}

/** Thrown inside the transaction of an answer whose task's deadline has passed: the default is applied first. */
class TooLate extends Error {}

/** The task is looked at where it is locked anyway, not by a query of its own before. */
function settleInTime(at: Instant): Settle {
  return (task, annotations) => {
    if (task.dueAt !== undefined && task.dueAt <= at) throw new TooLate();
    return settleTask(task, annotations);
  };
}

type People = Pick<LabelingSurface, "claim" | "release" | "answer" | "undo" | "adjudicate" | "discard">;

export function peopleMethods(context: LoopContext): People {
  const { labeling } = context.store;
  const flush = singleFlight(() => flushEffects(context));
  const settled = async (model: string, outcome: Awaited<ReturnType<typeof labeling.annotate>>): Promise<Answered> => {
    await flush();
    context.ticks.dirty.add(model);
    const { task } = outcome;
    // Who is told that it was a gold question takes the answer back and asks around.
    const { origin: _, ...annotation } = outcome.annotation;
    rememberAnswer(context, model, annotation.value);
    context.emit("labeling.answer", model, { taskId: task.id, state: task.state, kind: annotation.kind });
    return { annotation, state: task.state };
  };
  return {
    async claim(model, labeler, count, only): Promise<LabelingSession> {
      const spec = modelSpec(context, model);
      const policy = labelingPolicy(spec);
      checkLabeler(labeler);
      if (!(Number.isInteger(count) && count >= 1 && count <= MOST_HELD)) {
        throw fail("BODY_INVALID", {
          message: `A person can hold 1 to ${MOST_HELD} tasks; ${count} were asked for.`,
          remedy: "Ask for fewer, and again when they are answered.",
        });
      }
      const { tasks, counts } = await labeling.claim({
        model,
        labeler,
        count,
        now: context.systemClock.now(),
        leaseMs: policy.leaseMs,
        goldEvery: policy.gold > 0 ? Math.max(1, Math.round(1 / policy.gold)) : 0,
        reviewsOnly: only === "reviews",
      });
      const { states, claimed, reviews, mine } = counts;
      return {
        tasks: tasks.map((task) => viewOf(task, policy)),
        choices: await choicesOf(context, spec),
        areChoicesOpen: areChoicesOpen(spec),
        guidelines: policy.guidelines ?? null,
        leaseMs: policy.leaseMs,
        progress: { open: states.open, done: states.done, adjudicate: states.adjudicate, claimed, mine, reviews },
      };
    },
    release: async (model, labeler, taskIds) =>
      labeling.release(modelSpec(context, model).name, checkLabeler(labeler), taskIds),
    async answer(model, request) {
      const spec = modelSpec(context, model);
      const { value, comment, durationMs, kind } = request;
      checkLabeler(request.labeler);
      const at = context.worldClock.now();
      if (kind === "answer") checkLabel(spec, value);
      const annotation = {
        taskId: request.taskId,
        model,
        labeler: request.labeler,
        kind,
        at,
        ...(kind === "answer" ? { value: value as LabelValue } : {}),
        ...(comment === undefined || comment === "" ? {} : { comment: comment.slice(0, 2_000) }),
        ...(durationMs === undefined ? {} : { durationMs }),
      };
      try {
        return await settled(model, await labeling.annotate(annotation, settleInTime(at)));
      } catch (error) {
        if (!(error instanceof TooLate)) throw error;
        await applyDeadlines(context, model, at);
        return settled(model, await labeling.annotate(annotation, settleTask));
      }
    },
    async undo(model, labeler, annotationId) {
      const policy = labelingPolicy(modelSpec(context, model));
      const outcome = await labeling.undo(
        {
          model,
          labeler: checkLabeler(labeler),
          now: context.systemClock.now(),
          leaseMs: policy.leaseMs,
          at: context.worldClock.now(),
          ...(annotationId === undefined ? {} : { annotationId }),
        },
        settleUndone,
      );
      return { ...(await settled(model, outcome)), task: viewOf(outcome.task, policy) };
    },
    async adjudicate(model, { taskId, value, actor, comment }) {
      const spec = modelSpec(context, model);
      const task = await requireTask(context, model, taskId);
      if (task.origin === "gold" || task.state === "discarded") {
        throw fail("CONFLICT", {
          message: `Task ${taskId} is ${task.origin === "gold" ? "a gold question" : "discarded"}; there is nothing to decide.`,
          remedy: "Adjudicate tasks in the state `adjudicate`.",
        });
      }
      const outcome = await labeling.annotate(
        {
          taskId,
          labeler: checkLabeler(actor),
          kind: "adjudication",
          value: checkLabel(spec, value),
          at: context.worldClock.now(),
          ...(comment === undefined || comment === "" ? {} : { comment: comment.slice(0, 2_000) }),
        },
        settleTask,
      );
      return settled(model, outcome);
    },
    async discard(model, { taskId, actor, comment }) {
      const task = await requireTask(context, model, taskId);
      checkLabeler(actor);
      const at = context.worldClock.now();
      const isEndless = task.origin === "review" || task.origin === "gold";
      const closed = isEndless
        ? []
        : await labeling.close([taskId], { state: "discarded", closedBy: "adjudication", at });
      if (closed.length === 0) {
        throw fail("CONFLICT", {
          message: `Task ${taskId} is ${isEndless ? `a ${task.origin} task` : `${task.state} already`}; it cannot be given up.`,
          remedy: task.origin === "review" ? "Withhold the answer instead." : "Discard tasks that wait for an answer.",
        });
      }
      const details = { model, exampleId: task.exampleId, ...(comment === undefined ? {} : { comment }) };
      await context.store.settings.audit({ at, actor, action: "labeling.discard", subject: taskId, details });
      context.emit("labeling.answer", model, { taskId, state: "discarded" });
    },
  };
}

/** @throws NOT_FOUND, also for a task of another model */
export async function requireTask(context: LoopContext, model: string, id: string): Promise<LabelingTask> {
  const task = await context.store.labeling.task(id);
  if (task?.model === model) return task;
  throw fail("NOT_FOUND", {
    message: `Model ${model} has no labeling task ${JSON.stringify(id.slice(0, 60))}.`,
    remedy: "List the tasks of the model.",
  });
}

/** Joins calls that overlap: one runs, one more follows for all that came meanwhile. */
function singleFlight<T>(run: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const start = () => {
    running = run().finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (running === undefined) return start();
    next ??= running.then(start, start).finally(() => {
      next = undefined;
    });
    return next;
  };
}

/** Gold questions as tasks: their features come from the log, their answer is given. */
export async function addGold(
  context: LoopContext,
  model: string,
  items: readonly { readonly exampleId: string; readonly value: LabelValue }[],
): Promise<{ readonly added: number }> {
  const spec = modelSpec(context, model);
  const { log, labeling } = context.store;
  const now = context.worldClock.now();
  const exampleIds = items.map(({ exampleId }) => exampleId);
  const predictions = await log.findPredictions(model, { exampleIds });
  const observations = await log.findObservations(model, { exampleIds });
  const sources = new Map([...predictions, ...observations].map((one) => [one.exampleId, one]));
  const missing = exampleIds.filter((id) => !sources.has(id));
  if (missing.length > 0) {
    throw fail("NOT_FOUND", {
      message: `Nothing is known of ${missing.length} of ${plural(items.length, "example")}: ${missing.slice(0, 5).join(", ")}.`,
      remedy: "Send their rows first; a gold question shows an example that is in the log.",
    });
  }
  const present = await labeling.tasks({ model, origins: ["gold"], limit: 10_000 });
  const known = new Set(present.map((task) => task.exampleId));
  const fresh = items.filter(({ exampleId }) => !known.has(exampleId));
  const batchId = uuidV7(now);
  const tasks = fresh.map(({ exampleId, value }, i): LabelingTask => {
    const source = sources.get(exampleId) as (typeof predictions)[number] | (typeof observations)[number];
    return {
      id: uuidV7(now),
      model,
      exampleId,
      at: source.at,
      features: source.features,
      batchId,
      origin: "gold",
      strategy: "gold",
      acquisition: null,
      pick: i + 1,
      selectionProbability: 1,
      poolSize: fresh.length,
      needed: 1,
      state: "open",
      createdAt: now,
      answer: checkLabel(spec, value),
    };
  });
  if (tasks.length === 0) return { added: 0 };
  const count = tasks.length;
  const added = await labeling.addBatch(
    {
      id: batchId,
      model,
      createdAt: now,
      strategy: "gold",
      poolSize: count,
      picked: count,
      random: 0,
      gold: count,
      durationMs: 0,
    },
    tasks,
  );
  return { added };
}
