import { describe, expect, it } from "vitest";
import { createRandom } from "../../src/core/index.ts";
import { calibrateFalseAlarms, DETECTORS, type DetectorKind, poissonUpper } from "../../src/monitor/index.ts";
import { binomialSf } from "../../src/stats/index.ts";

const KINDS = Object.entries(DETECTORS) as [string, DetectorKind][];
const bits = (seed: number, count: number, share: number) => {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => (random.nextFloat() < share ? 1 : 0));
};

describe("a budget of false alarms", () => {
  it("bounds counts as the chi-square distribution does", () => {
    // Quantiles of chi-square at 0.9 with 2(k + 1) degrees of freedom, halved (R: qchisq(0.9, 2 * (k + 1)) / 2).
    expect(poissonUpper(0)).toBeCloseTo(2.302585, 3);
    expect(poissonUpper(5)).toBeCloseTo(9.274674, 3);
    expect(poissonUpper(10)).toBeCloseTo(15.40664, 3);
    expect(poissonUpper(20)).toBeCloseTo(27.04505, 1);
    expect(poissonUpper(100)).toBeCloseTo(114.0715, 0);
  });

  // KSWIN costs 30 µs a value; its contract is the same.
  it.each(KINDS.filter(([name]) => name !== "kswin"))("is kept by %s on fresh streams of the same kind", (_, kind) => {
    const rows = 5_000;
    const found = calibrateFalseAlarms({
      kind,
      history: bits(1, 4_000, 0.2),
      rowsPer90Days: rows,
      budget: 1,
      seed: 3,
    });
    if (found === null) throw new Error("there is history enough");
    // EDDM cannot be made quiet on a 20 % error rate: it says so instead of pretending.
    if (!found.certified) {
      expect(found.value).toBe(kind.setting.ladder.at(-1));
      return;
    }
    const streams = 40;
    let over = 0;
    for (let stream = 0; stream < streams; stream++) {
      const detector = kind.create(found.value);
      let alarms = 0;
      for (const value of bits(100 + stream, rows, 0.2)) if (detector.update(value).direction === "up") alarms++;
      if (alarms > 1) over++;
    }
    // With at most one alarm expected a quarter, two or more come in at most 1 − 2/e = 26 % of the quarters.
    expect(over === 0 ? 1 : binomialSf(over - 1, streams, 0.264)).toBeGreaterThan(1e-3);
  });

  it.each([
    [200_000, 12, true],
    [2_000_000, 1, false],
  ])(
    "is kept on %i labels in 90 days, by a simulation as long as it takes or else by a duller setting",
    (rows, quarters, certified) => {
      const found = calibrateFalseAlarms({
        kind: DETECTORS.adwin,
        history: bits(1, 4_000, 0.2),
        rowsPer90Days: rows,
        budget: 0.5,
        seed: 3,
      });
      expect(found).toMatchObject({ certified });
      expect(found?.upper).toBeLessThanOrEqual(0.5);
      let alarms = 0;
      for (let quarter = 0; quarter < quarters; quarter++) {
        const detector = DETECTORS.adwin.create(found?.value);
        for (const value of bits(200 + quarter, rows, 0.2)) if (detector.update(value).direction === "up") alarms++;
      }
      // At half an alarm a quarter, 13 in twelve of them come once in 110 times and 4 in one once in 570.
      expect(alarms).toBeLessThan(quarters === 1 ? 4 : 13);
    },
  );

  it("counts the alarms of a detector that begins anew every quarter", () => {
    // DDM alarms most while it is young, which one long stream would hide.
    const rows = 5_000;
    const options = { kind: DETECTORS.ddm, history: bits(1, 5_000, 0.2), rowsPer90Days: rows, budget: 0.5, seed: 3 };
    const found = calibrateFalseAlarms(options);
    let alarms = 0;
    for (let quarter = 0; quarter < 100; quarter++) {
      const detector = DETECTORS.ddm.create(found?.value);
      for (const value of bits(300 + quarter, rows, 0.2)) if (detector.update(value).direction === "up") alarms++;
    }
    // A mean of 50; 75 come once in 1,500 times.
    expect(alarms).toBeLessThan(75);
  });

  it("gives a duller detector for a smaller budget, a livelier one for a larger", () => {
    const history = bits(5, 3_000, 0.3);
    const value = (budget: number) =>
      calibrateFalseAlarms({ kind: DETECTORS.adwin, history, rowsPer90Days: 20_000, budget, seed: 1 })?.value as number;
    expect(value(0.2)).toBeLessThan(value(50));
  });

  it("counts the rhythm of the history as nothing changed", () => {
    // A day of 200 rows whose error rate swings between 10 % and 50 %: shuffled row by row the swing would be an alarm.
    const random = createRandom(2);
    const history = Array.from({ length: 4_000 }, (_, i) => (random.nextFloat() < (i % 200 < 100 ? 0.1 : 0.5) ? 1 : 0));
    const calibrate = (blockRows: number) =>
      calibrateFalseAlarms({ kind: DETECTORS.adwin, history, rowsPer90Days: 10_000, budget: 1, seed: 1, blockRows });
    expect(calibrate(200)?.value as number).toBeLessThan(calibrate(1)?.value as number);
  });

  it("only counts, where a value was chosen by hand", () => {
    const found = calibrateFalseAlarms({
      kind: DETECTORS["page-hinkley"],
      history: bits(1, 2_000, 0.3),
      rowsPer90Days: 10_000,
      budget: 1,
      seed: 1,
      chosen: 5,
    });
    expect(found).toMatchObject({ value: 5, setting: "threshold", certified: false });
    expect(found?.expected).toBeGreaterThan(1);
  });

  it("cannot tell from fewer than 50 losses", () => {
    expect(
      calibrateFalseAlarms({
        kind: DETECTORS.adwin,
        history: bits(1, 49, 0.2),
        rowsPer90Days: 1e4,
        budget: 1,
        seed: 1,
      }),
    ).toBeNull();
  });
});
