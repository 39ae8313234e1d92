/**
 * The paired difference of two models on the same rows, by the method that fits the metric:
 *
 * | metric   | rows          | method |
 * |----------|---------------|--------|
 * | rocAuc   | any order     | DeLong, Sun and Xu's fast form |
 * | accuracy | any order     | score interval that inverts McNemar's test (Tango 1998) |
 * | mae, mase | in time order | Diebold-Mariano with Harvey's correction, autocovariances up to the cube root of n |
 * | all      | in time order | paired bootstrap of blocks of neighbors |
 * | all else | any order     | paired bootstrap of rows |
 *
 * DeLong and McNemar assume that rows are independent, so with event times the blocks take their place. Level 0.9 two-sided:
 * each end is a one-sided 95 % bound, which is what gates judge.
 */
import { createRandom, type PairedDifference, plural, seedFrom } from "../core/index.ts";
import {
  aucInterval,
  type BootstrapOptions,
  bootstrapMetric,
  computeMetric,
  deLong,
  dieboldMariano,
  type MetricInput,
  type MetricName,
  pairedBootstrap,
  pairedShareInterval,
  powDeterministic,
  type ResamplePlan,
  rowLosses,
  studentIsf,
  wilsonInterval,
} from "../stats/index.ts";

const LEVEL = 0.9;

export interface ComparisonRules {
  /** Rows are in time order and depend on their neighbors. */
  readonly timeOrdered: boolean;
  readonly seed: number;
  /** Bootstrap replicates; default 2,000. */
  readonly resamples?: number;
}
type Interval = readonly [number, number];

/** Null where the metric is not defined for one of the two. Cost O(n log n), or O(R · n) by bootstrap. */
export function compareMetric(
  metric: MetricName,
  models: { readonly candidate: MetricInput; readonly other: MetricInput },
  rules: ComparisonRules,
): PairedDifference | null {
  const { candidate, other } = models;
  const values = [computeMetric(metric, candidate), computeMetric(metric, other)] as const;
  if (values[0] === null || values[1] === null) return null;
  const found = byMethod(metric, models, rules);
  if (found === null) return null;
  return {
    metric,
    candidate: values[0],
    champion: values[1],
    difference: found.difference,
    interval: found.interval,
    championStandardError: found.championStandardError,
    rows: candidate.labels.length,
    method: found.method,
  };
}

interface Found {
  readonly difference: number;
  readonly interval: Interval;
  readonly championStandardError: number;
  readonly method: string;
}

function byMethod(
  metric: MetricName,
  models: { readonly candidate: MetricInput; readonly other: MetricInput },
  rules: ComparisonRules,
): Found | null {
  if (metric === "rocAuc" && !rules.timeOrdered) return byDeLong(models) ?? byBootstrap(metric, models, rules);
  const isAccuracy = metric === "accuracy";
  if (isAccuracy && !rules.timeOrdered) return byMcNemar(models);
  if ((metric === "mae" || metric === "mase") && rules.timeOrdered)
    return byDieboldMariano(metric, models, rules) ?? byBootstrap(metric, models, rules);
  return byBootstrap(metric, models, rules);
}

function byDeLong({ candidate, other }: { candidate: MetricInput; other: MetricInput }): Found | null {
  const found = deLong({
    labels: candidate.labels,
    champion: other.scores,
    challenger: candidate.scores,
    level: LEVEL,
  });
  if (found === null) return null;
  return {
    difference: found.difference,
    interval: found.interval,
    championStandardError: Math.sqrt(found.varianceChampion),
    method: "DeLong",
  };
}

function byMcNemar({ candidate, other }: { candidate: MetricInput; other: MetricInput }): Found {
  const ours = rowLosses("accuracy", candidate);
  const theirs = rowLosses("accuracy", other);
  const rows = ours.length;
  let challengerOnly = 0;
  let championOnly = 0;
  let championRight = 0;
  for (let i = 0; i < rows; i++) {
    championRight += theirs[i] as number;
    if (ours[i] === theirs[i]) continue;
    if (ours[i] === 1) challengerOnly++;
    else championOnly++;
  }
  const share = championRight / rows;
  return {
    difference: (challengerOnly - championOnly) / rows,
    interval: pairedShareInterval({ championOnly, challengerOnly, rows, level: LEVEL }),
    championStandardError: Math.sqrt((share * (1 - share)) / rows),
    method: `McNemar's score interval, ${plural(championOnly + challengerOnly, "discordant row")}`,
  };
}

function byDieboldMariano(
  metric: MetricName,
  { candidate, other }: { candidate: MetricInput; other: MetricInput },
  rules: ComparisonRules,
): Found | null {
  const ours = rowLosses(metric, candidate);
  const theirs = rowLosses(metric, other);
  const horizon = Math.max(1, Math.round(powDeterministic(ours.length, 1 / 3)));
  const found = dieboldMariano(ours, theirs, horizon);
  const own = bootstrapMetric(metric, other, bootstrapOptions(rules, "champion", metric));
  if (found === null || own === null) return null;
  const half = studentIsf((1 - LEVEL) / 2, ours.length - 1) * found.standardError;
  return {
    difference: found.meanDifference,
    interval: [found.meanDifference - half, found.meanDifference + half],
    championStandardError: own.standardError,
    method: `Diebold-Mariano with Harvey's correction, ${plural(horizon - 1, "autocovariance")}`,
  };
}

function byBootstrap(
  metric: MetricName,
  { candidate, other }: { candidate: MetricInput; other: MetricInput },
  rules: ComparisonRules,
): Found | null {
  const paired = pairedBootstrap(metric, { candidate, champion: other }, bootstrapOptions(rules, "difference", metric));
  const own = bootstrapMetric(metric, other, bootstrapOptions(rules, "champion", metric));
  if (paired === null || own === null) return null;
  const plan = rules.timeOrdered ? "blocks of neighbors in time" : "rows";
  return {
    difference: paired.estimate,
    interval: paired.interval,
    championStandardError: own.standardError,
    method: `paired percentile bootstrap of ${plan}, ${paired.resamples} resamples`,
  };
}

/** One model's metric with its 90 % interval; null where it is not defined. */
export function metricInterval(metric: MetricName, input: MetricInput, rules: ComparisonRules): Interval | null {
  if (!rules.timeOrdered && metric === "accuracy") {
    const right = rowLosses("accuracy", input).reduce((sum, one) => sum + one, 0);
    return wilsonInterval(right, input.labels.length, LEVEL);
  }
  if (!rules.timeOrdered && metric === "rocAuc") {
    const found = deLong({ labels: input.labels, champion: input.scores, challenger: input.scores, level: LEVEL });
    if (found !== null) return aucInterval(found.aucChampion, found.varianceChampion, LEVEL);
  }
  return bootstrapMetric(metric, input, bootstrapOptions(rules, "value", metric))?.interval ?? null;
}

export function bootstrapOptions(rules: ComparisonRules, purpose: string, metric: string): BootstrapOptions {
  const plan: ResamplePlan = { kind: rules.timeOrdered ? "blocks" : "rows" };
  const { resamples } = rules;
  return {
    random: createRandom(seedFrom(rules.seed, purpose, metric)),
    level: LEVEL,
    plan,
    ...(resamples === undefined ? {} : { resamples }),
  };
}
