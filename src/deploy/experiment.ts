/**
 * The comparison of a phase, from sums alone, valid however often it is made.
 *
 * Unpaired (canary, ramp, A/B): difference of two ratio means with delta-method variances, adjusted by the champion's own score
 * as covariate (A. Deng et al., "Improving the sensitivity of online controlled experiments by utilizing pre-experiment data",
 * 2013): the score is computed from the features, which the assignment cannot change. Paired (shadow, watch): mean of per-example
 * differences. Intervals: asymptotic confidence sequence by default; for metrics in [0, 1] an exact empirical-Bernstein or
 * betting sequence; Lan-DeMets boundaries at planned looks on request. Left out: ratio metrics that are no mean over rows (AUC, F1).
 */
import type { Comparison, ExperimentMetric } from "../core/index.ts";
import {
  alwaysValidHalfWidth,
  alwaysValidMarginOneSided,
  DEFAULT_TUNING_ROWS,
  groupSequentialBoundaries,
  msprtLogRatio,
  normalIsf,
  sequentialP,
  type Spending,
} from "../stats/index.ts";
import { type ArmMoments, armMoments, type BucketSums } from "./bucket-sums.ts";
import { type ExactArms, exactInterval, type ExactState } from "./exact-interval.ts";

/** Error rate of the comparison in stages that state none. */
export const SHADOW_ALPHA = 0.05;
/** Error rate of automatic rollbacks on harm: each is one-sided and looked at for ever. */
export const HARM_ALPHA = 0.01;
/**
 * Labelled rows of each arm, and independent pieces behind them, before an asymptotic interval says anything (reference value:
 * 100 an arm): two rows that are both wrong have no variance, and beside a large arm would look like proof.
 */
export const ARM_ROWS = 100;
export const ARM_PIECES = 30;

export interface ExperimentPlan {
  readonly metric: ExperimentMetric;
  readonly margin: number;
  readonly alpha: number;
  readonly minSamples: number;
  readonly rule: "superiority" | "non-inferiority";
  readonly method: "always-valid" | "bounded" | "betting" | "group-sequential";
  readonly spending: Spending;
  readonly looks: number;
  /** Rows of both arms at the last planned look. */
  readonly plannedRows: number | null;
  /** A unit was given: buckets are clusters. */
  readonly clustered: boolean;
}

export interface Arms {
  readonly champion: BucketSums;
  readonly challenger: BucketSums;
}
export interface Estimate {
  /** Positive: the challenger is better. */
  readonly difference: number;
  readonly standardError: number;
  readonly championMean: number;
  readonly challengerMean: number;
  readonly rows: number;
  readonly varianceReduction: number;
  /** Of the smaller arm; of the pairs where both answer the same rows. */
  readonly smallestArm: { readonly rows: number; readonly pieces: number };
}

/** Whether both arms are large enough for the normal approximation. */
export const isArmLarge = ({ smallestArm: { rows, pieces } }: Pick<Estimate, "smallestArm">) =>
  rows >= ARM_ROWS && pieces >= ARM_PIECES;

const isHigherBetter = (metric: ExperimentMetric) => metric === "accuracy";

/** @returns null while an arm holds fewer than two independent pieces */
export function estimateUnpaired(arms: Arms, metric: ExperimentMetric, clustered: boolean): Estimate | null {
  const champion = armMoments(arms.champion, clustered);
  const challenger = armMoments(arms.challenger, clustered);
  if (champion === null || challenger === null) return null;
  const spread = champion.varX + challenger.varX;
  const theta = spread > 0 ? (champion.cov + challenger.cov) / spread : 0;
  const raw = champion.varY + challenger.varY;
  const adjusted = residual(champion, theta) + residual(challenger, theta);
  const pooled =
    (champion.n * champion.meanX + challenger.n * challenger.meanX) / Math.max(1, champion.n + challenger.n);
  const championMean = champion.meanY - theta * (champion.meanX - pooled);
  const challengerMean = challenger.meanY - theta * (challenger.meanX - pooled);
  const sign = isHigherBetter(metric) ? 1 : -1;
  return {
    difference: sign * (challengerMean - championMean),
    standardError: Math.sqrt(adjusted),
    championMean,
    challengerMean,
    rows: champion.n + challenger.n,
    varianceReduction: raw > 0 ? Math.max(0, 1 - adjusted / raw) : 0,
    smallestArm: {
      rows: Math.min(champion.n, challenger.n),
      pieces: Math.min(champion.pieces, challenger.pieces),
    },
  };
}

const residual = (arm: ArmMoments, theta: number) =>
  Math.max(0, arm.varY - 2 * theta * arm.cov + theta * theta * arm.varX);

/** Pairs: y of `pairs` is (better-oriented) challenger minus champion; `champion` and `challenger` hold the single losses. */
export function estimatePaired(pairs: BucketSums, arms: Arms, clustered: boolean): Estimate | null {
  const moments = armMoments(pairs, clustered);
  if (moments === null) return null;
  const mean = (sums: BucketSums) => (sums.totals.n > 0 ? sums.totals.y / sums.totals.n : Number.NaN);
  return {
    difference: moments.meanY,
    standardError: Math.sqrt(moments.varY),
    championMean: mean(arms.champion),
    challengerMean: mean(arms.challenger),
    rows: moments.n,
    varianceReduction: 0,
    smallestArm: { rows: moments.n, pieces: moments.pieces },
  };
}

