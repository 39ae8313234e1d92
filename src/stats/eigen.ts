/**
 * Eigenvalues and eigenvectors of a symmetric matrix by cyclic Jacobi rotations (C. G. J. Jacobi 1846; G. H. Golub and C. F. Van Loan,
 * "Matrix Computations", 4th ed. 2013, algorithm 8.5.3): slow for large matrices, exact to rounding for the hundred columns it is for.
 */

/** Sweeps that are never needed: convergence is quadratic after a few. */
const MAX_SWEEPS = 60;

export interface Eigen {
  /** Descending. */
  readonly values: Float64Array;
  /** `n × n`, row-major: row k is the unit eigenvector of `values[k]`. */
  readonly vectors: Float64Array;
}

/** @param matrix `n × n`, symmetric, row-major; not changed. Cost O(n³) a sweep, some ten sweeps. */
export function symmetricEigen(matrix: Float64Array, n: number): Eigen {
  const a = matrix.slice();
  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  let scale = 0;
  for (const value of a) scale += value * value;
  for (let sweep = 0; sweep < MAX_SWEEPS && offDiagonal(a, n) > 1e-30 * scale; sweep++) {
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotateInPlace(a, vectors, { n, p, q });
  }
  const order = Array.from({ length: n }, (_, i) => i).sort(
    (i, j) => (a[j * n + j] as number) - (a[i * n + i] as number),
  );
  const sorted = new Float64Array(n * n);
  order.forEach((from, to) => sorted.set(vectors.subarray(from * n, (from + 1) * n), to * n));
  return { values: Float64Array.from(order, (i) => a[i * n + i] as number), vectors: sorted };
}

function offDiagonal(a: Float64Array, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++)
    for (let j = i + 1; j < n; j++) sum += (a[i * n + j] as number) * (a[i * n + j] as number);
  return sum;
}

/** Turns rows and columns p and q so that their common element is 0. */
function rotateInPlace(
  a: Float64Array,
  vectors: Float64Array,
  { n, p, q }: { readonly n: number; readonly p: number; readonly q: number },
): void {
  const apq = a[p * n + q] as number;
  if (apq === 0) return;
  const theta = ((a[q * n + q] as number) - (a[p * n + p] as number)) / (2 * apq);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  for (let k = 0; k < n; k++) {
    const akp = a[k * n + p] as number;
    const akq = a[k * n + q] as number;
    a[k * n + p] = c * akp - s * akq;
    a[k * n + q] = s * akp + c * akq;
  }
  for (let k = 0; k < n; k++) {
    const apk = a[p * n + k] as number;
    const aqk = a[q * n + k] as number;
    a[p * n + k] = c * apk - s * aqk;
    a[q * n + k] = s * apk + c * aqk;
    const vpk = vectors[p * n + k] as number;
    const vqk = vectors[q * n + k] as number;
    vectors[p * n + k] = c * vpk - s * vqk;
    vectors[q * n + k] = s * vpk + c * vqk;
  }
}
