import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  chi2Contingency,
  chi2GoodnessOfFit,
  countByEdges,
  countByValue,
  countWithin,
  computeMetric,
  distinctValues,
  doaneEdges,
  hellinger,
  jsDistance,
  jsDivergence,
  klDivergence,
  kolmogorovSf,
  kolmogorovSmirnov,
  ksFromCounts,
  lInfinity,
  medianPairDistance,
  mmdSquared,
  normalCdf,
  normalPpf,
  populationDeviation,
  psi,
  psiNoiseFloor,
  psiParts,
  quantileEdges,
  sturgesEdges,
  totalVariation,
  twoProportionZ,
  wasserstein,
  wassersteinFromCounts,
  wassersteinNormed,
} from "../../../src/stats/index.ts";

type Facts = Record<string, number>;
interface NumericCase {
  name: string;
  reference: number[];
  current: number[];
  ks: Facts;
  wasserstein: Facts;
  domain_auc_1d: number;
  psi_quantile10: Facts & { inner_edges: number[]; ref_counts: number[]; cur_counts: number[] };
  evidently: Facts & { binning: string; edges?: number[]; keys?: number[] };
  nannyml?: Facts & { edges: number[] };
  mmd_rbf_sigma1?: Facts;
  mmd_rbf_median_heuristic?: Facts;
}
interface CategoricalCase {
  name: string;
  keys: string[];
  ref_counts: number[];
  cur_counts: number[];
  chi2_contingency: Facts;
  evidently_chisquare_gof_current_vs_scaled_reference?: Facts;
  two_proportion_z?: Facts;
  [metric: string]: unknown;
}
/** Reference values of scipy 1.10 and the formulas of Evidently and NannyML. */
const golden = JSON.parse(readFileSync(new URL("../../golden/data-drift.json", import.meta.url), "utf8")) as {
  numeric: NumericCase[];
  categorical: CategoricalCase[];
  psi_null_distribution: Facts[];
  p_value_pathology_ks: Facts[];
  effect_size_map_gaussian_mean_shift: Facts[];
};

const close = (actual: number | null | undefined, expected: unknown, label: string, relative = 1e-9): void => {
  expect(
    Math.abs((actual as number) - (expected as number)),
    `${label}: ${actual} against ${String(expected)}`,
  ).toBeLessThanOrEqual(relative * Math.max(Math.abs(expected as number), 1e-5));
};

const compareCounts = (
  reference: ArrayLike<number>,
  current: ArrayLike<number>,
  facts: Record<string, unknown>,
): void => {
  close(psi(reference, current), facts.psi_floor_1e4, "PSI, floored");
  close(psi(reference, current, { kind: "add", count: 0.5 }), facts.psi_add_half, "PSI, half added");
  close(jsDistance(reference, current, "e"), facts.js_distance_nat, "JS distance");
  close(jsDistance(reference, current), facts.js_distance_base2, "JS distance base 2");
  close(jsDivergence(reference, current), facts.js_divergence_nat, "JS divergence");
  close(hellinger(reference, current), facts.hellinger, "Hellinger");
  close(totalVariation(reference, current), facts.tvd, "TVD");
  close(lInfinity(reference, current), facts.l_infinity, "L-infinity");
};

