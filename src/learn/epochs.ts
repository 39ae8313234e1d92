/** What every trainer that goes over its rows in epochs needs: the trace point of an epoch, and when to stop. */
import { fail } from "../core/index.ts";
import type { JsonObject } from "../core/index.ts";
import { computeMetric } from "../stats/index.ts";
import { measurePart } from "./losses.ts";
import type { PartMetrics } from "./losses.ts";
import type { FitRequest, ScoreRow } from "./trainer.ts";

/** An improvement below this share of the loss does not restart the patience: it is the noise of the last digits. */
const WORTHWHILE = 1e-4;
/** Ranking needs a sort; over at most this many rows it costs about a millisecond an epoch, and shows the AUC within ±0.02. */
const AUC_ROWS = 2_000;

export interface EpochMetrics {
  readonly metrics: Readonly<Record<string, number>>;
  /** What decides which epoch goes live. */
  readonly loss: number;
}

/** Metrics of both parts under a scorer. Without validation rows (a refit on everything) the training loss chooses. */
export function measureEpoch(request: FitRequest, score: ScoreRow): EpochMetrics {
  const train = measurePart(request.task, request.train, score);
  // Early stopping looks at every validation row: it decides which weights go live.
  const validation = measurePart(request.task, request.validation, score, Infinity);
  return epochMetrics(request, train, validation);
}

export function epochMetrics(request: FitRequest, train: PartMetrics, validation: PartMetrics): EpochMetrics {
  const metrics: Record<string, number> = { trainLoss: train.loss, validationLoss: validation.loss };
  if (request.task === "regression") {
    metrics["trainMae"] = train.mae;
    metrics["validationMae"] = validation.mae;
  } else {
    metrics["trainLogLoss"] = train.loss;
    metrics["validationLogLoss"] = validation.loss;
    metrics["trainAccuracy"] = train.accuracy;
    metrics["validationAccuracy"] = validation.accuracy;
    if (request.task === "binary") addAuc(metrics, train, validation);
  }
  return { metrics, loss: request.validation.x.rows === 0 ? train.loss : validation.loss };
}

function addAuc(metrics: Record<string, number>, train: PartMetrics, validation: PartMetrics): void {
  for (const [name, part] of [
    ["trainRocAuc", train],
    ["validationRocAuc", validation],
  ] as const) {
    const step = Math.max(1, Math.ceil(part.labels.length / AUC_ROWS));
    const thin = (values: Float64Array) => (step === 1 ? values : values.filter((_, i) => i % step === 0));
    const value = computeMetric("rocAuc", { labels: thin(part.labels), scores: thin(part.scores) });
    if (value !== null) metrics[name] = value;
  }
}

/** Keeps the weights of the best epoch and counts the patience. Its state goes into checkpoints. */
export class BestEpoch<W> {
  #weights: W | undefined;
  #loss = Number.NaN;
  #epoch = 0;
  #worthwhile = Number.NaN;
  #since = 0;
  readonly #patience: number;

  /** @param patience epochs without a worthwhile improvement after which to stop */
  constructor(patience: number) {
    this.#patience = patience;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** @throws INTERNAL before the first epoch */
  get weights(): W {
    if (this.#weights !== undefined) return this.#weights;
    throw fail("INTERNAL", { message: "No epoch has been offered.", remedy: "Report this as a defect." });
  }

  /** @returns whether to stop. @throws TRAINER_DIVERGED when the loss is not a number. */
  offer(epoch: number, loss: number, weights: () => W): boolean {
    if (!Number.isFinite(loss)) {
      throw fail("TRAINER_DIVERGED", {
        message: `The validation loss of epoch ${epoch} is not a number: the targets or weights are too large for its floats.`,
        remedy: "Rescale the label, or lower `learningRate`.",
      });
    }
    if (this.#weights === undefined || loss < this.#loss) {
      this.#weights = weights();
      this.#loss = loss;
      this.#epoch = epoch;
    }
    const isWorthwhile = !(loss >= this.#worthwhile - WORTHWHILE * Math.abs(this.#worthwhile));
    if (isWorthwhile) {
      this.#worthwhile = loss;
      this.#since = 0;
      return false;
    }
    this.#since++;
    return this.#since >= this.#patience;
  }

  state(): JsonObject {
    return { bestLoss: this.#loss, bestEpoch: this.#epoch, worthwhile: this.#worthwhile, since: this.#since };
  }

  restore(state: JsonObject, weights: W): void {
    this.#weights = weights;
    this.#loss = Number(state["bestLoss"]);
    this.#epoch = Number(state["bestEpoch"]);
    this.#worthwhile = Number(state["worthwhile"]);
    this.#since = Number(state["since"]);
  }
}
