/**
 * Linear models by averaged stochastic gradient descent: logistic for two classes, softmax for several, least squares for
 * numbers (on a standardized target, so the same rates fit every unit). Expects the dense prepared matrix. Keeps the epoch with
 * the lowest validation loss and stops when it has not improved for `patience` epochs.
 */
import { createRandom, fail, seedFrom, shuffleInPlace } from "../core/index.ts";
import type { JsonObject, Task } from "../core/index.ts";
import { computeMetric, logDeterministic, sigmoid } from "../stats/index.ts";
import { checkFitRequest, checkTwoClasses } from "./check.ts";
import {
  CURVATURE_LOGISTIC,
  CURVATURE_SOFTMAX,
  CURVATURE_SQUARED,
  linearScores,
  passSingle,
  passSoftmax,
  rowNorms,
  softmaxInPlace,
} from "./linear-kernel.ts";
import type { LinearPass, LinearState } from "./linear-kernel.ts";
import { measurePart } from "./losses.ts";
import type { PartMetrics } from "./losses.ts";
import { parameterDefaults, resolveParameters } from "./params.ts";
import type { ParameterTable } from "./params.ts";
import type { FitRequest, ScoreRow, Targets, TrainedWeights, TrainerKind } from "./trainer.ts";
import { takeTurn } from "./turn.ts";

const PARAMETERS = {
  epochs: { description: "Passes over the training rows, at most.", default: 30, min: 1, max: 10_000, integer: true },
  patience: {
    description: "Epochs without a lower validation loss after which training stops.",
    default: 5,
    min: 1,
    max: 10_000,
    integer: true,
  },
  l2: {
    description: "Strength of the penalty on large weights, in rows: 1 equals scikit-learn's C = 1.",
    default: 1,
    min: 0,
    max: 1e9,
  },
  learningRate: {
    description: "First step as a share of the largest safe step; 1 is bold, 0.1 careful.",
    default: 0.1,
    min: 1e-6,
    max: 100,
  },
  warmRate: {
    description: "Warm starts and incremental training begin with this share of the learning rate.",
    default: 0.1,
    min: 1e-6,
    max: 1,
  },
} as const satisfies ParameterTable;

/** After this many epochs the step has halved. Late steps must be small for the last digits, early ones large to get there. */
const HALVING_EPOCHS = 1;
/** An improvement below this share of the loss does not restart the patience: it is the noise of the last digits. */
const WORTHWHILE = 1e-4;
/** Multiplications between two turns of the event loop: about 10 ms, so a cancel is seen at once. */
const WORK_PER_TURN = 4_000_000;

interface Scale {
  readonly mean: number;
  readonly deviation: number;
}

export const linear: TrainerKind = {
  name: "linear",
  tasks: ["binary", "multiclass", "regression"],
  strategies: ["full", "warm-start", "incremental"],
  input: "dense",
  defaults: parameterDefaults(PARAMETERS),
  resolveParams: (params) => resolveParameters("linear", PARAMETERS, params),
  fit: fitLinear,
  scorer: linearScorer,
};

async function fitLinear(request: FitRequest): Promise<TrainedWeights> {
  checkFitRequest(request, false);
  if (request.base === undefined) checkTwoClasses(request.train.y);
  const { task, train } = request;
  const params = linear.resolveParams(request.params) as Record<keyof typeof PARAMETERS, number>;
  const columns = train.x.columns;
  const outputs = task === "multiclass" ? train.y.classCount : 1;
  const scale = task === "regression" ? targetScale(train.y, request.base) : { mean: 0, deviation: 1 };
  const weights = startWeights(request, columns, outputs);
  const state: LinearState = { weights, sum: new Float64Array(weights.length), averaged: 0, step: 0 };
  const pass = buildPass(request, params, scale);

  let best: { readonly weights: Float64Array; readonly loss: number; readonly epoch: number } | undefined;
  let worthwhile = Infinity;
  let sinceWorthwhile = 0;
  for (let epoch = 1; epoch <= params.epochs; epoch++) {
    shuffleInPlace(pass.order, createRandom(seedFrom(request.seed, "shuffle", epoch)));
    await runEpoch(state, pass, task, outputs, request.signal);
    const averaged = takeAverage(state);
    const trained = assemble(task, averaged, columns, outputs, scale, epoch);
    const point = measureEpoch(request, trained);
    if (!Number.isFinite(point.loss)) throw diverged(epoch);
    if (best === undefined || point.loss < best.loss) best = { weights: averaged, loss: point.loss, epoch };
    await request.onPoint({ epoch, metrics: point.metrics });
    await takeTurn(request.signal);
    if (point.loss < worthwhile - WORTHWHILE * Math.abs(worthwhile) || worthwhile === Infinity) {
      worthwhile = point.loss;
      sinceWorthwhile = 0;
    } else if (++sinceWorthwhile >= params.patience) break;
  }
  const chosen = best as NonNullable<typeof best>;
  return assemble(task, chosen.weights, columns, outputs, scale, chosen.epoch);
}

