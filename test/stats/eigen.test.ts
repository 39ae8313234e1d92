// Eigenvalues from closed forms: a 2 × 2 matrix, the second-difference matrix, and the definition itself.
import { describe, expect, it } from "vitest";
import { createRandom } from "../../src/core/index.ts";
import { symmetricEigen } from "../../src/stats/index.ts";

describe("eigenvalues of a symmetric matrix", () => {
  it("are those of a correlation: 1 ± ρ along the diagonals", () => {
    const { values, vectors } = symmetricEigen(Float64Array.of(1, 0.8, 0.8, 1), 2);
    expect(values[0]).toBeCloseTo(1.8, 12);
    expect(values[1]).toBeCloseTo(0.2, 12);
    expect(Math.abs(vectors[0] as number)).toBeCloseTo(Math.SQRT1_2, 12);
    expect((vectors[0] as number) - (vectors[1] as number)).toBeCloseTo(0, 12);
  });

  it("are 2 − 2 cos(kπ/(n+1)) for second differences", () => {
    const n = 12;
    const matrix = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      matrix[i * n + i] = 2;
      if (i > 0) matrix[i * n + i - 1] = -1;
      if (i + 1 < n) matrix[i * n + i + 1] = -1;
    }
    const { values } = symmetricEigen(matrix, n);
    for (let k = 1; k <= n; k++) expect(values[n - k]).toBeCloseTo(2 - 2 * Math.cos((k * Math.PI) / (n + 1)), 11);
  });

  it("hold A v = λ v with orthonormal v, and leave the matrix as it was", () => {
    const n = 20;
    const random = createRandom(4);
    const matrix = new Float64Array(n * n);
    for (let i = 0; i < n; i++)
      for (let j = i; j < n; j++) matrix[i * n + j] = matrix[j * n + i] = random.nextFloat() * 2 - 1;
    const before = matrix.slice();
    const { values, vectors } = symmetricEigen(matrix, n);
    expect(matrix).toEqual(before);
    for (let k = 0; k < n; k++) {
      for (let l = 0; l < n; l++) {
        let product = 0;
        for (let i = 0; i < n; i++) product += (vectors[k * n + i] as number) * (vectors[l * n + i] as number);
        expect(product).toBeCloseTo(k === l ? 1 : 0, 12);
      }
      for (let i = 0; i < n; i++) {
        let sum = 0;
        for (let j = 0; j < n; j++) sum += (matrix[i * n + j] as number) * (vectors[k * n + j] as number);
        expect(sum).toBeCloseTo((values[k] as number) * (vectors[k * n + i] as number), 11);
      }
    }
  });
});