describe.each(golden.numeric.map((row) => [row.name, row] as const))("numeric drift of %s", (_name, row) => {
  const { reference, current } = row;

  test("Kolmogorov-Smirnov and Wasserstein equal the reference", () => {
    const exact = kolmogorovSmirnov(reference, current);
    close(exact?.statistic, row.ks.D, "D");
    close(exact?.p, row.ks.p_exact, "exact p");
    expect(exact?.exact).toBe(true);
    const limit = kolmogorovSmirnov(reference, current, 0);
    close(limit?.p, row.ks.p_kolmogorov_limit, "limit p");
    expect(limit?.exact).toBe(false);
    close(wasserstein(reference, current), row.wasserstein.w1, "W1");
    close(populationDeviation(reference), row.wasserstein.ref_std_ddof0, "sd");
    close(wassersteinNormed(reference, current), row.wasserstein.w1_normed_evidently, "normed W1");
  });

  test("decile bins and every distance over them equal the reference", () => {
    const facts = row.psi_quantile10;
    const edges = quantileEdges(reference);
    expect(edges.length).toBe(facts.inner_edges.length);
    for (let i = 0; i < edges.length; i++) close(edges[i], facts.inner_edges[i], "edge");
    const counts = [countByEdges(reference, edges), countByEdges(current, edges)] as const;
    expect([...counts[0]]).toEqual(facts.ref_counts);
    expect([...counts[1]]).toEqual(facts.cur_counts);
    compareCounts(counts[0], counts[1], facts);
  });

  test("Evidently's binning and distances equal the reference", () => {
    const facts = row.evidently;
    let counts: [Float64Array, Float64Array];
    if (facts.edges === undefined) {
      const keys = distinctValues([...reference, ...current]);
      expect([...keys]).toEqual(facts.keys);
      counts = [countByValue(reference, keys), countByValue(current, keys)];
      expect(counts[1][keys.length]).toBe(0);
    } else {
      const edges = sturgesEdges([...reference, ...current]);
      for (let i = 0; i < edges.length; i++) close(edges[i], facts.edges[i], "edge");
      counts = [countWithin(reference, edges), countWithin(current, edges)];
    }
    const trimmed = counts.map((side) => side.slice(0, -1)) as [Float64Array, Float64Array];
    close(psi(...trimmed), facts.psi, "PSI");
    close(klDivergence(...trimmed), facts.kl_ref_cur, "KL");
    close(jsDistance(...trimmed, "e"), facts.jensenshannon_nat, "JS");
  });

  test.skipIf(row.nannyml === undefined)("NannyML's binning and distances equal the reference", () => {
    const facts = row.nannyml as NonNullable<typeof row.nannyml>;
    const edges = doaneEdges(reference);
    expect(edges.length).toBe(facts.edges.length);
    for (let i = 0; i < edges.length; i++) close(edges[i], facts.edges[i], "edge");
    const counts = [countWithin(reference, edges), countWithin(current, edges)] as const;
    close(jsDistance(...counts), facts.js_distance_base2, "JS");
    close(hellinger(...counts), facts.hellinger, "Hellinger");
  });

  test.skipIf(row.mmd_rbf_sigma1 === undefined)("MMD equals the reference", () => {
    close(mmdSquared(reference, current, 1), row.mmd_rbf_sigma1?.mmd2_unbiased, "MMD");
    const width = medianPairDistance(reference, current);
    close(width, row.mmd_rbf_median_heuristic?.sigma_median_pairwise_distance, "width");
    close(mmdSquared(reference, current, width), row.mmd_rbf_median_heuristic?.mmd2_unbiased, "MMD");
  });

  test("the AUC of the value itself as a domain classifier equals the reference", () => {
    const labels = [...reference.map(() => 0), ...current.map(() => 1)];
    close(computeMetric("rocAuc", { labels, scores: [...reference, ...current] }), row.domain_auc_1d, "AUC");
  });
});

describe.each(golden.categorical.map((row) => [row.name, row] as const))("categorical drift of %s", (_name, row) => {
  test("distances, chi-square and Cramér's V equal the reference", () => {
    compareCounts(row.ref_counts, row.cur_counts, row);
    const result = chi2Contingency(row.ref_counts, row.cur_counts);
    close(result?.statistic, row.chi2_contingency.chi2, "chi2");
    expect(result?.degreesOfFreedom).toBe(row.chi2_contingency.dof);
    close(result?.p, row.chi2_contingency.p, "p");
    close(result?.cramersV, row.chi2_contingency.cramers_v, "V");
    const fit = row.evidently_chisquare_gof_current_vs_scaled_reference;
    if (fit !== undefined) {
      const found = chi2GoodnessOfFit(row.cur_counts, row.ref_counts);
      close(found?.statistic, fit.chi2, "goodness of fit");
      close(found?.p, fit.p, "goodness of fit p");
    }
    if (row.two_proportion_z !== undefined) {
      const [a, b] = [row.ref_counts, row.cur_counts] as [number[], number[]];
      const total = (counts: number[]): number => (counts[0] as number) + (counts[1] as number);
      const result2 = twoProportionZ(a[0] as number, total(a), b[0] as number, total(b));
      const found = Math.abs(result2?.z as number);
      close(found, Math.abs(row.two_proportion_z.z as number), "z");
      close(result2?.pTwoSided, row.two_proportion_z.p, "z p");
    }
  });
});

