// What the monitors promise, over seeded streams: false alarms within their level, power at the sizes the docs state, and no
// alarm because of many rows. Counts are judged by binomial bounds: a right rate fails one in a thousand seeds.
import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/core/index.ts";
import { buildReferenceProfile, profileFrame } from "../../../src/data/index.ts";
import { compareProfiles, compareRows, type DriftOptions, levelOf } from "../../../src/monitor/index.ts";
import { binomialSf, expDeterministic, logDeterministic } from "../../../src/stats/index.ts";
import { all, simulate } from "./simulated.ts";

const WEEK_MS = 7 * 86_400_000;
const LEVEL = levelOf(1, WEEK_MS);
const importance = {
  importance: {
    f0: 0.15,
    ...Object.fromEntries(all(19).reduce<[string, number][]>((list, i) => [...list, [`f${i + 1}`, 0.85 / 19]], [])),
  },
};
const reference = buildReferenceProfile(simulate(10_000, 1), all(10_000));

function verdicts(windows: number, rows: number, options: Partial<DriftOptions> = {}, shift = 0, base: object = {}) {
  return Array.from({ length: windows }, (_, i) => {
    const frame = simulate(rows, 1000 + i + rows, shift);
    const current = profileFrame(reference, frame, all(rows));
    return compareProfiles({ ...reference, ...base }, current, { level: LEVEL, ...options });
  });
}

describe("weekly windows of 20 features without drift", () => {
  it("allow one false alarm in 90 days by a level of at most 5 %", () => {
    expect(LEVEL).toBe(0.05);
    expect(levelOf(1, 86_400_000)).toBeCloseTo(1 / 90, 12);
    expect((90 / 7) * LEVEL).toBeLessThanOrEqual(1);
  });

  it.each([
    [500, 120],
    [5_000, 30],
    [100_000, 3],
  ])("of %i rows alarm no more often than the level, with any drifted feature counting", (rows, windows) => {
    const alarms = verdicts(windows, rows).filter((report) => report.verdict === "drift").length;
    expect(binomialSf(alarms - 1, windows, LEVEL)).toBeGreaterThan(0.001);
  });

  it("do not pass by never alarming: without a minimum effect the noise floors alone hold the level", () => {
    const reports = verdicts(60, 500, { minimumEffect: 0, level: 0.5 });
    const beyond = reports.filter((report) => report.features.some((one) => (one.ratio ?? 0) > 1)).length;
    // Half of the windows, less what dividing by dependent components wastes; far from never and far from always.
    expect(beyond).toBeGreaterThan(3);
    expect(binomialSf(beyond - 1, 60, 0.5)).toBeGreaterThan(0.001);
  });
});

describe("drift", () => {
  it("of half a standard deviation in one important feature is seen in 95 % of windows of 1,000 rows", () => {
    const reports = verdicts(100, 1_000, {}, 0.5, importance);
    const seen = reports.filter((report) => report.verdict === "drift").length;
    expect(seen).toBeGreaterThanOrEqual(95);
    expect(reports.every((report) => report.features[0]?.feature === "f0")).toBe(true);
  });

  it("of a feature the model hardly uses is reported, but the whole does not drift", () => {
    const minor = { importance: { ...importance.importance, f0: 0.02 } };
    const report = verdicts(1, 5_000, {}, 0.8, minor)[0];
    expect(report?.features[0]).toMatchObject({ feature: "f0", verdict: "drift" });
    expect(report?.verdict).toBe("no-drift");
    expect(report?.reason).toContain("carry only 2.0 %");
  });

  it("of 0.02 standard deviations in a million rows is not flagged, although a p-value alone would alarm", () => {
    const report = verdicts(1, 1_000_000, {}, 0.02)[0];
    const moved = report?.features.find((one) => one.feature === "f0");
    expect(moved?.distances.chi2P).toBeLessThan(0.01);
    expect(moved?.verdict).toBe("no-drift");
    expect(report?.verdict).toBe("no-drift");
  });

  it("does not come from many rows of one distribution: 50,000 against 561,000 rows are not flagged", () => {
    const small = simulate(50_000, 501);
    const large = simulate(561_000, 502);
    const profile = buildReferenceProfile(small, all(50_000));
    const report = compareProfiles(profile, profileFrame(profile, large, all(561_000)), { level: LEVEL });
    expect(report).toMatchObject({ verdict: "no-drift", currentRows: 561_000 });
    expect(report.features.every((one) => one.verdict === "no-drift")).toBe(true);
  });

  it("gets the same answer from a 5 % sample and from the whole", () => {
    for (const shift of [0, 0.05, 0.6, 1]) {
      const whole = simulate(100_000, 77, shift);
      const sample = Uint32Array.from({ length: 5_000 }, (_, i) => i * 20);
      const of = (rows: Uint32Array) =>
        compareProfiles(reference, profileFrame(reference, whole, rows), { level: LEVEL });
      const verdict = of(all(100_000)).verdict;
      expect(of(sample).verdict).toBe(verdict);
      expect(verdict).toBe(shift > 0.5 ? "drift" : "no-drift");
    }
  });
});

describe("too few rows", () => {
  it("are called too few: 8 rows against 150 cannot tell, and the answer says how many are missing", () => {
    const small = buildReferenceProfile(simulate(150, 3), all(150));
    const report = compareProfiles(small, profileFrame(small, simulate(8, 4), all(8)));
    expect(report.verdict).toBe("cannot-tell");
    expect(report.share).toBeNull();
    const against = compareProfiles(reference, profileFrame(reference, simulate(8, 4), all(8)));
    expect(against).toMatchObject({ verdict: "cannot-tell", rowsNeeded: 192 });
    expect(against.features.every((one) => one.verdict === "cannot-tell" && one.rowsNeeded !== undefined)).toBe(true);
    expect(against.features.find((one) => one.feature === "f0")?.rowsNeeded).toBe(192);
  });
});

describe("categories with a long tail", () => {
  // A few shops, and merchants whose frequencies fall as 1/rank over a hundred thousand: most of the tail occurs once or never.
  const merchants = (rows: number, seed: number, head: number) => {
    const random = createRandom(seed);
    const rank = () => Math.floor(expDeterministic(random.nextFloat() * logDeterministic(1e5)));
    const draw = () => (random.nextFloat() < head ? `shop${Math.floor(random.nextFloat() * 5)}` : `merchant${rank()}`);
    return Array.from({ length: rows }, () => ({ merchant: draw() }));
  };

  it.each([
    [2_000, 1_000, 0.3],
    [2_000, 1_000, 0.9],
    [20_000, 20_000, 0.9],
  ])(
    "of %i and %i rows do not drift because the rare values of one window are not those of the other (%d in shops)",
    (before, now, head) => {
      const windows = 30;
      let alarms = 0;
      for (let seed = 0; seed < windows; seed++) {
        const report = compareRows(merchants(before, 2 * seed + 1, head), merchants(now, 2 * seed + 2, head));
        if (report.verdict === "drift") alarms++;
      }
      expect(alarms === 0 ? 1 : binomialSf(alarms - 1, windows, 0.05)).toBeGreaterThan(0.001);
    },
  );

  it("drift where the tail takes the place of the head", () => {
    expect(compareRows(merchants(2_000, 1, 0.9), merchants(1_000, 2, 0.6)).verdict).toBe("drift");
  });
});
