/** Estimated performance before labels: from the folded expectations of every prediction, beside the realised values. */
import type { ModelSpec } from "../config/spec.ts";
import type { CounterDelta, CounterValues, Instant } from "../core/index.ts";
import {
  ACCURACY_FLOOR,
  addInPlace,
  BLIND_SPOTS,
  type CalibrationUncertainty,
  estimateFromCounters,
} from "../monitor/index.ts";
import type { LoopContext } from "./context.ts";
import { namedNotes } from "./version-notes.ts";
import type { EstimateSummary, PerformancePoint } from "./contract.ts";

/** Three deviations, of sampling and of the calibration: outside of that the realised value is not explained by chance. */
const BAND_DEVIATIONS = 3;
/** Realised values an estimate is compared with need labels for half of the predictions, and for 50. */
const MIN_COVERAGE = 0.5;
const MIN_LABELLED = 50;

/** Points with their estimates. Buckets in which nothing was estimated stay as they are. */
export function withEstimates(
  metric: string,
  series: {
    readonly bucketMs: number;
    readonly points: readonly PerformancePoint[];
    readonly rows: readonly CounterDelta[];
    /** By version. */
    readonly uncertainty: ReadonlyMap<string, CalibrationUncertainty>;
  },
): PerformancePoint[] {
  const { bucketMs, points, rows, uncertainty } = series;
  const sums = new Map<string, Map<string, bigint>>();
  for (const row of rows) {
    const key = `${Math.floor(row.bucket / bucketMs) * bucketMs} ${row.version}`;
    const sum = sums.get(key) ?? new Map<string, bigint>();
    sums.set(key, sum);
    addInPlace(sum, row.values);
  }
  return points.map((point) => {
    const sum = sums.get(`${point.from} ${point.version}`);
    const estimate =
      sum === undefined ? undefined : estimated(metric, Object.fromEntries(sum), uncertainty.get(point.version));
    return estimate === undefined ? point : { ...point, estimated: estimate };
  });
}

/** Versions whose artifacts are asked: the newest of a chart. */
const VERSIONS_ASKED = 8;

/** What each version's held-out rows leave open about its calibration; versions that do not know it are missing. */
export async function uncertaintyOf(
  context: LoopContext,
  model: string,
  rows: readonly CounterDelta[],
): Promise<ReadonlyMap<string, CalibrationUncertainty>> {
  const names = [...new Set([...rows].sort((a, b) => b.bucket - a.bucket).map((row) => row.version))];
  const found = new Map<string, CalibrationUncertainty>();
  for (const name of names.slice(0, VERSIONS_ASKED)) {
    const uncertainty = (await namedNotes(context, model, name))?.uncertainty;
    if (uncertainty !== undefined) found.set(name, uncertainty);
  }
  return found;
}

function estimated(
  metric: string,
  values: CounterValues,
  uncertainty: CalibrationUncertainty | undefined,
): PerformancePoint["estimated"] {
  const { value, rows, deviation } = estimateFromCounters(metric, values, uncertainty);
  if (value === null) return undefined;
  const half = deviation === null ? null : BAND_DEVIATIONS * deviation;
  return {
    value,
    rows,
    low: half === null ? null : value - half,
    high: half === null ? null : value + half,
  };
}

/** How far estimates were off where labels have come, and what they cannot see. Null where nothing is estimated. */
export function estimateSummary(
  spec: ModelSpec,
  metric: string,
  points: readonly PerformancePoint[],
): EstimateSummary | null {
  if (!points.some((point) => point.estimated !== undefined)) return null;
  let error = 0;
  let buckets = 0;
  let outside = 0;
  for (const { estimated: estimate, value, mature, labelled, predictions } of points) {
    if (estimate === undefined || value === null || !mature) continue;
    if (labelled < MIN_LABELLED || labelled < MIN_COVERAGE * predictions) continue;
    buckets += 1;
    error += Math.abs(estimate.value - value);
    if (estimate.low !== null && estimate.high !== null && (value < estimate.low || value > estimate.high))
      outside += 1;
  }
  const isFloored = metric === "accuracy" && spec.schema.task === "binary";
  return {
    method: spec.schema.task === "regression" ? "direct loss estimation" : "confidence-based performance estimation",
    comparedBuckets: buckets,
    meanAbsoluteError: buckets === 0 ? null : error / buckets,
    outsideBand: outside,
    blindSpots: [...BLIND_SPOTS, ...(isFloored ? [ACCURACY_FLOOR] : [])],
  };
}

/** Sum of the estimates of one version over [from, to). */
export function sumBuckets(rows: readonly CounterDelta[], from: Instant, to: Instant): CounterValues {
  const sum = new Map<string, bigint>();
  for (const row of rows) if (row.bucket >= from && row.bucket < to) addInPlace(sum, row.values);
  return Object.fromEntries(sum);
}
