/**
 * Sufficient statistics of an experiment, per assignment bucket: rows, Σy, Σy², Σx, Σx², Σxy, as exact integers. A bucket holds
 * whole units, so it is the cluster of the analysis: a ratio of sums over buckets with its delta-method variance is right for
 * users who ask once and users who ask a thousand times. Buckets of rollouts without a unit hold independent rows, which then
 * count as rows.
 */
import type { CounterValues } from "../core/index.ts";
import { fromFixedPoint, toFixedPoint } from "../stats/index.ts";

export interface BucketSums {
  /** Buckets with at least one row. */
  readonly bucket: Int32Array;
  readonly n: Float64Array;
  readonly y: Float64Array;
  readonly x: Float64Array;
  readonly totals: {
    readonly n: number;
    readonly y: number;
    readonly yy: number;
    readonly x: number;
    readonly xx: number;
    readonly xy: number;
  };
}

/** What one labelled row adds to its bucket. `x` is the covariate; 0 where there is none. */
export function bucketCounters(bucket: number, y: number, x: number): CounterValues {
  return {
    [`${bucket}n`]: 1n,
    [`${bucket}y`]: toFixedPoint(y),
    [`${bucket}v`]: toFixedPoint(y * y),
    ...(x === 0
      ? {}
      : { [`${bucket}x`]: toFixedPoint(x), [`${bucket}w`]: toFixedPoint(x * x), [`${bucket}c`]: toFixedPoint(x * y) }),
  };
}

/** Reads counters made by `bucketCounters`, in the order of buckets. Cost: one pass over at most 60,000 keys. */
export function readBuckets(values: CounterValues): BucketSums {
  const rows = new Map<number, { n: number; y: number; x: number }>();
  const exact: Record<string, bigint> = { n: 0n, y: 0n, v: 0n, x: 0n, w: 0n, c: 0n };
  for (const [key, value] of Object.entries(values)) {
    const field = key.at(-1) as string;
    if (!(field in exact)) continue;
    exact[field] = (exact[field] as bigint) + value;
    if (field !== "n" && field !== "y" && field !== "x") continue;
    const bucket = Number(key.slice(0, -1));
    let row = rows.get(bucket);
    if (row === undefined) {
      row = { n: 0, y: 0, x: 0 };
      rows.set(bucket, row);
    }
    row[field] = field === "n" ? Number(value) : fromFixedPoint(value);
  }
  const used = [...rows].filter(([, row]) => row.n > 0).sort(([left], [right]) => left - right);
  return {
    bucket: Int32Array.from(used, ([bucket]) => bucket),
    n: Float64Array.from(used, ([, row]) => row.n),
    y: Float64Array.from(used, ([, row]) => row.y),
    x: Float64Array.from(used, ([, row]) => row.x),
    totals: {
      n: Number(exact["n"]),
      y: fromFixedPoint(exact["y"] as bigint),
      yy: fromFixedPoint(exact["v"] as bigint),
      x: fromFixedPoint(exact["x"] as bigint),
      xx: fromFixedPoint(exact["w"] as bigint),
      xy: fromFixedPoint(exact["c"] as bigint),
    },
  };
}

/** Centered second moments of an arm's mean: variance of the mean of y and of x, and their covariance. */
export interface ArmMoments {
  readonly n: number;
  readonly meanY: number;
  readonly meanX: number;
  readonly varY: number;
  readonly varX: number;
  readonly cov: number;
  /** Independent pieces behind the variances: buckets or rows. */
  readonly pieces: number;
}

/** @param clustered buckets are the independent pieces (a unit was given); else rows are. Null with fewer than two pieces. */
export function armMoments(sums: BucketSums, clustered: boolean): ArmMoments | null {
  const { n, y, x, yy, xx, xy } = sums.totals;
  const pieces = clustered ? sums.bucket.length : n;
  if (!(pieces >= 2) || !(n > 0)) return null;
  const meanY = y / n;
  const meanX = x / n;
  let varY = 0;
  let varX = 0;
  let cov = 0;
  if (clustered) {
    for (let i = 0; i < sums.bucket.length; i++) {
      const count = sums.n[i] as number;
      const dy = (sums.y[i] as number) - meanY * count;
      const dx = (sums.x[i] as number) - meanX * count;
      varY += dy * dy;
      varX += dx * dx;
      cov += dx * dy;
    }
  } else {
    varY = Math.max(0, yy - n * meanY * meanY);
    varX = Math.max(0, xx - n * meanX * meanX);
    cov = xy - n * meanX * meanY;
  }
  const scale = pieces / (pieces - 1) / (n * n);
  return { n, meanY, meanX, varY: varY * scale, varX: varX * scale, cov: cov * scale, pieces };
}
