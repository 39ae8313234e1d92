import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  adjustPValues,
  aucInterval,
  clopperPearsonInterval,
  type Correction,
  deLong,
  dieboldMariano,
  jeffreysInterval,
  mcNemar,
  midranks,
  nonInferiority,
  pairedShareInterval,
  rowsForAccuracyMargin,
  rowsForNonInferiority,
  rowsForShare,
  wilsonInterval,
} from "../../../src/stats/index.ts";

type Row = Record<string, number> & { y: number[]; score_champion: number[]; score_challenger: number[]; name: string };
/** Reference values of scipy 1.10 and statsmodels 0.13; DeLong checked against scikit-learn's AUC. */
const golden = JSON.parse(readFileSync(new URL("../../golden/offline-metrics.json", import.meta.url), "utf8")) as {
  delong: Row[];
  mcnemar: Record<string, number>[];
  non_inferiority: (Record<string, number> & { non_inferior_at_05: boolean })[];
  paired_noninferiority_sample_size: Record<string, number>[];
  proportion_intervals_alpha05: { k: number; n: number; [name: string]: number | [number, number] }[];
  regression_metrics: { y: number[]; pred: number[]; diebold_mariano: { pred2: number[]; [key: string]: unknown } };
};
interface Adjusted {
  adjusted: number[];
  rejected: number;
}
const drift = JSON.parse(readFileSync(new URL("../../golden/data-drift.json", import.meta.url), "utf8")) as {
  multiple_testing: [
    { p_values: number[]; bonferroni: Adjusted; holm: Adjusted; fdr_bh: Adjusted; fdr_by: Adjusted },
    { p_values: number[]; fdr_bh: number[] },
  ];
};

const close = (
  actual: number | null | undefined,
  expected: number | undefined,
  label: string,
  relative = 1e-9,
): void => {
  expect(
    Math.abs((actual as number) - (expected as number)),
    `${label}: ${actual} against ${expected}`,
  ).toBeLessThanOrEqual(relative * Math.max(Math.abs(expected as number), 1e-9));
};

describe("DeLong", () => {
  test.each(golden.delong.map((row) => [row.name, row] as const))("equals the reference on %s", (_name, row) => {
    const result = deLong({ labels: row.y, champion: row.score_champion, challenger: row.score_challenger });
    close(result?.aucChampion, row.auc_champion, "champion");
    close(result?.aucChallenger, row.auc_challenger, "challenger");
    close(result?.varianceChampion, row.var_champion, "variance");
    close(result?.varianceChallenger, row.var_challenger, "variance");
    close(result?.covariance, row.cov, "covariance");
    close(result?.difference, row.diff, "difference");
    close(result?.standardError, row.se_diff, "standard error");
    close(result?.z, row.z, "z");
    close(result?.pTwoSided, row.p_two_sided, "p", 1e-8);
    const [low, high] = row.ci95_auc_champion as unknown as [number, number];
    const interval = aucInterval(row.auc_champion as number, row.var_champion as number);
    close(interval[0], Math.max(0, low), "low");
    close(interval[1], Math.min(1, high), "high");
  });

  test("calls two equal rankings identical instead of dividing by zero", () => {
    const result = deLong({ labels: [0, 1, 0, 1], champion: [1, 2, 3, 4], challenger: [10, 20, 30, 40] });
    expect(result).toMatchObject({ identical: true, z: 0, pTwoSided: 1, standardError: 0 });
  });

  test("cannot tell with fewer than two rows of a class", () => {
    expect(deLong({ labels: [0, 1, 0], champion: [1, 2, 3], challenger: [1, 2, 3] })).toBeNull();
  });

  test("midranks share the mean of their positions", () => {
    expect([...midranks([3, 1, 3, 2, 3])]).toEqual([4, 1, 4, 2, 4]);
  });
});

test.each(
  golden.mcnemar.map(
    (row) => [row.b_champion_right_challenger_wrong, row.c_champion_wrong_challenger_right, row] as const,
  ),
)("McNemar of %i against %i equals the reference", (b, c, row) => {
  const result = mcNemar(b as number, c as number);
  close(result.pExact, row.p_exact, "exact");
  close(result.pMid, row.p_mid, "mid");
  if (row.chi2 === undefined) {
    expect(result.chi2).toBeNull();
    return;
  }
  close(result.chi2, row.chi2, "chi2");
  close(result.pChi2, row.p_chi2, "p chi2");
  close(result.chi2Corrected, row.chi2_cc, "corrected");
  close(result.pChi2Corrected, row.p_chi2_cc, "p corrected");
  close(result.pChallengerBetter, row.p_exact_one_sided_challenger_better, "one-sided");
});

