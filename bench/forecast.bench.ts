// Forecasts of 100 daily series over 3 years, 14 days ahead: the share of demand that is missed (WAPE) on the last 16 weeks from
// rolling origins, against seasonal naive and exponential smoothing, each fitted on the same periods.
import { createRandom } from "../src/core/index.ts";
import {
  createForecaster,
  forecast,
  type Panel,
  type PanelSeries,
  rollingOrigins,
  type SeriesView,
  viewAt,
} from "../src/learn/index.ts";
import { expDeterministic } from "../src/stats/index.ts";
import type { BenchResult } from "./harness.ts";

const FIRST = 18_262;
const DAYS = 1096;
const HORIZON = 14;
const TRAIN_TO = FIRST + 868;
const VALIDATION_TO = FIRST + 981;

/** Weekly and yearly seasons, drifting levels, promotions known ahead, 12 % noise: below about 0.1 nobody can come. */
function panelOf(count: number, seed: number): Panel {
  const series = Array.from({ length: count }, (_, s): PanelSeries => {
    const random = createRandom(seed * 1000 + s);
    const normal = () => {
      let sum = -6;
      for (let i = 0; i < 12; i++) sum += random.nextFloat();
      return sum;
    };
    const base = 20 + 180 * random.nextFloat();
    const week = Array.from({ length: 7 }, (_unused, d) => 0.25 * normal() + (d >= 5 ? 0.3 : 0));
    const yearly = 0.3 * random.nextFloat();
    const phase = 40 * random.nextFloat();
    const growth = 0.0006 * normal();
    const lift = 0.3 + 0.4 * random.nextFloat();
    const covariates = Float32Array.from({ length: DAYS + HORIZON }, () => (random.nextInt(12) === 0 ? 1 : 0));
    let drift = 0;
    const values = Float64Array.from({ length: DAYS }, (_unused, t) => {
      drift += 0.01 * normal();
      const year = yearly * Math.sin((2 * Math.PI * (t + phase)) / 365.25);
      const level = (week[(t + 3) % 7] as number) + year + growth * t + drift + lift * (covariates[t] as number);
      return Math.max(0, Math.round(base * expDeterministic(level) * (1 + 0.12 * normal())));
    });
    return { name: `store ${s}`, start: FIRST, values, covariates };
  });
  return { frequency: "daily", horizon: HORIZON, covariates: [{ name: "promo", kind: "number" }], series };
}

async function measureMethod(panel: Panel, method: string) {
  const from = process.cpuUsage();
  const weights = await forecast.fit({
    panel,
    trainTo: TRAIN_TO,
    validationTo: VALIDATION_TO,
    params: { method },
    seed: 1,
    signal: new AbortController().signal,
    onPoint: async () => {},
  });
  const { user, system } = process.cpuUsage(from);
  const model = createForecaster(weights);
  let missed = 0;
  let size = 0;
  let inside = 0;
  let count = 0;
  for (const series of panel.series) {
    for (const origin of rollingOrigins(VALIDATION_TO, FIRST + DAYS - 1, HORIZON)) {
      for (const point of model.forecast(viewAt(series, origin, "daily", 1) as SeriesView, HORIZON)) {
        const actual = series.values[origin + point.step - FIRST];
        if (actual === undefined) continue;
        missed += Math.abs(actual - point.value);
        size += actual;
        count++;
        if (actual >= point.low && actual <= point.high) inside++;
      }
    }
  }
  return { wape: missed / size, coverage: inside / count, cpuSeconds: (user + system) / 1e6, chosen: model.method };
}

export async function run(): Promise<BenchResult> {
  const panel = panelOf(100, 1);
  const naive = await measureMethod(panel, "seasonal-naive");
  const smoothing = await measureMethod(panel, "smoothing");
  const auto = await measureMethod(panel, "auto");
  return {
    figures: [
      { name: "WAPE of seasonal naive", value: naive.wape, unit: "" },
      { name: "WAPE of exponential smoothing", value: smoothing.wape, unit: "" },
      { name: "WAPE of auto", value: auto.wape, unit: "" },
      { name: "auto against seasonal naive", value: auto.wape / naive.wape, unit: "×", atMost: 1 },
      { name: "auto against exponential smoothing", value: auto.wape / smoothing.wape, unit: "×", atMost: 1 },
      { name: "share within the 90 % interval", value: auto.coverage, unit: "", atLeast: 0.85, atMost: 0.95 },
      { name: "processor time of auto", value: auto.cpuSeconds, unit: "s" },
    ],
    notes: [`auto chose ${auto.chosen}.`, "LightGBM on the same features was not measured."],
  };
}
