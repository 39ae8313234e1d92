/** Simulated scores and labels whose truth is known: how far an estimate of performance is off. */
import { createRandom, type SeededRandom, seedFrom } from "../src/core/index.ts";
import {
  addInPlace,
  calibratedScores,
  curveUncertainty,
  estimateFromCounters,
  estimateOf,
  fitScoreCurve,
  type PerformanceEstimate,
} from "../src/monitor/index.ts";
import { computeMetric } from "../src/stats/index.ts";

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

function normal(random: SeededRandom): number {
  return Math.sqrt(-2 * Math.log(1 - random.nextFloat())) * Math.cos(2 * Math.PI * random.nextFloat());
}

/** Labels follow sigmoid(1.2 x); `turn` replaces the slope. The scores are right for the slope 1.2. */
export function simulateBinary(
  seed: number,
  rows: number,
  world: { readonly mean: number; readonly scale: number; readonly turn?: number },
) {
  const random = createRandom(seed);
  const scores = new Float64Array(rows);
  const labels = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const x = world.mean + world.scale * normal(random);
    scores[i] = sigmoid(1.2 * x);
    labels[i] = random.nextFloat() < sigmoid((world.turn ?? 1.2) * x) ? 1 : 0;
  }
  return { scores, labels };
}

/** A model that is too sure of itself by a third and leans to one side: its scores need the calibration. */
const distorted = (score: number) => sigmoid(1.35 * Math.log(score / (1 - score)) + 0.3);

export interface EstimationCase {
  readonly seed: number;
  readonly kind: "covariate" | "concept";
  /** Of the window. Default 20,000. */
  readonly rows?: number;
  /** On which the scores are calibrated: with few of them the curve is off by a few percent, which the deviation of the estimate says. */
  readonly referenceRows?: number;
  /** Default `rocAuc`. */
  readonly metric?: "rocAuc" | "f1" | "accuracy" | "logLoss" | "brier";
}

/** One window of a binary model: the metric estimated before labels, and what it turns out to be. */
export function estimationError(one: EstimationCase) {
  const { seed, kind, rows = 20_000, referenceRows = 40_000, metric = "rocAuc" } = one;
  const held = simulateBinary(seedFrom(seed, "reference"), referenceRows, { mean: 0, scale: 1 });
  const reference = held.scores.map(distorted);
  const curve = fitScoreCurve(reference, held.labels, seed);
  const calibration = { rows: reference.length, curves: [curve] };
  const world = kind === "covariate" ? { mean: 0.5, scale: 1.2 } : { mean: 0, scale: 1, turn: 0.3 };
  const now = simulateBinary(seedFrom(seed, "current"), rows, world);
  const current = now.scores.map(distorted);
  const sum = new Map<string, bigint>();
  for (const score of current) {
    const scores = [1 - score, score];
    const expected = calibratedScores(calibration, scores);
    addInPlace(sum, estimateOf({ task: "binary", classes: [false, true], scores, decision: score >= 0.5, expected }));
  }
  const uncertainty = [curveUncertainty(curve, reference, held.labels)];
  const found = estimateFromCounters(metric, Object.fromEntries(sum), uncertainty);
  const realised = computeMetric(metric, { labels: now.labels, scores: current });
  return { ...judged(found, realised), before: computeMetric(metric, { labels: held.labels, scores: reference }) };
}

function judged({ value, deviation, calibrationDeviation }: PerformanceEstimate, realised: number | null) {
  if (value === null || deviation === null || realised === null) throw new Error("The metric is not defined here.");
  return { estimated: value, realised, gap: value - realised, deviation, calibrationDeviation };
}

const CLASSES = ["a", "b", "c"];
/** Log-odds of the classes by the two features, before they are made to sum to one. */
const SLOPES = [
  [1.1, -0.3],
  [-0.6, 0.9],
  [-0.2, -0.8],
] as const;

function softmax(logits: readonly number[]): number[] {
  const each = logits.map(Math.exp);
  const sum = each.reduce((total, value) => total + value, 0);
  return each.map((value) => value / sum);
}

/** Rows of three classes; the model is surer of itself than it should be and leans to the first class. */
function simulateClasses(seed: number, rows: number, world: { readonly mean: number; readonly scale: number }) {
  const random = createRandom(seed);
  const labels = new Float64Array(rows);
  const scores: number[][] = [];
  for (let row = 0; row < rows; row++) {
    const x = [0, 1].map(() => world.mean + world.scale * normal(random));
    const logits = SLOPES.map(([a, b]) => a * (x[0] as number) + b * (x[1] as number));
    const p = softmax(logits);
    const draw = random.nextFloat();
    labels[row] = draw < (p[0] as number) ? 0 : draw < (p[0] as number) + (p[1] as number) ? 1 : 2;
    scores.push(softmax(logits.map((z, k) => 1.3 * z + (k === 0 ? 0.25 : 0))));
  }
  return { labels, scores };
}

/** The same of a model of three classes, calibrated class by class. */
export function classEstimationErrors(
  one: Required<Pick<EstimationCase, "seed" | "rows" | "referenceRows">>,
  metrics: readonly ("accuracy" | "logLoss" | "brier")[],
) {
  const held = simulateClasses(seedFrom(one.seed, "reference"), one.referenceRows, { mean: 0, scale: 1 });
  const columns = CLASSES.map((_, k) => ({
    scores: Float64Array.from(held.scores, (row) => row[k] as number),
    outcomes: held.labels.map((label) => Number(label === k)),
  }));
  const curves = columns.map(({ scores, outcomes }, k) => fitScoreCurve(scores, outcomes, seedFrom(one.seed, k)));
  const uncertainty = columns.map(({ scores, outcomes }, k) => curveUncertainty(curves[k] ?? null, scores, outcomes));
  const now = simulateClasses(seedFrom(one.seed, "current"), one.rows, { mean: 0.4, scale: 1.2 });
  const sum = new Map<string, bigint>();
  for (const scores of now.scores) {
    const expected = calibratedScores({ rows: one.referenceRows, curves }, scores);
    const decision = CLASSES[scores.indexOf(Math.max(...scores))] as string;
    addInPlace(sum, estimateOf({ task: "multiclass", classes: CLASSES, scores, decision, expected }));
  }
  const values = Object.fromEntries(sum);
  const flat = Float64Array.from(now.scores.flat());
  return metrics.map((metric) => {
    const realised = computeMetric(metric, { labels: now.labels, scores: flat, classCount: CLASSES.length });
    return judged(estimateFromCounters(metric, values, uncertainty), realised);
  });
}
