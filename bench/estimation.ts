/** Simulated scores and labels whose truth is known: how far an estimate of performance is off. */
import { createRandom, type SeededRandom, seedFrom } from "../src/core/index.ts";
import {
  addInPlace,
  calibratedScores,
  curveUncertainty,
  estimateFromCounters,
  estimateOf,
  fitScoreCurve,
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

/**
 * @param referenceRows on which the scores are calibrated: with few of them the slope of the curve is off by a few percent, which
 * the deviation of the estimate says
 */
export function estimationError(seed: number, kind: "covariate" | "concept", rows = 20_000, referenceRows = 40_000) {
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
  const uncertainty = curveUncertainty(curve, reference, held.labels);
  const found = estimateFromCounters("rocAuc", Object.fromEntries(sum), uncertainty);
  const { value, deviation, calibrationDeviation } = found;
  const realised = computeMetric("rocAuc", { labels: now.labels, scores: current }) as number;
  const before = computeMetric("rocAuc", { labels: held.labels, scores: reference }) as number;
  const estimated = value as number;
  return {
    estimated,
    realised,
    before,
    gap: estimated - realised,
    deviation: deviation as number,
    calibrationDeviation,
  };
}