describe("non-inferiority", () => {
  test.each(golden.non_inferiority.map((row) => [row.diff, row.margin, row] as const))(
    "of %f with margin %f equals the reference",
    (difference, margin, row) => {
      const result = nonInferiority({
        difference: difference as number,
        standardError: row.se as number,
        margin: margin as number,
      });
      close(result.z, row.z, "z");
      close(result.pNonInferior, row.p_noninferior, "p");
      close(result.lowerBound, row.lower_one_sided_95, "bound");
      close(result.pSuperior, row.p_superior, "superior");
      expect(result.nonInferior).toBe(row.non_inferior_at_05);
    },
  );

  test.each(golden.paired_noninferiority_sample_size)("needs the stated number of rows: %j", (row) => {
    const input = { margin: row.margin as number, discordantShare: row.discordant_share as number };
    expect(rowsForAccuracyMargin(input)).toBe(row.n);
  });

  test("a candidate planned to be worse than the margin can never pass", () => {
    expect(rowsForNonInferiority({ rowDeviation: 1, margin: 0.01, difference: -0.02 })).toBe(Infinity);
    expect(nonInferiority({ difference: 0, standardError: 0, margin: 0.01 }).nonInferior).toBe(true);
  });

  test("knowing a share within 5 points takes 385 rows", () => {
    expect(rowsForShare(0.05)).toBe(385);
  });
});

test.each(golden.proportion_intervals_alpha05.map((row) => [row.k, row.n, row] as const))(
  "intervals of %i in %i equal the reference",
  (k, n, row) => {
    const pairs = { wilson: wilsonInterval, clopper_pearson: clopperPearsonInterval, jeffreys: jeffreysInterval };
    for (const [name, interval] of Object.entries(pairs)) {
      const expected = row[name] as [number, number];
      close(interval(k, n)[0], expected[0], `${name} low`);
      close(interval(k, n)[1], expected[1], `${name} high`);
    }
  },
);

test("the Diebold-Mariano test equals the reference and cannot tell between equal forecasts", () => {
  const { y, pred, diebold_mariano: expected } = golden.regression_metrics;
  const first = y.map((value, i) => Math.abs(value - (pred[i] as number)));
  const second = y.map((value, i) => Math.abs(value - (expected.pred2[i] as number)));
  const result = dieboldMariano(first, second);
  close(result?.meanDifference, expected.d_mean as number, "mean");
  close(result?.statistic, expected.DM as number, "DM");
  close(result?.correctedStatistic, expected.DM_harvey as number, "corrected");
  close(result?.pTwoSided, expected.p_two_sided_t as number, "p");
  expect(dieboldMariano(first, first)).toBeNull();
  expect(dieboldMariano(first, second, 3)?.statistic).not.toBe(result?.statistic);
});

describe("many tests at once", () => {
  const [first, second] = drift.multiple_testing;
  test.each([
    ["bonferroni", first.bonferroni],
    ["holm", first.holm],
    ["benjamini-hochberg", first.fdr_bh],
    ["benjamini-yekutieli", first.fdr_by],
  ] as const)("%s adjusts the example of Benjamini and Hochberg as published", (correction: Correction, expected) => {
    const adjusted = adjustPValues(first.p_values, correction);
    for (let i = 0; i < adjusted.length; i++) close(adjusted[i], expected.adjusted[i], `p ${i}`);
    expect(adjusted.filter((p) => p <= 0.05).length).toBe(expected.rejected);
  });

  test("keeps the order given and handles ties", () => {
    const adjusted = adjustPValues(second.p_values);
    for (let i = 0; i < adjusted.length; i++) close(adjusted[i], second.fdr_bh[i], `p ${i}`);
    expect(adjustPValues([])).toHaveLength(0);
  });
});

describe("the interval of two paired shares", () => {
  /** Constrained likelihood by brute force: the share of champion-only rows that fits best at a given difference. */
  function scoreStatistic(championOnly: number, challengerOnly: number, rows: number, difference: number): number {
    const likelihood = (share: number) =>
      championOnly * Math.log(share) +
      challengerOnly * Math.log(share + difference) +
      (rows - championOnly - challengerOnly) * Math.log(1 - 2 * share - difference);
    let low = Math.max(0, -difference) + 1e-12;
    let high = (1 - difference) / 2 - 1e-12;
    for (let i = 0; i < 300; i++) {
      const [a, b] = [low + (high - low) / 3, high - (high - low) / 3];
      if (likelihood(a) < likelihood(b)) low = a;
      else high = b;
    }
    const variance = (2 * low + difference * (1 - difference)) / rows;
    return ((challengerOnly - championOnly) / rows - difference) / Math.sqrt(variance);
  }

  test.each([
    [12, 2, 50],
    [3, 20, 200],
    [40, 55, 1_000],
    [1, 1, 30],
  ])("ends where the brute-force score statistic is z (%i, %i of %i)", (championOnly, challengerOnly, rows) => {
    const [low, high] = pairedShareInterval({ championOnly, challengerOnly, rows });
    expect(scoreStatistic(championOnly, challengerOnly, rows, low)).toBeCloseTo(1.959963984540054, 5);
    expect(scoreStatistic(championOnly, challengerOnly, rows, high)).toBeCloseTo(-1.959963984540054, 5);
  });

  test("leaves 0 out exactly when McNemar's test without correction rejects", () => {
    for (let challengerOnly = 0; challengerOnly <= 30; challengerOnly++) {
      const [low, high] = pairedShareInterval({ championOnly: 10, challengerOnly, rows: 100 });
      const isRejected = (mcNemar(10, challengerOnly).pChi2 as number) < 0.05;
      expect(low > 0 || high < 0).toBe(isRejected);
    }
    expect(pairedShareInterval({ championOnly: 0, challengerOnly: 0, rows: 9 })).toEqual([0, 0]);
  });
});
