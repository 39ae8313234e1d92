/** Intervals against closed forms, and their coverage in simulations where the truth is known. */
import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/core/index.ts";
import { BAND_WIDTH, ErrorRecord, reachOf, spreadAt } from "../../../src/learn/forecast/intervals.ts";
import {
  createForecaster,
  forecast,
  type PanelSeries,
  rollingOrigins,
  type TrainedWeights,
  viewAt,
} from "../../../src/learn/index.ts";
import { normalOf } from "./data.ts";

const sizes = (...values: number[]) => Float64Array.from(values);

describe("the reach of an interval", () => {
  it("is the ⌈(n + 1) · level⌉-th of n independent errors", () => {
    const nineteen = Float64Array.from({ length: 19 }, (_, i) => i + 1);
    expect(reachOf(nineteen, 0.9, 19)).toBe(18);
    expect(reachOf(nineteen, 0.5, 19)).toBe(10);
    expect(reachOf(nineteen, 0.95, 19)).toBe(19);
  });

  it("counts repeated errors of few draws as few", () => {
    const hundred = Float64Array.from({ length: 100 }, (_, i) => i + 1);
    expect(reachOf(hundred, 0.9, 100)).toBe(91);
    expect(reachOf(hundred, 0.9, 20)).toBe(95);
  });

  it("stretches the largest error where too few were seen, and takes the unit where none was", () => {
    expect(reachOf(sizes(1, 2, 3, 4), 0.9, 4)).toBeCloseTo((4 * Math.log(10)) / Math.log(5), 12);
    expect(reachOf(sizes(2), 0.9, 1)).toBeCloseTo((2 * Math.log(10)) / Math.log(2), 12);
    expect(reachOf(sizes(), 0.9, 0)).toBeCloseTo(Math.log(10), 12);
  });

  it.each([4, 9, 19, 50])("holds nine in ten targets or a little more after %i draws", (draws) => {
    const random = createRandom(draws);
    const error = () => -Math.log(1 - random.nextFloat());
    const trials = 4000;
    let inside = 0;
    for (let trial = 0; trial < trials; trial++) {
      const seen = Float64Array.from({ length: draws }, error).sort();
      if (error() <= reachOf(seen, 0.9, draws)) inside++;
    }
    // Conformal prediction promises [level, level + 1 / (n + 1)]; 4 deviations of a binomial share are 0.019.
    expect(inside / trials).toBeGreaterThan(0.9 - 0.019);
    expect(inside / trials).toBeLessThan(0.9 + 1 / (draws + 1) + 0.019);
  });
});

describe("the unit of errors", () => {
  const view = (...values: number[]) => ({
    name: "a",
    start: 0,
    values: Float64Array.from(values),
    covariates: new Float32Array(0),
  });

  it("lies midway between all of training and the last two seasons", () => {
    // Changes over a season of 2 among the last 4: |5−3|, |9−4|, |5−5|, |1−9|, a mean of 15/4.
    expect(spreadAt(view(100, 0, 3, 4, 5, 9, 5, 1), 2, 1)).toBe((1 + 15 / 4) / 2);
    expect(spreadAt(view(1, Number.NaN, Number.NaN, 4), 2, 6)).toBe(6);
    expect(spreadAt(view(2, 2, 2, 2, 2), 2, 6)).toBe(3);
  });
});

describe("bands", () => {
  it("stand for one step alone where it has errors enough, and borrow from its neighbors where not", () => {
    const rich = new ErrorRecord(2);
    for (let i = 1; i <= 100; i++) {
      rich.add(1, i % 2 === 0 ? i : -i, `${i}`);
      rich.add(2, 1000, `${i}`);
    }
    const bands = rich.bands(0.9);
    expect(bands).toHaveLength(2 * BAND_WIDTH);
    expect([...bands.subarray(0, 2)]).toEqual([-91, 91]);
    expect([...bands.subarray(BAND_WIDTH, BAND_WIDTH + 3)]).toEqual([-1000, 1000, 1000]);
    const poor = new ErrorRecord(2);
    poor.add(1, 1, "a");
    poor.add(2, -8, "b");
    expect(poor.bands(0.5)[1]).toBe(8);
  });
});

/** Monthly series without a trend: a season, and noise whose size changes at a period. */
function noisySeries(count: number, seed: number, months: number, sizeAt: (month: number) => number): PanelSeries[] {
  return Array.from({ length: count }, (_, s) => {
    const random = createRandom(seed * 100 + s);
    const level = 100 * (s + 1);
    return {
      name: `series ${s}`,
      start: 0,
      covariates: new Float32Array(0),
      values: Float64Array.from(
        { length: months },
        (_unused, t) => level * (10 + 2 * Math.sin((2 * Math.PI * t) / 12) + sizeAt(t) * normalOf(random)),
      ),
    };
  });
}

const MONTHS = 180;
const TRAIN_TO = 95;
const VALIDATION_TO = 131;

/** Share of later targets inside the 90 % interval, over panels of two series by seed. */
async function coverageOf(options: {
  readonly method: string;
  readonly seeds: number;
  readonly sizeAt: (month: number) => number;
  readonly change?: (weights: TrainedWeights) => TrainedWeights;
}) {
  let inside = 0;
  let count = 0;
  for (let seed = 1; seed <= options.seeds; seed++) {
    const series = noisySeries(2, seed, MONTHS, options.sizeAt);
    const weights = await forecast.fit({
      panel: { frequency: "monthly", horizon: 6, covariates: [], series },
      trainTo: TRAIN_TO,
      validationTo: VALIDATION_TO,
      params: { method: options.method },
      seed,
      signal: new AbortController().signal,
      onPoint: async () => {},
    });
    const model = createForecaster(options.change?.(weights) ?? weights);
    for (const one of series) {
      for (const origin of rollingOrigins(VALIDATION_TO, MONTHS - 1, 6)) {
        for (const { step, low, high } of model.forecast(viewAt(one, origin, "monthly", 0) as never, 6)) {
          const actual = one.values[origin + step];
          if (actual === undefined) continue;
          count++;
          if (actual >= low && actual <= high) inside++;
        }
      }
    }
  }
  return inside / count;
}

describe("coverage in simulations", () => {
  it.each([
    ["seasonal-naive", 60],
    ["smoothing", 15],
  ])("is what was asked for where nothing changes (%s)", async (method, seeds) => {
    const coverage = await coverageOf({ method, seeds, sizeAt: () => 1 });
    // Two series of six stretches: 12 draws, so 0.9 to 0.9 + 1/13, and some deviations of as many dependent targets.
    expect(coverage).toBeGreaterThan(0.88);
    expect(coverage).toBeLessThan(0.975);
  });

  it("follows noise that doubles after training, which errors in the units of training do not", async () => {
    const doubled = { method: "seasonal-naive", seeds: 60, sizeAt: (month: number) => (month > VALIDATION_TO ? 2 : 1) };
    const fixed = ({ shape, ...weights }: TrainedWeights): TrainedWeights => ({
      ...weights,
      shape: { ...shape, unit: null },
    });
    const adapted = await coverageOf(doubled);
    expect(adapted).toBeGreaterThan(0.78);
    expect(await coverageOf({ ...doubled, change: fixed })).toBeLessThan(adapted - 0.06);
  });
});