function diverged(epoch: number) {
  return fail("TRAINER_DIVERGED", {
    message: `The validation loss of epoch ${epoch} is not a number: the targets or weights are too large for 64-bit floats.`,
    remedy: "Rescale the label, or lower `learningRate`.",
  });
}

function buildPass(request: FitRequest, params: Record<string, number>, scale: Scale): LinearPass {
  const { task, train, base } = request;
  const { rows, columns, values } = train.x;
  const norms = rowNorms(values, rows, columns);
  let total = 0;
  let weight = 0;
  for (let i = 0; i < rows; i++) {
    total += norms[i] as number;
    weight += train.y.weights === undefined ? 1 : (train.y.weights[i] as number);
  }
  const curvature =
    task === "binary" ? CURVATURE_LOGISTIC : task === "multiclass" ? CURVATURE_SOFTMAX : CURVATURE_SQUARED;
  const warmth = base === undefined ? 1 : (params["warmRate"] as number);
  const target = task === "regression" ? standardize(train.y.values, scale) : train.y.values;
  return {
    values,
    columns,
    target,
    rowWeights: train.y.weights,
    norms,
    order: Uint32Array.from({ length: rows }, (_, i) => i),
    rate: ((params["learningRate"] as number) * warmth * rows) / (curvature * total),
    decaySteps: rows * HALVING_EPOCHS,
    l2: (params["l2"] as number) / weight,
  };
}

async function runEpoch(
  state: LinearState,
  pass: LinearPass,
  task: Task,
  outputs: number,
  signal: AbortSignal,
): Promise<void> {
  state.sum.fill(0);
  state.averaged = 0;
  const rows = pass.order.length;
  const chunk = Math.max(256, Math.floor(WORK_PER_TURN / ((pass.columns + 8) * outputs)));
  const scratch = new Float64Array(outputs);
  for (let from = 0; from < rows; from += chunk) {
    const to = Math.min(rows, from + chunk);
    if (task === "multiclass") passSoftmax(state, pass, from, to, scratch);
    else passSingle(state, pass, from, to, task === "binary");
    if (to < rows) await takeTurn(signal);
  }
}

/** The mean iterate of the epoch; the last one where the epoch was shorter than an averaging interval. */
function takeAverage(state: LinearState): Float64Array {
  if (state.averaged === 0) return Float64Array.from(state.weights);
  return state.sum.map((value) => value / state.averaged);
}

function targetScale(y: Targets, base: TrainedWeights | undefined): Scale {
  // A warm start goes on in the units its weights were learned in.
  if (base !== undefined) {
    return { mean: Number(base.shape["targetMean"]), deviation: Number(base.shape["targetDeviation"]) };
  }
  let total = 0;
  let sum = 0;
  for (let i = 0; i < y.values.length; i++) {
    const weight = y.weights === undefined ? 1 : (y.weights[i] as number);
    total += weight;
    sum += weight * (y.values[i] as number);
  }
  const mean = sum / total;
  let squares = 0;
  for (let i = 0; i < y.values.length; i++) {
    const difference = (y.values[i] as number) - mean;
    squares += (y.weights === undefined ? 1 : (y.weights[i] as number)) * difference * difference;
  }
  const deviation = Math.sqrt(squares / total);
  return { mean, deviation: deviation > Math.abs(mean) * 1e-12 ? deviation : 1 };
}

function standardize(values: Float64Array, scale: Scale): Float64Array {
  return values.map((value) => (value - scale.mean) / scale.deviation);
}

