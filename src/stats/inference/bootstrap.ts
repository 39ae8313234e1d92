/**
 * Bootstrap intervals (B. Efron 1979) for any metric and for the paired difference of two models on the same rows. A replicate
 * is a vector of row counts; each model's metric is evaluated under the *same* counts, which is what makes the difference
 * paired and its interval far narrower than that of two separate ones.
 *
 * Percentile intervals are used: they respect a metric's range and need no variance formula. They are a little too
 * narrow below about 50 rows. Rows that depend on each other must be resampled together: in blocks (time order; H. Künsch 1989)
 * or in groups (all rows of one customer).
 */
import { RetrainError } from "../../core/errors.ts";
import { powDeterministic } from "../exp.ts";
import type { MetricInput } from "../metrics/metric.ts";
import { weightedMean } from "../metrics/metric.ts";
import { METRICS, type MetricName, prepareMetric, rowLosses } from "../metrics/registry.ts";
import { sortedQuantile } from "./quantile.ts";

/** 2,000 replicates put the 2.5 % and 97.5 % ends within about 1/15 of the interval's width. */
export const DEFAULT_RESAMPLES = 2000;

/** All that is needed of a generator; `createRandom` of core fits. */
export interface IndexSource {
  nextUint32(): number;
}

export type ResamplePlan =
  | { readonly kind: "rows" }
  /** Rows are in time order; `length` default is the cube root of n. */
  | { readonly kind: "blocks"; readonly length?: number }
  /** `groupOf[i]` is the group number 0..g−1 of row i. */
  | { readonly kind: "groups"; readonly groupOf: ArrayLike<number> };

export interface BootstrapOptions {
  readonly random: IndexSource;
  readonly resamples?: number;
  /** Coverage of the two-sided interval and confidence of the one-sided bounds; default 0.95. */
  readonly level?: number;
  readonly plan?: ResamplePlan;
}

export interface BootstrapResult {
  readonly estimate: number;
  /** Two-sided percentile interval at `level`. */
  readonly interval: readonly [number, number];
  /** One-sided: the true value is above this with confidence `level`. */
  readonly lowerBound: number;
  /** One-sided: the true value is below this with confidence `level`. */
  readonly upperBound: number;
  readonly mean: number;
  readonly standardError: number;
  readonly shareAtOrBelowZero: number;
  readonly rowCount: number;
  readonly resamples: number;
  /** Replicates in which the metric was not defined (no positive was drawn); they are left out. */
  readonly undefinedReplicates: number;
}

type Statistic = (counts: Float64Array) => number | null;

const SCALE = 1 / 4_294_967_296;
const drawIndex = (random: IndexSource, n: number): number => Math.floor(random.nextUint32() * SCALE * n);

type Drawer = (counts: Float64Array, random: IndexSource) => void;

function rowDrawer(rowCount: number): Drawer {
  return (counts, random) => {
    for (let i = 0; i < rowCount; i++) {
      const index = drawIndex(random, rowCount);
      counts[index] = (counts[index] as number) + 1;
    }
  };
}

function blockDrawer(rowCount: number, asked: number | undefined): Drawer {
  const length = Math.min(Math.max(1, Math.round(asked ?? powDeterministic(rowCount, 1 / 3))), rowCount);
  return (counts, random) => {
    for (let filled = 0; filled < rowCount; filled += length) {
      const start = drawIndex(random, rowCount - length + 1);
      const size = Math.min(length, rowCount - filled);
      for (let i = start; i < start + size; i++) counts[i] = (counts[i] as number) + 1;
    }
  };
}

function groupDrawer(rowCount: number, groupOf: ArrayLike<number>): Drawer {
  let groupCount = 0;
  for (let i = 0; i < rowCount; i++) groupCount = Math.max(groupCount, (groupOf[i] as number) + 1);
  const drawn = new Float64Array(groupCount);
  return (counts, random) => {
    drawn.fill(0);
    for (let i = 0; i < groupCount; i++) {
      const index = drawIndex(random, groupCount);
      drawn[index] = (drawn[index] as number) + 1;
    }
    for (let i = 0; i < rowCount; i++) counts[i] = drawn[groupOf[i] as number] as number;
  };
}

function drawerFor(plan: ResamplePlan, rowCount: number): Drawer {
  switch (plan.kind) {
    case "rows":
      return rowDrawer(rowCount);
    case "blocks":
      return blockDrawer(rowCount, plan.length);
    case "groups":
      return groupDrawer(rowCount, plan.groupOf);
  }
}

/**
 * Bootstrap of any statistic of row counts. Null when the statistic is not defined on the rows themselves, or on more than half
 * of the replicates ("cannot tell"). Cost O(resamples · n).
 */
