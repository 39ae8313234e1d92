import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/core/index.ts";
import { buildReferenceProfile, type Frame, type FrameColumn, profileFrame } from "../../../src/data/index.ts";
import { compareProfiles, type DriftOptions, driftOptions, findingsOf } from "../../../src/monitor/index.ts";
import {
  countByEdges,
  jsDistance,
  kolmogorovSmirnov,
  psi,
  quantileEdges,
  wassersteinNormed,
} from "../../../src/stats/index.ts";
import { all, normal } from "./simulated.ts";

const numbers = (name: string, values: readonly number[]): FrameColumn => ({
  kind: "number",
  name,
  values: Float32Array.from(values),
});
const texts = (name: string, values: readonly (string | null)[]): FrameColumn => {
  const dictionary = [...new Set(values.filter((value) => value !== null))];
  const codes = Int32Array.from(values, (value) => (value === null ? -1 : dictionary.indexOf(value)));
  return { kind: "category", name, codes, dictionary };
};
const frame = (...columns: FrameColumn[]): Frame => {
  const first = columns[0] as FrameColumn;
  return { rows: first.kind === "category" ? first.codes.length : first.values.length, columns };
};
const repeat = <T>(rows: number, make: (i: number) => T) => Array.from({ length: rows }, (_, i) => make(i));

function compare(reference: Frame, current: Frame, options: Partial<DriftOptions> = {}) {
  const profile = buildReferenceProfile(reference, all(reference.rows));
  return compareProfiles(profile, profileFrame(profile, current, all(current.rows)), options);
}
const first = (report: ReturnType<typeof compare>) => {
  const feature = report.features[0];
  if (feature === undefined) throw new Error("no feature");
  return feature;
};

describe("a column that was constant in the reference", () => {
  const constant = frame(
    numbers(
      "price",
      repeat(1_000, () => 0.003467),
    ),
  );

  it("drifts when it begins to move, however far its new values are", () => {
    const moving = compare(
      constant,
      frame(
        numbers(
          "price",
          repeat(500, (i) => 0.003467 + (i % 7) * 0.01),
        ),
      ),
    );
    expect(first(moving)).toMatchObject({ verdict: "drift", statistic: "unseenRate" });
    expect(first(moving).distances.psi).toBeGreaterThan(1);
    expect(first(moving).bins.map((bin) => bin.label)).toEqual(["0.003467", "(unseen)"]);
  });

  it("does not drift while it stays constant", () => {
    expect(
      first(
        compare(
          constant,
          frame(
            numbers(
              "price",
              repeat(500, () => 0.003467),
            ),
          ),
        ),
      ),
    ).toMatchObject({
      verdict: "no-drift",
      distances: { psi: 0 },
    });
  });
});

describe("a column with few values", () => {
  const dice = (rows: number, weights: readonly number[], seed: number) => {
    const random = createRandom(seed);
    const total = weights.reduce((a, b) => a + b, 0);
    return frame(
      numbers(
        "dice",
        repeat(rows, () => {
          let u = random.nextFloat() * total;
          return weights.findIndex((weight) => (u -= weight) < 0) + 1;
        }),
      ),
    );
  };

  it("is compared value by value", () => {
    const fair = dice(3_000, [1, 1, 1, 1, 1, 1], 1);
    expect(first(compare(fair, dice(1_000, [1, 1, 1, 1, 1, 1], 2))).verdict).toBe("no-drift");
    const loaded = first(compare(fair, dice(1_000, [1, 1, 1, 1, 1, 4], 3)));
    expect(loaded.verdict).toBe("drift");
    expect(loaded.bins.map((bin) => bin.label)).toEqual(["1", "2", "3", "4", "5", "6"]);
    const six = loaded.bins[5];
    expect(six?.contribution).toBe(Math.max(...loaded.bins.map((bin) => bin.contribution)));
    expect(loaded.bins.reduce((sum, bin) => sum + bin.contribution, 0)).toBeCloseTo(loaded.distances.psi ?? 0, 12);
  });

  it("that is zero for most rows keeps the zeros as one bin", () => {
    const random = createRandom(9);
    const spend = (rows: number, share: number) =>
      frame(
        numbers(
          "spend",
          repeat(rows, () => (random.nextFloat() < share ? 0 : 50 + normal(random))),
        ),
      );
    const report = compare(spend(5_000, 0.7), spend(2_000, 0.4));
    expect(first(report)).toMatchObject({ verdict: "drift", statistic: "psi" });
    expect(first(compare(spend(5_000, 0.7), spend(2_000, 0.7))).verdict).toBe("no-drift");
  });
});