/** The base's weights, or zeros with intercepts at the class shares, so that a rare class is calibrated from the first step. */
function startWeights(request: FitRequest, columns: number, outputs: number): Float64Array {
  const { task, train, base } = request;
  const size = outputs * (columns + 1);
  if (base !== undefined) {
    const weights = base.arrays["weights"];
    if (!(weights instanceof Float64Array) || weights.length !== size || base.trainer !== "linear") {
      throw fail("TRAINER_FAILED", {
        message: `The base model is a ${base.trainer} of ${weights?.length ?? 0} weights; this run needs ${size} (${outputs} × ${columns + 1}).`,
        remedy: "Run a full training: features, classes or trainer have changed since the base.",
      });
    }
    return Float64Array.from(weights);
  }
  const weights = new Float64Array(size);
  if (task === "regression") return weights;
  const shares = new Float64Array(train.y.classCount);
  for (let i = 0; i < train.y.values.length; i++) {
    const label = train.y.values[i] as number;
    shares[label] = (shares[label] as number) + (train.y.weights === undefined ? 1 : (train.y.weights[i] as number));
  }
  // Half a row for each class keeps the logarithm finite where validation alone has a class.
  if (task === "binary") {
    weights[columns] = logDeterministic(((shares[1] as number) + 0.5) / ((shares[0] as number) + 0.5));
  } else {
    for (let c = 0; c < outputs; c++)
      weights[c * (columns + 1) + columns] = logDeterministic((shares[c] as number) + 0.5);
  }
  return weights;
}

function assemble(
  task: Task,
  weights: Float64Array,
  columns: number,
  outputs: number,
  scale: Scale,
  bestEpoch: number,
): TrainedWeights {
  const shape: JsonObject = {
    task,
    columns,
    outputs,
    ...(task === "regression" ? { targetMean: scale.mean, targetDeviation: scale.deviation } : {}),
  };
  return { trainer: "linear", shape, arrays: { weights }, bestEpoch };
}

function measureEpoch(request: FitRequest, trained: TrainedWeights) {
  const score = linearScorer(trained, request.task);
  const train = measurePart(request.task, request.train, score);
  // Early stopping looks at every validation row: it decides which weights go live.
  const validation = measurePart(request.task, request.validation, score, Infinity);
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
  // Without validation rows (a refit on everything) the training loss chooses.
  return { metrics, loss: request.validation.x.rows === 0 ? train.loss : validation.loss };
}

/** Ranking needs a sort; over at most this many rows it costs about a millisecond an epoch, and shows the AUC within ±0.01. */
const AUC_ROWS = 5_000;

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

function linearScorer(trained: TrainedWeights, task: Task): ScoreRow {
  const weights = trained.arrays["weights"] as Float64Array;
  const columns = Number(trained.shape["columns"]);
  if (task === "multiclass") {
    return (x, offset, out) => {
      linearScores(weights, x, offset, columns, out);
      softmaxInPlace(out);
    };
  }
  const mean = Number(trained.shape["targetMean"] ?? 0);
  const deviation = Number(trained.shape["targetDeviation"] ?? 1);
  const isBinary = task === "binary";
  return (x, offset, out) => {
    let score = weights[columns] as number;
    for (let j = 0; j < columns; j++) score += (weights[j] as number) * (x[offset + j] as number);
    if (isBinary) {
      const p = sigmoid(score);
      out[0] = 1 - p;
      out[1] = p;
    } else out[0] = mean + deviation * score;
  };
}

/**
 * What each column adds to the score before the link: weight × scaled value, in logits (binary, multiclass of the class) or in
 * the target's unit. Their sum plus `intercept` is `score`.
 */
export function linearContributions(
  trained: TrainedWeights,
  prepared: Float32Array,
  output = 0,
): { readonly contributions: Float64Array; readonly intercept: number; readonly score: number } {
  const weights = trained.arrays["weights"] as Float64Array;
  const columns = Number(trained.shape["columns"]);
  const deviation = Number(trained.shape["targetDeviation"] ?? 1);
  const mean = Number(trained.shape["targetMean"] ?? 0);
  const base = output * (columns + 1);
  const contributions = new Float64Array(columns);
  const intercept = mean + deviation * (weights[base + columns] as number);
  let score = intercept;
  for (let j = 0; j < columns; j++) {
    contributions[j] = deviation * (weights[base + j] as number) * (prepared[j] as number);
    score += contributions[j] as number;
  }
  return { contributions, intercept, score };
}