export function bootstrapStatistic(
  rowCount: number,
  statistic: Statistic,
  options: BootstrapOptions,
): BootstrapResult | null {
  if (rowCount === 0) return null;
  const estimate = statistic(new Float64Array(rowCount).fill(1));
  if (estimate === null) return null;
  const resamples = options.resamples ?? DEFAULT_RESAMPLES;
  const draw = drawerFor(options.plan ?? { kind: "rows" }, rowCount);
  const counts = new Float64Array(rowCount);
  const replicates = new Float64Array(resamples);
  let defined = 0;
  for (let r = 0; r < resamples; r++) {
    counts.fill(0);
    draw(counts, options.random);
    const value = statistic(counts);
    if (value !== null) replicates[defined++] = value;
  }
  if (defined * 2 < resamples) return null;
  return summarize(replicates.subarray(0, defined), { estimate, rowCount, resamples, level: options.level ?? 0.95 });
}

function summarize(
  replicates: Float64Array,
  about: { estimate: number; rowCount: number; resamples: number; level: number },
): BootstrapResult {
  const { estimate, rowCount, resamples, level } = about;
  const sorted = replicates.sort();
  const mean = weightedMean(sorted, null) as number;
  let squares = 0;
  let atOrBelowZero = 0;
  for (const value of sorted) {
    squares += (value - mean) * (value - mean);
    if (value <= 0) atOrBelowZero++;
  }
  const alpha = 1 - level;
  return {
    estimate,
    interval: [sortedQuantile(sorted, alpha / 2), sortedQuantile(sorted, 1 - alpha / 2)],
    lowerBound: sortedQuantile(sorted, alpha),
    upperBound: sortedQuantile(sorted, level),
    mean,
    standardError: sorted.length > 1 ? Math.sqrt(squares / (sorted.length - 1)) : 0,
    shareAtOrBelowZero: atOrBelowZero / sorted.length,
    rowCount,
    resamples,
    undefinedReplicates: resamples - sorted.length,
  };
}

/** Bootstrap of a mean of row values, for example of paired differences of losses. */
export function bootstrapMean(values: Float64Array, options: BootstrapOptions): BootstrapResult | null {
  return bootstrapStatistic(
    values.length,
    (counts) => {
      let sum = 0;
      let total = 0;
      for (let i = 0; i < values.length; i++) {
        sum += (counts[i] as number) * (values[i] as number);
        total += counts[i] as number;
      }
      return total > 0 ? sum / total : null;
    },
    options,
  );
}

/** Interval of one model's metric. Null where the metric is not defined. */
export function bootstrapMetric(
  name: MetricName,
  input: MetricInput,
  options: BootstrapOptions,
): BootstrapResult | null {
  return bootstrapStatistic(input.labels.length, prepareMetric(name, input), options);
}

/**
 * Candidate minus champion of a metric, both evaluated on the same resampled rows (in the metric's own direction: positive is
 * better exactly when `METRICS[name].higherIsBetter`). Null where the metric is not defined.
 *
 * Cost: 10,000 rows and 2,000 replicates take about 0.3 s for means and about 0.5 s for AUC.
 * Throws STATISTIC_UNDEFINED when the two inputs are not the same rows.
 */
export function pairedBootstrap(
  name: MetricName,
  models: { readonly candidate: MetricInput; readonly champion: MetricInput },
  options: BootstrapOptions,
): BootstrapResult | null {
  const { candidate, champion } = models;
  requireSameLabels(name, candidate, champion);
  if (METRICS[name].perRow) {
    const ours = rowLosses(name, candidate);
    const theirs = rowLosses(name, champion);
    return bootstrapMean(
      ours.map((value, i) => value - (theirs[i] as number)),
      options,
    );
  }
  const ours = prepareMetric(name, candidate);
  const theirs = prepareMetric(name, champion);
  return bootstrapStatistic(
    candidate.labels.length,
    (counts) => {
      const a = ours(counts);
      const b = theirs(counts);
      return a === null || b === null ? null : a - b;
    },
    options,
  );
}

function requireSameLabels(name: string, candidate: MetricInput, champion: MetricInput): void {
  let same = candidate.labels.length === champion.labels.length;
  for (let i = 0; same && i < candidate.labels.length; i++) same = candidate.labels[i] === champion.labels[i];
  if (same) return;
  throw new RetrainError("STATISTIC_UNDEFINED", {
    message: `A paired comparison of ${name} needs both models on the same rows, but their labels differ.`,
    remedy: "Score both models on one holdout, in one order.",
  });
}
