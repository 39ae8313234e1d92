/** What gates judge besides metrics over the whole holdout: slices, calibration, parts of the holdout, the confusion matrix. */
import {
  type CalibrationEvidence,
  createRandom,
  type EvaluationReport,
  type HoldoutPart,
  type LabelValue,
  seedFrom,
  type SliceDifference,
  type SliceEvidence,
} from "../core/index.ts";
import {
  adjustPValues,
  bootstrapMetric,
  computeMetric,
  confusionMatrix,
  METRICS,
  type MetricInput,
  type MetricName,
  normalSf,
  pairedBootstrap,
} from "../stats/index.ts";
import { bootstrapOptions, type ComparisonRules } from "./comparison.ts";

export interface SliceRequest {
  readonly metric: MetricName;
  readonly margin: number;
  readonly minRows: number;
  readonly slices: readonly { readonly name: string; readonly rows: Uint32Array }[];
}

/** A ranking metric needs positives and negatives to rank: this many of each (reference value). */
const MIN_PER_CLASS = 10;
/** Enough for a standard error within 5 %; the p-value then comes from the normal curve. */
const SLICE_RESAMPLES = 200;

/**
 * Per slice the paired difference, one-sided p of "the candidate is worse here by more than the margin", and Benjamini-Hochberg
 * over the slices. Cost O(200 · rows of all slices).
 */
export function compareSlices(
  request: SliceRequest,
  models: { readonly candidate: MetricInput; readonly other: MetricInput },
  rules: ComparisonRules,
): SliceEvidence {
  const { metric, margin, minRows } = request;
  const sign = METRICS[metric].higherIsBetter ? -1 : 1;
  const found: Omit<SliceDifference, "adjusted" | "shrunken">[] = [];
  let tooSmall = 0;
  for (const { name, rows } of request.slices) {
    const candidate = pickRows(models.candidate, rows);
    const other = pickRows(models.other, rows);
    const paired =
      rows.length < minRows || !hasBothClasses(metric, candidate)
        ? null
        : pairedBootstrap(
            metric,
            { candidate, champion: other },
            bootstrapOptions({ ...rules, resamples: SLICE_RESAMPLES }, `slice ${name}`, metric),
          );
    const values = [computeMetric(metric, candidate), computeMetric(metric, other)] as const;
    if (paired === null || values[0] === null || values[1] === null) {
      tooSmall++;
      continue;
    }
    const harm = sign * paired.estimate - margin;
    const { standardError } = paired;
    found.push({
      slice: name,
      metric,
      rows: rows.length,
      candidate: values[0],
      champion: values[1],
      difference: paired.estimate,
      standardError,
      p: standardError > 0 ? normalSf(harm / standardError) : harm > 0 ? 0 : 1,
    });
  }
  const adjusted = adjustPValues(found.map(({ p }) => p));
  const shrunken = shrink(found);
  return {
    metric,
    margin,
    minRows,
    tooSmall,
    differences: found.map((one, i) => ({ ...one, shrunken: shrunken[i] as number, adjusted: adjusted[i] as number })),
  };
}

/** Towards the mean of the slices, by the share of noise in each (J. James and C. Stein 1961; variance by DerSimonian and Laird 1986). */
function shrink(found: readonly { readonly difference: number; readonly standardError: number }[]): number[] {
  const variances = found.map(({ standardError }) => Math.max(standardError * standardError, 1e-300));
  const weights = variances.map((variance) => 1 / variance);
  const total = weights.reduce((sum, one) => sum + one, 0);
  const mean = found.reduce((sum, one, i) => sum + one.difference * (weights[i] as number), 0) / total;
  const spread = found.reduce(
    (sum, { difference }, i) => sum + (weights[i] as number) * (difference - mean) * (difference - mean),
    0,
  );
  const squares = weights.reduce((sum, one) => sum + one * one, 0);
  const between = Math.max(0, (spread - (found.length - 1)) / (total - squares / total || 1));
  return found.map(({ difference }, i) => {
    const trust = between / (between + (variances[i] as number));
    return mean + trust * (difference - mean);
  });
}

