// What thresholds from history promise: a model whose weeks wander keeps its budget of false alarms, one whose weeks differ by chance
// alone loses no power. Twenty features, every one of which counts; weekly windows of 2,000 rows.
import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/core/index.ts";
import { buildReferenceProfile, type Frame, profileFrame } from "../../../src/data/index.ts";
import { calibrateDrift, compareProfiles, levelOf } from "../../../src/monitor/index.ts";
import { binomialSf } from "../../../src/stats/index.ts";
import { normal } from "./simulated.ts";

const ROWS = 2_000;
const FEATURES = 20;
const LEVEL = levelOf(0.125, 86_400_000);

/** Weeks whose means wander by `wander` standard deviations; `shift` is added to the first feature. */
function weeks(count: number, { seed, wander, shift = 0 }: { seed: number; wander: number; shift?: number }): Frame {
  const random = createRandom(seed);
  const rows = count * ROWS;
  const columns = Array.from({ length: FEATURES }, (_, k) => {
    const values = new Float32Array(rows);
    for (let week = 0; week < count; week++) {
      const mean = wander * normal(random) + (k === 0 ? shift : 0);
      for (let i = week * ROWS; i < (week + 1) * ROWS; i++) values[i] = normal(random) + mean;
    }
    return { kind: "number" as const, name: `f${k}`, values };
  });
  return { rows, columns };
}
const week = (i: number) => Uint32Array.from({ length: ROWS }, (_, row) => i * ROWS + row);

function calibrated(history: Frame) {
  const count = history.rows / ROWS;
  const reference = buildReferenceProfile(
    history,
    Uint32Array.from({ length: history.rows }, (_, i) => i),
  );
  const windows = Array.from({ length: count }, (_, i) => profileFrame(reference, history, week(i)));
  const { thresholds } = calibrateDrift(reference, windows, { level: LEVEL });
  const judge = (frame: Frame, i: number) =>
    compareProfiles(reference, profileFrame(reference, frame, week(i)), { level: LEVEL, history: thresholds });
  return { thresholds, judge };
}

describe("thresholds from history", () => {
  it.each([0.1, 0.2, 0.3])("keep a model's budget where weeks wander by %d standard deviations", (wander) => {
    let alarms = 0;
    const models = 8;
    for (let seed = 0; seed < models; seed++) {
      const { judge } = calibrated(weeks(16, { seed: 100 + seed, wander }));
      const quarter = weeks(13, { seed: 500 + seed, wander });
      for (let i = 0; i < 13; i++) if (judge(quarter, i).verdict === "drift") alarms++;
    }
    // One in 90 days in all; of a normal law there were three of data drift alone.
    expect(alarms === 0 ? 1 : binomialSf(alarms - 1, models * 13, 1 / 13)).toBeGreaterThan(0.05);
    expect(alarms).toBeLessThanOrEqual(models);
  });

  it("are those of chance where weeks differ by chance alone: half a standard deviation is seen", () => {
    const { thresholds, judge } = calibrated(weeks(6, { seed: 1, wander: 0 }));
    // Below the minimum effect, also where chance makes one of twenty look as if it wandered.
    expect(Math.max(...Object.values(thresholds))).toBeLessThan(0.1);
    const moved = weeks(4, { seed: 2, wander: 0, shift: 0.5 });
    for (let i = 0; i < 4; i++) {
      const report = judge(moved, i);
      expect(report.features[0]).toMatchObject({ feature: "f0", verdict: "drift" });
    }
  });

  it("of a feature that wanders do not dull the others", () => {
    const history = weeks(7, { seed: 8, wander: 0 });
    const [first] = history.columns;
    if (first?.kind === "number")
      first.values.forEach((value, row, own) => (own[row] = value + Math.floor(row / ROWS)));
    const { thresholds } = calibrated(history);
    expect(thresholds["f0"]).toBeGreaterThan(2);
    const others = Object.entries(thresholds).flatMap(([name, value]) => (name === "f0" ? [] : [value]));
    // One in twenty wanders by chance.
    expect(others.filter((value) => value > 0.1).length).toBeLessThanOrEqual(2);
  });

  it("still see what lies far beyond what the weeks do, and say that history made the threshold", () => {
    const { judge } = calibrated(weeks(26, { seed: 3, wander: 0.2 }));
    const report = judge(weeks(1, { seed: 4, wander: 0, shift: 1.5 }), 0);
    expect(report.features[0]).toMatchObject({ feature: "f0", verdict: "drift" });
    expect(report.features[0]?.components[0]).toMatchObject({ statistic: "psi", thresholdFrom: "history" });
  });

  it("are none with fewer than five windows", () => {
    expect(calibrated(weeks(4, { seed: 5, wander: 0.2 })).thresholds).toEqual({});
  });
});
