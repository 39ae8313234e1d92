/** Spreading a batch of labels over the data: k-center selection and density weighting on rows of n × d numbers. */
import { expDeterministic } from "../exp.ts";

/** Rows of d numbers, row by row. Scale the columns first; distances are Euclidean. */
export interface PointSet {
  readonly values: ArrayLike<number>;
  readonly dimension: number;
}

function squaredDistance({ values, dimension }: PointSet, a: number, b: number): number {
  let sum = 0;
  for (let j = 0; j < dimension; j++) {
    const gap = (values[a * dimension + j] as number) - (values[b * dimension + j] as number);
    sum += gap * gap;
  }
  return sum;
}

export interface KCenterResult {
  readonly picks: readonly number[];
  /** Distance of each pick from everything chosen before it. */
  readonly radii: readonly number[];
  /** Largest distance of any row from its nearest chosen one, at the end. */
  readonly coverRadius: number;
}

/**
 * Greedy farthest-first selection of up to `count` rows beyond those already labelled (T. Gonzalez 1985: within a factor of two
 * of the best cover); ties go to the lowest index. Without any labelled row the first pick is row 0. Cost O(n · count · d).
 */
export function kCenter(points: PointSet, labelled: readonly number[], count: number): KCenterResult {
  const n = points.values.length / points.dimension;
  const nearest = new Float64Array(n).fill(Infinity);
  const cover = (center: number): void => {
    for (let i = 0; i < n; i++) nearest[i] = Math.min(nearest[i] as number, squaredDistance(points, i, center));
  };
  for (const row of labelled) cover(row);
  const picks: number[] = [];
  const radii: number[] = [];
  while (picks.length < count) {
    const best = farthest(nearest);
    if (best < 0) break;
    picks.push(best);
    radii.push(Math.sqrt(nearest[best] as number));
    cover(best);
  }
  const last = farthest(nearest);
  return { picks, radii, coverRadius: last < 0 ? 0 : Math.sqrt(nearest[last] as number) };
}

/** First row of largest distance; −1 when all are covered exactly. */
function farthest(nearest: Float64Array): number {
  let best = -1;
  for (let i = 0; i < nearest.length; i++) {
    if ((nearest[i] as number) > (best < 0 ? 0 : (nearest[best] as number))) best = i;
  }
  return best;
}

/** Mean of exp(−distance) from each row to all others: high in crowds, low for outliers. Cost O(n² d). */
export function rowDensity(points: PointSet): Float64Array {
  const n = points.values.length / points.dimension;
  const density = new Float64Array(n);
  if (n < 2) return density;
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let j = 0; j < n; j++) {
      if (j !== i) sum += expDeterministic(-Math.sqrt(squaredDistance(points, i, j)));
    }
    density[i] = sum / (n - 1);
  }
  return density;
}