function hasBothClasses(metric: MetricName, { labels }: MetricInput): boolean {
  if (metric !== "rocAuc" && metric !== "averagePrecision") return true;
  let positives = 0;
  for (let i = 0; i < labels.length; i++) positives += labels[i] as number;
  return positives >= MIN_PER_CLASS && labels.length - positives >= MIN_PER_CLASS;
}

/** Simulated holdouts of a calibrated model; the mean of 200 is known within 4 % of its spread. */
const CALIBRATION_DRAWS = 200;

/** Binary only. The error of a calibrated model is not 0 on finite rows: what it would be is simulated from the scores themselves. */
export function calibrationEvidence(input: MetricInput, rules: ComparisonRules): CalibrationEvidence | undefined {
  const error = computeMetric("ece", input);
  const own = bootstrapMetric("ece", input, bootstrapOptions({ ...rules, resamples: 1000 }, "value", "ece"));
  if (error === null || own === null) return undefined;
  const random = createRandom(seedFrom(rules.seed, "calibration", "expected"));
  const labels = new Float64Array(input.labels.length);
  let sum = 0;
  for (let draw = 0; draw < CALIBRATION_DRAWS; draw++) {
    for (let i = 0; i < labels.length; i++) labels[i] = random.nextFloat() < (input.scores[i] as number) ? 1 : 0;
    sum += computeMetric("ece", { ...input, labels }) ?? 0;
  }
  return { error, interval: own.interval, expectedIfCalibrated: sum / CALIBRATION_DRAWS, rows: labels.length };
}

/** The held-out rows before and after their middle: a model may have won on the past and lost on the present. */
export function holdoutParts(
  metrics: readonly MetricName[],
  models: { readonly candidate: MetricInput; readonly champion?: MetricInput },
  at: Float64Array,
): readonly HoldoutPart[] {
  const rows = at.length;
  const half = Math.floor(rows / 2);
  if (half < 1) return [];
  const order = Uint32Array.from({ length: rows }, (_, i) => i).sort(
    (a, b) => (at[a] as number) - (at[b] as number) || a - b,
  );
  const values = (from: MetricInput, part: Uint32Array) => {
    const input = pickRows(from, part);
    return Object.fromEntries(metrics.map((metric) => [metric, computeMetric(metric, input)]));
  };
  return (["older", "recent"] as const).map((part, i) => {
    const own = i === 0 ? order.subarray(0, half) : order.subarray(half);
    const { champion } = models;
    return {
      part,
      from: at[own[0] as number] as number,
      to: at[own[own.length - 1] as number] as number,
      rows: own.length,
      candidate: values(models.candidate, own),
      ...(champion === undefined ? {} : { champion: values(champion, own) }),
    };
  });
}

/** A matrix of more classes is a picture nobody reads. */
const MAX_CONFUSION_CLASSES = 20;

export function confusionEvidence(
  classes: readonly LabelValue[],
  models: { readonly candidate: MetricInput; readonly champion?: MetricInput },
): Pick<EvaluationReport, "confusion"> {
  if (classes.length < 2 || classes.length > MAX_CONFUSION_CLASSES) return {};
  const matrix = (input: MetricInput) => {
    const { classCount, cells } = confusionMatrix(input);
    return Array.from({ length: classCount }, (_, i) => [...cells.subarray(i * classCount, (i + 1) * classCount)]);
  };
  return {
    confusion: {
      classes: classes.map(String),
      candidate: matrix(models.candidate),
      ...(models.champion === undefined ? {} : { champion: matrix(models.champion) }),
    },
  };
}

export function pickRows(from: MetricInput, rows: Uint32Array): MetricInput {
  const width = from.classCount ?? 1;
  const labels = new Float64Array(rows.length);
  const scores = new Float64Array(rows.length * width);
  rows.forEach((row, i) => {
    labels[i] = from.labels[row] as number;
    for (let j = 0; j < width; j++) scores[i * width + j] = from.scores[row * width + j] as number;
  });
  const take = (values: ArrayLike<number> | undefined) =>
    values === undefined ? undefined : Float64Array.from(rows, (row) => values[row] as number);
  const [scales, lows, highs] = [take(from.scales), take(from.lows), take(from.highs)];
  return {
    ...from,
    labels,
    scores,
    ...(scales === undefined ? {} : { scales }),
    ...(lows === undefined ? {} : { lows }),
    ...(highs === undefined ? {} : { highs }),
  };
}
