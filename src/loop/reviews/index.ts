/** Review before release: looking at a review, waiting for it, deciding it. People also decide on the labeling page. */
import { fail, type LabelingTask, type ReviewRecord, type ReviewState } from "../../core/index.ts";
import { settleTask } from "../../feedback/consensus.ts";
import { type LoopContext, modelSpec } from "../context.ts";
import { flushEffects } from "../labeling/effects.ts";
import { checkLabel, checkLabeler } from "../labeling/people.ts";
import { applyDeadlines } from "./deadlines.ts";
import type { ReviewSurface } from "./surface.ts";

/** How often a waiting caller's review is read again: another process may have decided. */
const LOOK_EVERY_MS = 250;

export function createReviews(context: LoopContext): ReviewSurface {
  const get = async (model: string, predictionId: string) =>
    recordOf(context, await requireReview(context, model, predictionId));
  return {
    get,
    async wait(model, predictionId, waitMs, isOver = () => false) {
      const { systemClock } = context;
      const until = systemClock.monotonicMs() + waitMs;
      for (;;) {
        const review = await get(model, predictionId);
        const leftMs = until - systemClock.monotonicMs();
        if (review.state !== "pending" || leftMs <= 0 || isOver()) return review;
        await systemClock.sleep(Math.min(leftMs, LOOK_EVERY_MS));
      }
    },
    async list(model, filter) {
      const { name } = modelSpec(context, model);
      await applyDeadlines(context, name, context.worldClock.now());
      const tasks = await context.store.labeling.tasks({ model: name, origins: ["review"], ...filter });
      return Promise.all(tasks.map((task) => recordOf(context, task)));
    },
    async decide(model, predictionId, { action, value, comment, actor }) {
      const spec = modelSpec(context, model);
      const task = await requireReview(context, model, predictionId);
      checkLabeler(actor);
      if ((action === "correct") !== (value !== undefined)) {
        throw fail("BODY_INVALID", {
          message: `A decision to ${action} ${action === "correct" ? "needs the value that is right" : "has no value"}.`,
          remedy: 'Send {"action": "correct", "value": …}, or "approve" or "withhold" alone.',
        });
      }
      if (task.state !== "open" && task.state !== "adjudicate") throw closed(predictionId, task);
      const at = context.worldClock.now();
      if (action === "withhold") {
        const ids = await context.store.labeling.close([task.id], { state: "discarded", closedBy: "adjudication", at });
        if (ids.length === 0) throw closed(predictionId, task);
        const details = { model, predictionId, ...(comment === undefined ? {} : { comment }) };
        await context.store.settings.audit({ at, actor, action: "review.withhold", subject: task.id, details });
      } else {
        const answer = action === "approve" ? task.decision : checkLabel(spec, value);
        const annotation = { taskId: task.id, labeler: actor, kind: "adjudication", at } as const;
        await context.store.labeling.annotate(
          {
            ...annotation,
            ...(answer === undefined ? {} : { value: answer }),
            ...(comment === undefined ? {} : { comment: comment.slice(0, 2_000) }),
          },
          (now, annotations) => {
            if (now.state === "discarded") throw closed(predictionId, now);
            return settleTask(now, annotations);
          },
        );
        await flushEffects(context);
      }
      context.ticks.dirty.add(spec.name);
      context.emit("review.decided", model, { count: 1, closedBy: "adjudication" });
      return get(model, predictionId);
    },
  };
}

/** As it is now: a deadline that has passed is applied first. */
async function requireReview(context: LoopContext, model: string, predictionId: string): Promise<LabelingTask> {
  const { name } = modelSpec(context, model);
  const find = async () => {
    const [task] = await context.store.labeling.tasks({ model: name, origins: ["review"], predictionId, limit: 1 });
    return task;
  };
  const task = await find();
  if (task === undefined) {
    throw fail("NOT_FOUND", {
      message: `Nobody was asked about an answer ${JSON.stringify(predictionId.slice(0, 60))} of model ${name}.`,
      remedy: "Ask for the predictionId of an answer that carried `review`.",
    });
  }
  const now = context.worldClock.now();
  const isOpen = task.state === "open" || task.state === "adjudicate";
  if (!isOpen || task.dueAt === undefined || task.dueAt > now) return task;
  await applyDeadlines(context, name, now);
  return (await find()) ?? task;
}

function closed(predictionId: string, task: LabelingTask) {
  return fail("CONFLICT", {
    message: `The review of answer ${predictionId} is closed${task.closedBy === "deadline" ? ": its deadline has passed" : ""}.`,
    remedy: "What is right can still be stated as a label.",
  });
}

function stateOf(task: LabelingTask): ReviewState {
  if (task.state === "open" || task.state === "adjudicate") return "pending";
  if (task.state === "done") return task.answer === task.decision ? "approved" : "corrected";
  const isReleased = task.closedBy === "deadline" && task.review?.onDeadline !== "withhold";
  return isReleased ? "released" : "withheld";
}

async function recordOf(context: LoopContext, task: LabelingTask): Promise<ReviewRecord> {
  const state = stateOf(task);
  const mode = task.review?.mode ?? "flag";
  const own = task.decision ?? null;
  const decision = {
    pending: mode === "hold" ? null : own,
    approved: own,
    corrected: task.answer ?? null,
    released: own,
    withheld: null,
  }[state];
  const last = state === "approved" || state === "corrected" ? await lastWord(context, task) : undefined;
  return {
    id: task.id,
    predictionId: task.predictionId as string,
    exampleId: task.exampleId,
    version: task.version as string,
    mode,
    state,
    decision,
    createdAt: task.createdAt,
    dueAt: task.dueAt as number,
    decidedAt: task.closedAt ?? null,
    decidedBy: last?.labeler ?? null,
    comment: last?.comment ?? null,
  };
}

async function lastWord(context: LoopContext, task: LabelingTask) {
  const said = await context.store.labeling.annotations({ model: task.model, taskIds: [task.id], limit: 50 });
  return said.find((one) => !one.undone && (one.kind === "answer" || one.kind === "adjudication"));
}

export type * from "./surface.ts";