describe("categories", () => {
  const cities = (rows: number, count: number, seed: number) => {
    const random = createRandom(seed);
    // A long tail: new places are normal here.
    return frame(
      texts(
        "city",
        repeat(rows, () => `city ${Math.floor(count * random.nextFloat() * random.nextFloat())}`),
      ),
    );
  };

  it("never seen before count as drift when they are many", () => {
    const known = frame(
      texts(
        "channel",
        repeat(1_000, (i) => (i % 3 === 0 ? "web" : "shop")),
      ),
    );
    const now = frame(
      texts(
        "channel",
        repeat(600, (i) => (i % 4 === 0 ? "app" : i % 3 === 0 ? "web" : "shop")),
      ),
    );
    expect(first(compare(known, now))).toMatchObject({ verdict: "drift", statistic: "unseenRate" });
    expect(first(compare(known, now)).unseen).toEqual({ reference: 0, current: 0.25 });
  });

  it("that are new but expected, judged by how many the reference saw once, are no drift", () => {
    const report = first(compare(cities(2_000, 3_000, 1), cities(1_000, 3_000, 2), { minimumUnseenShare: 0.01 }));
    expect(report.unseen.current).toBeGreaterThan(0.2);
    expect(report.components.find((one) => one.statistic === "unseenRate")?.value).toBeLessThan(
      report.components.find((one) => one.statistic === "unseenRate")?.threshold ?? 0,
    );
  });

  it("of an id are all new and no drift, nor do they leave the whole open", () => {
    const ids = (rows: number, from: number) =>
      frame(
        texts(
          "customer",
          repeat(rows, (i) => `c${from + i}`),
        ),
      );
    const report = compare(ids(3_000, 0), ids(3_000, 10_000));
    expect(first(report)).toMatchObject({ verdict: "no-drift", unseen: { current: 1 } });
    expect(report.verdict).toBe("no-drift");
    expect(Object.keys(first(report))).not.toContain("expectedUnseen");
  });

  it("that are rare move together", () => {
    const report = first(compare(cities(5_000, 400, 3), cities(5_000, 400, 4)));
    expect(report.bins.length).toBeLessThanOrEqual(22);
    expect(report.bins.some((bin) => bin.label === "(all others)")).toBe(true);
    expect(report.verdict).toBe("no-drift");
  });
});

describe("missing values", () => {
  it("are drift of their own, and do not hide in the distribution of the rest", () => {
    const random = createRandom(5);
    const of = (rows: number, missing: number) =>
      frame(
        numbers(
          "age",
          repeat(rows, () => (random.nextFloat() < missing ? Number.NaN : normal(random))),
        ),
      );
    const report = first(compare(of(3_000, 0.02), of(1_000, 0.3)));
    expect(report).toMatchObject({ verdict: "drift", statistic: "missingRate" });
    expect(report.reason).toMatch(/"age" is missing in 3\d\.\d % of the rows/);
    expect(first(compare(of(3_000, 0.02), of(1_000, 0.03))).verdict).toBe("no-drift");
    const gone = first(compare(of(3_000, 0.02), of(1_000, 1)));
    expect(gone).toMatchObject({ verdict: "drift", statistic: "missingRate", value: expect.closeTo(0.98, 1) });
  });
});

describe("a column that mostly has no value", () => {
  /** A value in every tenth row. */
  const sparse = (rows: number, value: (i: number) => number) =>
    frame(
      numbers(
        "bonus",
        repeat(rows, (i) => (i % 10 === 0 ? value(i) : Number.NaN)),
      ),
    );
  const low = (i: number) => ((i / 10) * 7) % 31;
  const high = (i: number) => low(i) + 500;

  it("cannot be told where the reference has too few values, however many there are now", () => {
    expect(first(compare(sparse(1_000, low), sparse(10_000, high)))).toMatchObject({
      verdict: "cannot-tell",
      reason: '"bonus" has a value in only 100 rows of the reference; 200 are needed to tell.',
    });
    expect(first(compare(sparse(10_000, low), sparse(10_000, high))).verdict).toBe("drift");
  });

  it("says how many rows, not values, the current window lacks", () => {
    const found = compare(sparse(10_000, low), sparse(1_500, low));
    expect(first(found)).toMatchObject({
      verdict: "cannot-tell",
      rowsNeeded: 500,
      reason: '"bonus" has a value in only 150 rows of the current window; 200 are needed to tell.',
    });
    expect(first(compare(sparse(10_000, low), sparse(2_000, low))).verdict).toBe("no-drift");
  });

  it("that never has one does not drift", () => {
    const empty = (rows: number) => sparse(rows, () => Number.NaN);
    expect(first(compare(empty(1_000), empty(1_000))).verdict).toBe("no-drift");
  });
});

