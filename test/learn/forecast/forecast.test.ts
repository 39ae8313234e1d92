/** Forecasters against closed forms, against each other, and against the future they must not see. */
import { describe, expect, it } from "vitest";
import {
  createForecaster,
  type ForecastRequest,
  forecast,
  type Panel,
  rollingOrigins,
  seasonalNaiveBaseline,
  seasonalScale,
  viewAt,
} from "../../../src/learn/index.ts";
import { factsAt, lagLayout, writeLagRow } from "../../../src/learn/forecast/lags.ts";
import { seasonalNaive } from "../../../src/learn/forecast/seasonal-naive.ts";
import { fitSmoothing, smooth } from "../../../src/learn/forecast/smoothing.ts";
import { decodeWeights, encodeWeights } from "../../../src/model/index.ts";
import { dailyPanel, normalOf } from "./data.ts";
import { createRandom } from "../../../src/core/index.ts";

const FIRST = 18_262;
const view = (values: readonly number[], start = 0) => ({
  name: "a",
  start,
  values: Float64Array.from(values),
  covariates: new Float32Array(0),
});
function requestOf(panel: Panel, days: number, change: Partial<ForecastRequest> = {}): ForecastRequest {
  return {
    panel,
    trainTo: FIRST + Math.floor(days * 0.75),
    validationTo: FIRST + days - 1,
    params: { epochs: 40 },
    seed: 3,
    signal: new AbortController().signal,
    onPoint: async () => {},
    ...change,
  };
}

describe("seasonal naive", () => {
  it("repeats the last season, and the one before where a value is missing", () => {
    expect([...seasonalNaive(view([1, 2, 3, 4, 5, 6]), 3, 5)]).toEqual([4, 5, 6, 4, 5]);
    expect([...seasonalNaive(view([1, 2, 3, 4, Number.NaN, 6]), 3, 3)]).toEqual([4, 2, 6]);
    expect([...seasonalNaive(view([Number.NaN]), 3, 2)]).toEqual([0, 0]);
  });

  it("measures errors in mean seasonal changes", () => {
    expect(seasonalScale(Float64Array.of(1, 2, 3, 5), 2)).toBe((2 + 3) / 2);
    expect(seasonalScale(Float64Array.of(4, 4, 4), 1)).toBe(4);
    expect(seasonalScale(Float64Array.of(0, 0), 1)).toBe(1);
  });
});

describe("exponential smoothing", () => {
  it("follows the recursion of simple smoothing written out by hand", () => {
    const values = [10, 12, 11, 15];
    // Level starts at the mean of the first three values (11), then l = l + 0.5 (y − l).
    let level = 11;
    for (const value of values) level += 0.5 * (value - level);
    const answer = smooth(view(values), { trend: "none", season: "none" }, [0.5, 0, 0, 1], 3, 2);
    expect([...answer]).toEqual([level, level]);
  });

  it("continues a line with a season exactly, whatever its parameters", () => {
    const season = [3, -1, -2, 0];
    const line = (t: number) => 50 + 2 * t + (season[t % 4] as number);
    const values = Array.from({ length: 24 }, (_, t) => line(t));
    const form = { trend: "additive", season: "additive" } as const;
    const fitted = fitSmoothing(Float64Array.from(values), form, 4);
    const answer = smooth(view(values), form, fitted, 4, 8);
    answer.forEach((value, i) => expect(Math.abs(value - line(24 + i))).toBeLessThan(1.5));
  });

  it("multiplies a season that grows with its level", () => {
    const season = [1.4, 0.6, 0.8, 1.2];
    const values = Array.from({ length: 40 }, (_, t) => (100 + 5 * Math.floor(t / 4)) * (season[t % 4] as number));
    const form = { trend: "damped", season: "multiplicative" } as const;
    const answer = smooth(view(values), form, fitSmoothing(Float64Array.from(values), form, 4), 4, 4);
    answer.forEach((value, i) => expect(value / (150 * (season[i] as number))).toBeCloseTo(1, 1));
  });
});

describe("lags", () => {
  it("hold nothing from behind the origin, wherever it lies", () => {
    const random = createRandom(5);
    const values = Float64Array.from({ length: 120 }, () => 10 + normalOf(random));
    const layout = lagLayout("daily", ["a"], []);
    for (const origin of [20, 60, 100]) {
      for (const step of [1, 6, 7, 8, 14]) {
        const rows = [1, 1000].map((factor) => {
          const series = {
            name: "a",
            start: 0,
            values: values.map((v, i) => (i > origin ? v * factor : v)),
            covariates: new Float32Array(0),
          };
          const known = viewAt(series, origin, "daily", 0) as NonNullable<ReturnType<typeof viewAt>>;
          const row = new Float32Array(layout.columns.length);
          writeLagRow(known, factsAt(known, layout) as NonNullable<ReturnType<typeof factsAt>>, layout, step, row, 0);
          return [...row];
        });
        expect(rows[1]).toEqual(rows[0]);
      }
    }
  });
});