/** Interval of the difference that holds at every look. */
export function sequenceInterval(estimate: Estimate, alpha: number): readonly [number, number] {
  const half = alwaysValidHalfWidth({ standardError: estimate.standardError, rows: estimate.rows, alpha });
  return [estimate.difference - half, estimate.difference + half];
}

/** Upper end of the one-sided sequence of the difference: below −margin, harm is shown. */
export function harmBound(estimate: Estimate, alpha = HARM_ALPHA): number {
  const margin = alwaysValidMarginOneSided({ standardError: estimate.standardError, rows: estimate.rows, alpha });
  return estimate.difference + margin;
}

/**
 * p-value of the mixture sequential probability ratio test, valid at every look. The mixture is as wide as the standard error
 * at the rows the intervals are tuned for, so that p and interval tell the same story.
 */
export function mixtureP(estimate: Estimate, previous = 1): number {
  const variance = estimate.standardError * estimate.standardError;
  if (!(variance > 0)) return estimate.difference === 0 ? previous : Math.min(previous, 0);
  const mixture = (variance * estimate.rows) / (DEFAULT_TUNING_ROWS / 5);
  return sequentialP(previous, msprtLogRatio(estimate.difference, variance, mixture));
}

export interface LookInput {
  readonly plan: ExperimentPlan;
  readonly estimate: Estimate;
  /** Exact states per arm, or of pairs; absent: the asymptotic sequence. */
  readonly exact?: ExactArms | ExactState;
  /** Information fractions of the planned looks taken so far. */
  readonly looks: readonly number[];
  /** The maximum duration is over: the last planned look is now. */
  readonly isLast: boolean;
}
export interface Look {
  readonly interval: readonly [number, number];
  readonly method: string;
  /** Set when this is one of the planned looks: its information fraction. */
  readonly fraction?: number;
  /** False: a planned test that may not be read yet. */
  readonly readable: boolean;
}

/** The interval of one look by the plan's method. */
export function lookAt(input: LookInput): Look {
  const { plan, estimate } = input;
  if (input.exact !== undefined) {
    const method = plan.method === "betting" ? "hedged betting" : "empirical Bernstein";
    return { interval: exactDifference(input.exact, plan), method, readable: true };
  }
  if (plan.method !== "group-sequential" || plan.plannedRows === null) {
    return {
      interval: sequenceInterval(estimate, plan.alpha),
      method: "asymptotic confidence sequence",
      readable: true,
    };
  }
  const { looks } = input;
  const reached = input.isLast ? 1 : Math.min(1, estimate.rows / plan.plannedRows);
  const last = looks.at(-1) ?? 0;
  // The next point of the plan beyond the last look: one look that came late does not use up those it passed.
  const due = Math.min(1, (Math.floor(last * plan.looks + 1e-9) + 1) / plan.looks);
  const isLook = reached > last && (input.isLast || reached >= due);
  const fractions = isLook ? [...looks, reached] : looks;
  const z =
    fractions.length === 0
      ? normalIsf(1e-9)
      : (groupSequentialBoundaries(plan.spending, fractions, plan.alpha).at(-1) as number);
  const half = z * estimate.standardError;
  return {
    interval: [estimate.difference - half, estimate.difference + half],
    method: `group sequential (${plan.spending}), look ${fractions.length} of ${plan.looks}`,
    ...(isLook ? { fraction: reached } : {}),
    readable: isLook,
  };
}

function exactDifference(state: NonNullable<LookInput["exact"]>, plan: ExperimentPlan): readonly [number, number] {
  if ("n" in state) {
    const [low, high] = exactInterval(state, plan.alpha);
    return [2 * low - 1, 2 * high - 1];
  }
  const champion = exactInterval(state.champion, plan.alpha / 2);
  const challenger = exactInterval(state.challenger, plan.alpha / 2);
  const ends = [challenger[0] - champion[1], challenger[1] - champion[0]] as const;
  return isHigherBetter(plan.metric) ? ends : [-ends[1], -ends[0]];
}

/** What the interval says under the plan's rule. */
export function verdictOf(
  interval: readonly [number, number] | null,
  plan: Pick<ExperimentPlan, "rule" | "margin">,
): Comparison["verdict"] {
  if (interval === null) return "cannot-tell";
  const [low, high] = interval;
  if (low > 0) return "better";
  if (high < (plan.rule === "superiority" ? 0 : -plan.margin)) return "worse";
  return low > -plan.margin && plan.margin > 0 ? "not-worse" : "cannot-tell";
}

export interface PowerInput {
  /** Standard deviation of one row's metric. */
  readonly rowDeviation: number;
  /** Effect to find, in the metric's unit. */
  readonly effect: number;
  /** Challenger's share of rows. */
  readonly share: number;
  readonly alpha: number;
  readonly power?: number;
}

/**
 * Rows of both arms an A/B needs. A fixed-sample plan, doubled: an always-valid test of that length finds the effect as often,
 * and stops after about half of it (simulated in bench/experiments.bench.ts). Infinity for effect 0.
 */
export function rowsForAb(input: PowerInput): number {
  const { rowDeviation, effect, share, alpha, power = 0.8 } = input;
  if (!(effect > 0)) return Number.POSITIVE_INFINITY;
  const ratio = ((normalIsf(alpha / 2) + normalIsf(1 - power)) * rowDeviation) / effect;
  return Math.ceil((2 * ratio * ratio) / (share * (1 - share)));
}