describe("distances", () => {
  it("from cells are those of the raw rows within the grid's error", () => {
    const random = createRandom(6);
    const before = repeat(20_000, () => normal(random));
    const now = repeat(8_000, () => normal(random) * 1.3 + 0.4);
    const { distances } = first(compare(frame(numbers("x", before)), frame(numbers("x", now))));
    const edges = quantileEdges(before, 10);
    const counts = [countByEdges(before, edges), countByEdges(now, edges)] as const;
    expect(Math.abs((distances.psi ?? 0) - psi(...counts))).toBeLessThan(0.01);
    expect(Math.abs((distances.jsDistance ?? 0) - jsDistance(...counts))).toBeLessThan(0.01);
    const ks = kolmogorovSmirnov(before, now)?.statistic ?? 0;
    expect(distances.ks ?? 1).toBeLessThanOrEqual(ks + 1e-12);
    expect(ks - (distances.ks ?? 0)).toBeLessThan(0.005);
    const raw = wassersteinNormed(before, now) ?? 0;
    expect(Math.abs((distances.wasserstein ?? 0) - raw)).toBeLessThan(0.02);
  });

  it("of two columns far apart are their maximum, of equal ones 0", () => {
    const apart = first(
      compare(
        frame(
          numbers(
            "x",
            repeat(500, (i) => i),
          ),
        ),
        frame(
          numbers(
            "x",
            repeat(500, (i) => i + 1e6),
          ),
        ),
      ),
    );
    expect(apart.outOfRange).toBe(1);
    expect(apart.distances.ks).toBeGreaterThan(0.99);
    const same = first(
      compare(
        frame(
          numbers(
            "x",
            repeat(500, (i) => i),
          ),
        ),
        frame(
          numbers(
            "x",
            repeat(500, (i) => i),
          ),
        ),
      ),
    );
    expect(same.distances).toMatchObject({
      psi: 0,
      jsDistance: 0,
      hellinger: 0,
      totalVariation: 0,
      ks: 0,
      wasserstein: 0,
    });
  });

  it("are null where there is nothing to compare, never 0", () => {
    const empty = first(
      compare(
        frame(
          numbers(
            "x",
            repeat(300, () => Number.NaN),
          ),
        ),
        frame(
          numbers(
            "x",
            repeat(300, (i) => i),
          ),
        ),
      ),
    );
    expect(empty.distances).toMatchObject({ psi: null, ks: null, wasserstein: null, chi2P: null });
  });
});

describe("thresholds", () => {
  it("say which of minimum effect, noise and history made them", () => {
    const random = createRandom(8);
    const of = (rows: number) =>
      frame(
        numbers(
          "x",
          repeat(rows, () => normal(random)),
        ),
      );
    const psiOf = (options: Partial<DriftOptions>, rows: number) =>
      first(compare(of(5_000), of(rows), options)).components.find((one) => one.statistic === "psi");
    expect(psiOf({}, 5_000)).toMatchObject({ thresholdFrom: "minimum effect", threshold: 0.1 });
    expect(psiOf({ level: 0.01 }, 220)?.thresholdFrom).toBe("sampling noise");
    expect(psiOf({ history: { x: 0.42 } }, 5_000)).toMatchObject({ thresholdFrom: "history", threshold: 0.42 });
  });

  it("between minimum effect and noise answer cannot-tell with the rows that would tell", () => {
    const random = createRandom(21);
    const of = (rows: number, shift: number) =>
      frame(
        numbers(
          "x",
          repeat(rows, () => normal(random) + shift),
        ),
      );
    const report = compare(of(20_000, 0), of(210, 0.26), { level: 0.0001 });
    expect(first(report)).toMatchObject({ verdict: "cannot-tell" });
    const needed = first(report).rowsNeeded ?? 0;
    expect(needed).toBeGreaterThan(10);
    expect(report.rowsNeeded).toBe(needed);
    const enough = compare(of(20_000, 0), of(210 + needed, 0.26), { level: 0.0001 });
    expect(first(enough).components[0]?.thresholdFrom).not.toBe("sampling noise");
  });

  it.each([
    [{ level: 0 }, "level"],
    [{ share: 1.2 }, "share"],
    [{ minRows: 0.5 }, "minRows"],
    [{ minimumEffect: -1 }, "minimumEffect"],
    [{ minimumUnseenShare: Number.NaN }, "minimumUnseenShare"],
  ])("out of range are refused: %j", (options, key) => {
    expect(() => driftOptions(options)).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", details: { path: key } }),
    );
  });
});

describe("the whole", () => {
  it("lists the furthest beyond its threshold first, whatever the order of columns", () => {
    const random = createRandom(31);
    const of = (shift: number) => [
      numbers(
        "a",
        repeat(2_000, () => normal(random)),
      ),
      numbers(
        "b",
        repeat(2_000, () => normal(random) + shift),
      ),
      numbers(
        "c",
        repeat(2_000, () => normal(random) + 2 * shift),
      ),
    ];
    const before = of(0);
    const now = of(0.8);
    const report = compare(frame(...before), frame(...now));
    expect(report.features.map((one) => one.feature)).toEqual(["c", "b", "a"]);
    expect(report).toMatchObject({ verdict: "drift", reason: "2 of 3 features moved: c, b." });
    expect(report.share).toBeCloseTo(2 / 3, 12);
    const turned = compare(frame(...[...before].reverse()), frame(...[...now].reverse()));
    expect(findingsOf(turned)).toEqual(findingsOf(report));
  });
});
