/**
 * Between the model's answer and the caller: uncertain answers become reviews, a sample of the confident ones audits. The tasks are
 * stored before the caller hears of them, so a review that was promised is there after any crash. Without a logged prediction
 * there is nothing people could be asked about: the default of the deadline holds at once.
 */
import type { ModelSpec } from "../../config/spec.ts";
import {
  createRandom,
  type Instant,
  type LabelingTask,
  type PredictionEvent,
  seedFrom,
  uuidV7,
} from "../../core/index.ts";
import type { ReviewSpec } from "../../feedback/spec.ts";
import type { LoopContext } from "../context.ts";
import type { PredictedRow } from "../contract.ts";

/** Reviews belong to no batch of the queue. */
const BATCH_ID = "review";

export interface AnsweredRows {
  readonly rows: readonly PredictedRow[];
  readonly events: readonly PredictionEvent[];
  readonly logged: boolean;
}

/** @returns the rows as the caller may see them */
export async function askForReview(
  context: LoopContext,
  spec: ModelSpec,
  { rows, events, logged }: AnsweredRows,
): Promise<readonly PredictedRow[]> {
  const { review } = spec;
  if (review === undefined) return rows;
  const now = context.worldClock.now();
  const tasks = logged ? events.flatMap((event) => taskOf(spec, review, event, now) ?? []) : [];
  if (tasks.length > 0) {
    await context.store.labeling.addTasks(tasks);
    const reviews = tasks.filter(({ origin }) => origin === "review").length;
    if (reviews > 0) context.emit("review.asked", spec.name, { count: reviews });
  }
  return rows.map((row, i) => {
    if (confidenceOf(events[i] as PredictionEvent) >= review.below) return row;
    return logged ? asked(row, review, now) : unasked(row, review);
  });
}

export function confidenceOf({ scores }: Pick<PredictionEvent, "scores">): number {
  return Math.max(...scores);
}

function asked(row: PredictedRow, review: ReviewSpec, now: Instant): PredictedRow {
  const note = { state: "pending", dueAt: now + review.deadlineMs } as const;
  return { ...(review.mode === "hold" ? hidden(row) : row), review: note };
}

function unasked(row: PredictedRow, { mode, onDeadline }: ReviewSpec): PredictedRow {
  const isWithheld = onDeadline === "withhold";
  const note = { state: isWithheld ? "withheld" : "released", reason: "not logged, so nobody can be asked" } as const;
  return { ...(isWithheld && mode === "hold" ? hidden(row) : row), review: note };
}

/** Nothing from which the answer could be read. */
function hidden({ score: _score, probabilities: _probabilities, trace: _trace, ...row }: PredictedRow): PredictedRow {
  return { ...row, decision: null };
}

function taskOf(spec: ModelSpec, review: ReviewSpec, event: PredictionEvent, now: Instant): LabelingTask | undefined {
  const confidence = confidenceOf(event);
  const isReview = confidence < review.below;
  // Drawn by the id of the answer: a replay draws the same.
  const isAudit =
    !isReview && createRandom(seedFrom(spec.seed, "audit", event.predictionId)).nextFloat() < review.audit;
  if (!isReview && !isAudit) return undefined;
  return {
    id: uuidV7(now),
    model: spec.name,
    exampleId: event.exampleId,
    predictionId: event.predictionId,
    at: event.at,
    features: event.features,
    batchId: BATCH_ID,
    origin: isReview ? "review" : "audit",
    strategy: isReview ? "review" : "audit",
    acquisition: 1 - confidence,
    pick: 1,
    selectionProbability: isReview ? 1 : review.audit,
    poolSize: 1,
    version: event.version,
    scores: event.scores,
    ...(event.classes === undefined ? {} : { classes: event.classes }),
    decision: event.decision,
    needed: 1,
    state: "open",
    createdAt: now,
    ...(isReview
      ? { dueAt: now + review.deadlineMs, review: { mode: review.mode, onDeadline: review.onDeadline } }
      : {}),
  };
}
