// Simulated experiments: Bernoulli rows in two arms, looked at every so many rows by the very functions a rollout is judged with.
// Shared by the benchmark of false decisions and by the quick tests of the same claims.
import { createRandom } from "../src/core/index.ts";
import { type Estimate, harmBound, sequenceInterval, verdictOf } from "../src/deploy/experiment.ts";

export interface SimulationOptions {
  readonly runs: number;
  /** Rows of both arms at most. */
  readonly max: number;
  /** Challenger's rate of success less the champion's 0.3. */
  readonly effect: number;
  readonly seed: number;
  readonly margin: number;
  /** Rows between two looks; default 100. */
  readonly every?: number;
}

export interface SimulationResult {
  /** Experiments decided for and against the challenger, under superiority. */
  better: number;
  worse: number;
  /** Experiments in which it was called not worse by more than the margin at some look. */
  notWorse: number;
  /** Experiments in which a fixed z-test was significant at some look. */
  fixedZ: number;
  /** Experiments in which the quality guardrail showed harm beyond the margin at some look. */
  harm: number;
  /** Rows at which the decided ones were decided. */
  readonly stops: number[];
}

/** Rows before anything is read, as a stage's `minSamples`. */
const FIRST_LOOK = 1_000;
const BASE_RATE = 0.3;

export function simulateExperiments(options: SimulationOptions): SimulationResult {
  const random = createRandom(options.seed);
  const result: SimulationResult = { better: 0, worse: 0, notWorse: 0, fixedZ: 0, harm: 0, stops: [] };
  for (let run = 0; run < options.runs; run++) {
    const found = simulateOne(options, () => random.nextFloat());
    if (found.decided !== undefined) {
      result[found.decided]++;
      result.stops.push(found.stop);
    }
    if (found.notWorse) result.notWorse++;
    if (found.fixedZ) result.fixedZ++;
    if (found.harm) result.harm++;
  }
  return result;
}

function simulateOne({ max, effect, margin, every = 100 }: SimulationOptions, next: () => number) {
  const found = {
    decided: undefined as "better" | "worse" | undefined,
    stop: 0,
    notWorse: false,
    fixedZ: false,
    harm: false,
  };
  const n = [0, 0];
  const hits = [0, 0];
  for (let row = 1; row <= max; row++) {
    const arm = next() < 0.5 ? 0 : 1;
    n[arm] = (n[arm] as number) + 1;
    if (next() < (arm === 0 ? BASE_RATE : BASE_RATE + effect)) hits[arm] = (hits[arm] as number) + 1;
    if (row % every !== 0 || row < FIRST_LOOK) continue;
    const estimate = estimateOf(n, hits, row);
    const interval = sequenceInterval(estimate, 0.05);
    const verdict = verdictOf(interval, { rule: "superiority", margin: 0 });
    if (found.decided === undefined && (verdict === "better" || verdict === "worse")) {
      found.decided = verdict;
      found.stop = row;
    }
    if (interval[0] > -margin) found.notWorse = true;
    if (harmBound(estimate) < -margin) found.harm = true;
    if (Math.abs(estimate.difference) > 1.96 * estimate.standardError) found.fixedZ = true;
  }
  return found;
}

function estimateOf(n: readonly number[], hits: readonly number[], rows: number): Estimate {
  const mean = (arm: number) => (hits[arm] as number) / (n[arm] as number);
  const variance = (arm: number) => (mean(arm) * (1 - mean(arm))) / ((n[arm] as number) - 1);
  return {
    difference: mean(1) - mean(0),
    standardError: Math.sqrt(variance(0) + variance(1)),
    championMean: mean(0),
    challengerMean: mean(1),
    rows,
    varianceReduction: 0,
    smallestArm: { rows: Math.min(n[0] as number, n[1] as number), pieces: Math.min(n[0] as number, n[1] as number) },
  };
}