describe("effect sizes and their noise", () => {
  test.each(golden.effect_size_map_gaussian_mean_shift)("a Gaussian shift has the tabled size: %j", (row) => {
    const shift = row.mean_shift_sd as number;
    const edges = Array.from({ length: 9 }, (_, i) => normalPpf((i + 1) / 10));
    const cells = (at: number): number[] =>
      [...edges, Infinity].map(
        (edge, i) => normalCdf(edge - at) - (i === 0 ? 0 : normalCdf((edges[i - 1] as number) - at)),
      );
    close(psi(cells(0), cells(shift)), row.psi10, "PSI");
    close(jsDistance(cells(0), cells(shift), "e"), row.js_distance_nat, "JS");
    close(hellinger(cells(0), cells(shift)), row.hellinger, "Hellinger");
  });

  test.each(golden.psi_null_distribution)("the PSI noise floor equals the tabled one: %j", (row) => {
    const sizes = { bins: row.bins as number, reference: row.n_ref as number, current: row.n_cur as number };
    close(psiNoiseFloor(sizes), row.chi2_q999, "99.9 %");
    close(psiNoiseFloor({ ...sizes, tail: 0.05 }), row.chi2_q95, "95 %");
  });

  test.each(golden.p_value_pathology_ks)("the critical KS distance has a p-value of 5 %: %j", (row) => {
    const scaled = Math.sqrt((row.n_per_side as number) / 2) * (row.ks_critical_D_alpha05 as number);
    expect(kolmogorovSf(scaled)).toBeCloseTo(0.05, 6);
  });

  test("the parts of a PSI add up to it", () => {
    const parts = psiParts([10, 20, 0], [5, 20, 5]);
    expect(parts.reduce((sum, part) => sum + part, 0)).toBeCloseTo(psi([10, 20, 0], [5, 20, 5]), 12);
    expect(parts[2]).toBeGreaterThan(0);
  });
});

describe("edges", () => {
  test("an empty side is never called equal", () => {
    expect(psi([0, 0], [1, 2])).toBeNaN();
    expect(jsDistance([0, 0], [1, 2])).toBeNaN();
    expect(hellinger([1, 2], [0, 0])).toBeNaN();
    expect(lInfinity([1, 2], [0, 0])).toBeNaN();
    expect(chi2Contingency([0, 0], [1, 2])).toBeNull();
    expect(chi2Contingency([4, 0], [5, 0])).toBeNull();
    expect(chi2GoodnessOfFit([1, 1], [1, 0])?.statistic).toBe(Infinity);
    expect(kolmogorovSmirnov([], [1])).toBeNull();
    expect(wassersteinNormed([1], [])).toBeNull();
    expect(twoProportionZ(0, 0, 1, 2)).toBeNull();
    expect(twoProportionZ(0, 5, 0, 9)?.pTwoSided).toBe(1);
  });

  test("a constant reference column still notices a new value", () => {
    const reference = new Float64Array(500);
    const current = Float64Array.from({ length: 500 }, (_, i) => (i < 400 ? 7 : 0));
    const known = distinctValues(reference);
    expect(psi(countByValue(reference, known), countByValue(current, known))).toBeGreaterThan(5);
  });

  test("NaN belongs to no bin", () => {
    expect([...countByEdges([NaN, 1], Float64Array.of(0))]).toEqual([0, 1]);
    expect([...countByValue([NaN, 1], Float64Array.of(1))]).toEqual([1, 0]);
    expect([...countWithin([NaN, 1, 9], Float64Array.of(0, 1))]).toEqual([1, 1]);
  });

  test("distances from counts agree with those from samples within a bin", () => {
    const reference = [1, 2, 2, 3, 5];
    const current = [2, 3, 4, 4, 5];
    const positions = [1, 2, 3, 4, 5];
    const counts = (values: number[]): number[] => positions.map((at) => values.filter((value) => value === at).length);
    expect(wassersteinFromCounts(counts(reference), counts(current), positions)).toBeCloseTo(
      wasserstein(reference, current) as number,
      12,
    );
    expect(ksFromCounts(counts(reference), counts(current))).toBeCloseTo(
      kolmogorovSmirnov(reference, current)?.statistic as number,
      12,
    );
    expect(ksFromCounts([0, 0], [1, 0])).toBeNull();
  });
});
