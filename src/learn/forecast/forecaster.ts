/**
 * A trained forecaster: point forecasts by the method that training chose, and around them the intervals that its own errors on
 * validation gave (intervals.ts).
 */
import type { JsonObject, Task } from "../../core/index.ts";
import { type Frequency, SEASON } from "../../data/calendar.ts";
import { gbdt } from "../gbdt/gbdt.ts";
import type { ScoreRow, TrainedWeights } from "../trainer.ts";
import { BAND_WIDTH, QUANTILES, spreadAt } from "./intervals.ts";
import { factsAt, type LagLayout, lagLayout, writeLagRow } from "./lags.ts";
import type { CovariateColumn, SeriesView } from "./panel.ts";
import { seasonalScale } from "./panel.ts";
import { seasonalNaive } from "./seasonal-naive.ts";
import {
  DEFAULT_SMOOTHING,
  SMOOTHING_FORMS,
  type SmoothingForm,
  smooth,
  type SmoothingParameters,
} from "./smoothing.ts";

export const METHODS = ["seasonal-naive", "smoothing", "gbdt", "combined"] as const;
export type Method = (typeof METHODS)[number];

export interface ForecastPoint {
  /** 1 is the period after the origin. */
  readonly step: number;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** The values at `QUANTILES`. */
  readonly quantiles: readonly number[];
  /** What an absolute error is divided by for MASE. */
  readonly scale: number;
}

export interface Forecaster {
  readonly method: Method;
  readonly frequency: Frequency;
  readonly season: number;
  readonly horizon: number;
  /** Share of targets that the interval should hold. */
  readonly level: number;
  readonly covariates: readonly CovariateColumn[];
  /** Forecasts of steps 1..steps after the view's last period. Cost: one pass over the history, one tree walk a step. */
  forecast(view: SeriesView, steps: number): readonly ForecastPoint[];
}

/** The weights of the inner trees live among the forecaster's own arrays under this prefix. */
export const TREES = "trees.";

export interface SmoothingChoice {
  readonly form: SmoothingForm;
  readonly parameters: SmoothingParameters;
}

/** Point forecasts of every method a model can answer with. */
export interface PointForecasts {
  of(method: Method, view: SeriesView, steps: number): Float64Array;
}

export function pointForecasts(parts: {
  readonly layout: LagLayout;
  readonly smoothing: ReadonlyMap<string, SmoothingChoice>;
  readonly trees: ScoreRow | undefined;
}): PointForecasts {
  const { layout, smoothing, trees } = parts;
  const width = layout.columns.length;
  const row = new Float32Array(width);
  const out = new Float64Array(1);
  const bySmoothing = (view: SeriesView, steps: number) => {
    const { form, parameters } = smoothing.get(view.name) ?? {
      form: SMOOTHING_FORMS[2],
      parameters: DEFAULT_SMOOTHING,
    };
    return smooth(view, form as SmoothingForm, parameters, layout.season, steps);
  };
  const byTrees = (view: SeriesView, steps: number) => {
    const facts = factsAt(view, layout);
    const values = new Float64Array(steps);
    if (facts === undefined || trees === undefined) return values;
    for (let step = 1; step <= steps; step++) {
      writeLagRow(view, facts, layout, step, row, 0);
      trees(row, 0, out);
      values[step - 1] = (out[0] as number) * facts.size;
    }
    return values;
  };
  return {
    of(method, view, steps) {
      switch (method) {
        case "seasonal-naive":
          return seasonalNaive(view, layout.season, steps);
        case "smoothing":
          return bySmoothing(view, steps);
        case "gbdt":
          return byTrees(view, steps);
        case "combined": {
          const own = byTrees(view, steps);
          return bySmoothing(view, steps).map((value, i) => (value + (own[i] as number)) / 2);
        }
      }
    },
  };
}

/** What a trained forecaster says of itself beside its arrays. */
export interface ForecasterShape {
  readonly method: Method;
  readonly frequency: Frequency;
  readonly horizon: number;
  readonly level: number;
  readonly nonNegative: boolean;
  /** What the bands are multiplied by: absent in models of before, whose bands are in units of the series' scale. */
  readonly unit?: "spread";
  readonly series: readonly string[];
  readonly covariates: readonly CovariateColumn[];
  readonly treeShape: JsonObject | null;
}

export function createForecaster(weights: TrainedWeights): Forecaster {
  const shape = weights.shape as unknown as ForecasterShape;
  const { frequency, horizon, method, level, nonNegative, covariates, series, unit } = shape;
  const season = SEASON[frequency];
  const points = pointForecasts({
    layout: lagLayout(frequency, series, covariates),
    smoothing: smoothingOf(weights, series),
    trees: shape.treeShape === null ? undefined : gbdt.scorer(treesOf(weights, shape.treeShape), "regression" as Task),
  });
  const scales = weights.arrays["scale"] as Float64Array;
  const scaleOf = new Map(series.map((name, i) => [name, scales[i] as number]));
  const bands = weights.arrays["bands"] as Float64Array;
  const bounded = (value: number) => (nonNegative && value < 0 ? 0 : value);
  return {
    method,
    frequency,
    season,
    horizon,
    level,
    covariates,
    forecast(view, steps) {
      const values = points.of(method, view, steps);
      const scale = scaleOf.get(view.name) ?? seasonalScale(view.values, season);
      const spread = unit === "spread" ? spreadAt(view, season, scale) : scale;
      return Array.from(values, (raw, i) => {
        const value = bounded(Number.isFinite(raw) ? raw : 0);
        // Beyond the longest step that was checked, its errors stand for the longer ones.
        const band = Math.min(i, bands.length / BAND_WIDTH - 1) * BAND_WIDTH;
        const at = (k: number) => bounded(value + (bands[band + k] as number) * spread);
        return {
          step: i + 1,
          value,
          low: Math.min(value, at(0)),
          high: Math.max(value, at(1)),
          quantiles: QUANTILES.map((_, k) => at(2 + k)),
          scale,
        };
      });
    },
  };
}

/** The inner trees as a model of their own. */
export function treesOf(weights: TrainedWeights, shape: JsonObject): TrainedWeights {
  const arrays = Object.fromEntries(
    Object.entries(weights.arrays)
      .filter(([name]) => name.startsWith(TREES))
      .map(([name, array]) => [name.slice(TREES.length), array]),
  );
  return { trainer: "gbdt", shape, arrays, bestEpoch: weights.bestEpoch };
}

export function smoothingOf(weights: TrainedWeights, series: readonly string[]): ReadonlyMap<string, SmoothingChoice> {
  const forms = weights.arrays["form"] as Int32Array;
  const parameters = weights.arrays["smoothing"] as Float64Array;
  return new Map(
    series.map((name, i) => [
      name,
      {
        form: SMOOTHING_FORMS[forms[i] as number] as SmoothingForm,
        parameters: [...parameters.subarray(i * 4, i * 4 + 4)] as unknown as SmoothingParameters,
      },
    ]),
  );
}