describe("the forecast trainer", () => {
  const days = 420;
  const panel = dailyPanel(8, days, 2, 7);

  it("learns nothing from periods behind its validation: planted ones change no bit", async () => {
    const trainTo = FIRST + 280;
    const validationTo = FIRST + 340;
    const planted = {
      ...panel,
      series: panel.series.map((one) => ({
        ...one,
        values: one.values.map((value, i) => (one.start + i > validationTo ? value * 50 + 1e5 : value)),
      })),
    };
    const bytes = await Promise.all(
      [panel, planted].map(async (one) =>
        encodeWeights(await forecast.fit(requestOf(one, days, { trainTo, validationTo }))),
      ),
    );
    expect(bytes[1]?.json).toBe(bytes[0]?.json);
    expect(Buffer.from(bytes[1]?.binary as Uint8Array).equals(Buffer.from(bytes[0]?.binary as Uint8Array))).toBe(true);
  });

  it("gives the same answer from stored weights, for a series it never saw, and without a value", async () => {
    const weights = await forecast.fit(requestOf(panel, days));
    const { json, binary } = encodeWeights(weights);
    const models = [createForecaster(weights), createForecaster(decodeWeights(json, binary))];
    const known = viewAt(panel.series[0] as Panel["series"][number], FIRST + 400, "daily", 1);
    const views = [known, { ...known, name: "new" }, { ...view([Number.NaN], FIRST), covariates: new Float32Array(8) }];
    for (const one of views) {
      const [first, second] = models.map((model) => model.forecast(one as NonNullable<typeof known>, 7));
      expect(second).toEqual(first);
      for (const point of first as NonNullable<typeof first>) {
        expect(Number.isFinite(point.value)).toBe(true);
        expect(point.low).toBeLessThanOrEqual(point.value);
        expect(point.high).toBeGreaterThanOrEqual(point.value);
        expect(point.low).toBeGreaterThanOrEqual(0);
        expect([...point.quantiles].sort((a, b) => a - b)).toEqual(point.quantiles);
      }
    }
  });

  it("takes the method that forecasts validation best, and beats both simple ones on later periods", async () => {
    const large = dailyPanel(20, 500, 7, 14);
    const errorOf = async (method: string) => {
      const trainTo = FIRST + 380;
      const validationTo = FIRST + 440;
      const weights = await forecast.fit(
        requestOf(large, 500, { trainTo, validationTo, params: { method, epochs: 120 } }),
      );
      const model = createForecaster(weights);
      let missed = 0;
      let size = 0;
      let inside = 0;
      let count = 0;
      for (const series of large.series) {
        for (const origin of rollingOrigins(validationTo, FIRST + 499, 14)) {
          for (const point of model.forecast(viewAt(series, origin, "daily", 1) as never, 14)) {
            const actual = series.values[origin + point.step - FIRST];
            if (actual === undefined) continue;
            missed += Math.abs(actual - point.value);
            size += actual;
            count++;
            if (actual >= point.low && actual <= point.high) inside++;
          }
        }
      }
      return { wape: missed / size, coverage: inside / count };
    };
    const auto = await errorOf("auto");
    expect(auto.wape).toBeLessThan((await errorOf("smoothing")).wape);
    expect(auto.wape).toBeLessThan((await errorOf("seasonal-naive")).wape);
    // 20 series of 4 dependent origins: far fewer independent draws than rows, hence the width.
    expect(auto.coverage).toBeGreaterThan(0.82);
    expect(auto.coverage).toBeLessThan(0.97);
  });

  it("has a baseline that is seasonal naive with intervals", async () => {
    const weights = await seasonalNaiveBaseline.fit(requestOf(panel, days, { params: {} }));
    const model = createForecaster(weights);
    expect(model.method).toBe("seasonal-naive");
    const series = panel.series[1] as Panel["series"][number];
    const [point] = model.forecast(viewAt(series, FIRST + 100, "daily", 1) as never, 1);
    expect(point?.value).toBe(series.values[94]);
    expect(point?.low).toBeLessThan(point?.value as number);
  });

  it("says when there is nothing to learn from, and stops when told", async () => {
    const empty = {
      ...panel,
      series: [{ ...(panel.series[0] as Panel["series"][number]), values: new Float64Array(9).fill(Number.NaN) }],
    };
    await expect(forecast.fit(requestOf(empty, days))).rejects.toMatchObject({ code: "DATASET_EMPTY" });
    const stop = new AbortController();
    stop.abort();
    await expect(forecast.fit(requestOf(panel, days, { signal: stop.signal }))).rejects.toMatchObject({
      code: "TRAINER_CANCELED",
    });
    expect(() => forecast.resolveParams({ metod: "gbdt" })).toThrow(/Closest: "method"/);
    expect(() => forecast.resolveParams({ method: "arima" })).toThrow(/seasonal-naive/);
  });

  it.each([
    ["series younger than their season", 5, (t: number) => t, ["seasonal-naive", "smoothing"]],
    ["series of less than two seasons", 15, (t: number) => 10 + (t % 7), ["seasonal-naive", "smoothing"]],
    ["silence", 90, () => 0, ["seasonal-naive", "smoothing"]],
    ["one value that never changes", 90, () => 5, ["seasonal-naive", "smoothing", "gbdt", "combined"]],
  ] as const)("has a model for %s, of the methods that can look at it", async (what, count, value, methods) => {
    const values = Float64Array.from({ length: count }, (_, t) => value(t));
    const series = [{ name: "a", start: FIRST, values, covariates: new Float32Array(0) }];
    const one: Panel = { frequency: "daily", horizon: 7, covariates: [], series };
    const weights = await forecast.fit(requestOf(one, count));
    expect((weights.shape["tried"] as { method: string }[]).map(({ method }) => method)).toEqual(methods);
    const known = viewAt(series[0] as Panel["series"][number], FIRST + count - 1, "daily", 0);
    const points = createForecaster(weights).forecast(known as NonNullable<typeof known>, 7);
    expect(points).toHaveLength(7);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    for (const point of points) {
      expect(point.value).toBeGreaterThanOrEqual(low);
      expect(point.value).toBeLessThanOrEqual(2 * high);
      expect(point.low).toBeLessThanOrEqual(point.value);
      expect(point.high).toBeGreaterThanOrEqual(point.value);
      if (low === high) expect([point.value, point.low, point.high]).toEqual([low, low, low]);
    }
    if (what === "one value that never changes") return;
    await expect(forecast.fit(requestOf(one, count, { params: { method: "gbdt" } }))).rejects.toMatchObject({
      code: "DATASET_EMPTY",
      message: expect.stringContaining("two seasons (14 periods)"),
    });
  });

  it.each([1e200, -Infinity])("names the series and the day of %d, whose sums no number holds", async (value) => {
    const values = Float64Array.from({ length: 90 }, (_, t) => (t === 3 ? value : t % 7));
    const series = [{ name: "a", start: FIRST, values, covariates: new Float32Array(0) }];
    const one: Panel = { frequency: "daily", horizon: 7, covariates: [], series };
    await expect(forecast.fit(requestOf(one, 90))).rejects.toMatchObject({
      code: "TRAINER_FAILED",
      message: `Series "a" has the value ${value} at 2020-01-04; forecasts take numbers from -1e+150 to 1e+150.`,
    });
  });

  it("forecasts months and quarters as well as days", async () => {
    for (const [frequency, season, horizon] of [
      ["monthly", 12, 6],
      ["quarterly", 4, 4],
    ] as const) {
      const random = createRandom(season);
      const series = Array.from({ length: 6 }, (_, s) => ({
        name: `s${s}`,
        start: 2000 * season,
        covariates: new Float32Array(0),
        values: Float64Array.from(
          { length: 15 * season },
          (_, t) => 100 + t + 20 * Math.sin((2 * Math.PI * t) / season) + normalOf(random),
        ),
      }));
      const trainTo = 2000 * season + 11 * season;
      const weights = await forecast.fit({
        ...requestOf(panel, days),
        panel: { frequency, horizon, covariates: [], series },
        trainTo,
        validationTo: trainTo + 2 * season,
      });
      const model = createForecaster(weights);
      const one = series[0] as (typeof series)[number];
      const origin = trainTo + 2 * season;
      const points = model.forecast(viewAt(one, origin, frequency, 0) as never, horizon);
      const error = points.reduce(
        (sum, point) => sum + Math.abs(point.value - (one.values[origin + point.step - one.start] as number)),
        0,
      );
      expect(error / horizon).toBeLessThan(12);
    }
  });
});
