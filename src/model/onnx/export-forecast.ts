/**
 * A forecaster as a graph: the history of each series goes in, right-aligned, and what comes behind its last period goes out, with
 * intervals. Everything that the server folds from its log (lags, windows, calendar, smoothing) is computed in the graph, in the
 * order of our own sums.
 */
import type { Preparation } from "../../data/index.ts";
import { SEASON } from "../../data/calendar.ts";
import { HISTORY_PERIODS, QUANTILES, type TrainedWeights } from "../../learn/index.ts";
import { type ForecasterShape, smoothingOf, treesOf } from "../../learn/forecast/forecaster.ts";
import { BAND_WIDTH, RECENT_SEASONS } from "../../learn/forecast/intervals.ts";
import { lagLayout } from "../../learn/forecast/lags.ts";
import { addLagForecast } from "./export-lags.ts";
import { addCodes } from "./export-preparation.ts";
import { addSmoothing } from "./export-smoothing.ts";
import { addSeasonalNaive, seriesIndex, type SeriesParts } from "./export-series.ts";
import type { GraphBuilder } from "./graph.ts";
import { Operators } from "./operators.ts";

/** Inputs of ours, which a covariate may be called too. */
const OWN_INPUTS = ["history", "series", "origin"];

/** The input of a covariate: its name, unless that is taken. */
export function covariateInput(name: string): string {
  return OWN_INPUTS.includes(name) ? `covariate ${name}` : name;
}

/** Adds inputs, outputs and all between. */
export function addForecaster(graph: GraphBuilder, weights: TrainedWeights, preparation: Preparation): void {
  const shape = weights.shape as unknown as ForecasterShape;
  const { horizon, frequency, series: names } = shape;
  const season = SEASON[frequency];
  const o = new Operators(graph);
  const history = graph.input("history", "double", ["periods"]);
  const series = graph.input("series", "string");
  // One period more, so that no history is empty; the oldest are cut off.
  const wider = o.pad(history, o.ints([1]), o.ints([0]), graph.scalar("double", Number.NaN));
  const parts = { o, season, horizon, names, series, recent: o.slice(wider, 1, -HISTORY_PERIODS[frequency]) };
  const raw = pointForecasts(parts, { weights, shape, preparation });
  const isNumber = o.not(o.or(o.isMissing(raw), graph.node("IsInf", [raw])));
  const bounded = (value: string) => (shape.nonNegative ? o.where(o.less(value, 0), 0, value) : value);
  const value = bounded(o.where(isNumber, raw, 0));
  const spread = addSpread(parts, weights, shape);
  const bands = weights.arrays["bands"] as Float64Array;
  const band = (from: number, width: number) =>
    o.doubles(
      Array.from({ length: horizon }, (_, step) => {
        // Beyond the longest step that was checked, its errors stand for the longer ones.
        const at = Math.min(step, bands.length / BAND_WIDTH - 1) * BAND_WIDTH + from;
        return [...bands.subarray(at, at + width)];
      }).flat(),
      width === 1 ? [1, horizon] : [1, horizon, width],
    );
  const reached = (from: number) => bounded(o.add(value, o.mul(band(from, 1), spread)));
  const columns = [value, spread].map((one) => graph.node("Unsqueeze", [one, o.ints([2])])) as [string, string];
  const quantiles = bounded(o.add(columns[0], o.mul(band(2, QUANTILES.length), columns[1])));
  graph.node("Identity", [value], {}, { output: "forecast" });
  graph.node("Min", [value, reached(0)], {}, { output: "lower" });
  graph.node("Max", [value, reached(1)], {}, { output: "upper" });
  graph.node("Identity", [quantiles], {}, { output: "quantiles" });
  for (const name of ["forecast", "lower", "upper"]) graph.output(name, "double", horizon);
  graph.output("quantiles", "double", [horizon, QUANTILES.length]);
}

function pointForecasts(
  parts: SeriesParts,
  model: { readonly weights: TrainedWeights; readonly shape: ForecasterShape; readonly preparation: Preparation },
): string {
  const { weights, shape, preparation } = model;
  const { o } = parts;
  const { method, treeShape, frequency, covariates, series } = shape;
  const bySmoothing = () => addSmoothing(parts, smoothingOf(weights, series));
  const byTrees = () =>
    addLagForecast(parts, {
      layout: lagLayout(frequency, series, covariates),
      trees: treesOf(weights, treeShape ?? {}),
      covariates: addCovariates(parts, preparation),
      origin: o.graph.input("origin", "int64"),
    });
  switch (method) {
    case "seasonal-naive":
      return addSeasonalNaive(parts);
    case "smoothing":
      return bySmoothing();
    case "gbdt":
      return byTrees();
    case "combined":
      return o.div(o.add(bySmoothing(), byTrees()), 2);
  }
}

/** Covariates of the coming periods as one column each, rows × horizon long; undefined where there are none. */
function addCovariates({ o, horizon }: SeriesParts, preparation: Preparation): string | undefined {
  if (preparation.features.length === 0) return undefined;
  const inputs = preparation.features.map(({ name, kind }) => {
    const given = o.graph.input(covariateInput(name), kind === "category" ? "string" : "float", horizon);
    return o.reshape(given, [-1, 1]);
  });
  return addCodes(o.graph, preparation, inputs);
}

/** The changes over a season of the last places: their sum, and how many are known. */
function addChanges(o: Operators, recent: string, season: number) {
  const wider = o.pad(recent, o.ints([season]), o.ints([0]), o.graph.scalar("double", Number.NaN));
  const change = o.graph.node("Abs", [o.sub(recent, o.slice(wider, 1, 0, -season))]);
  return o.known(change);
}

/** The unit of the intervals, rows × 1: `spreadAt`, or the scale alone in models of before. */
function addSpread(parts: SeriesParts, weights: TrainedWeights, shape: ForecasterShape): string {
  const { o, season, recent } = parts;
  const scales = weights.arrays["scale"] as Float64Array;
  const table = o.doubles([...scales, Number.NaN], [scales.length + 1]);
  const trained = o.gather(table, seriesIndex(parts), 0);
  const all = addChanges(o, recent, season);
  const size = o.known(o.graph.node("Abs", [recent]));
  const otherwise = o.where(o.less(0, size.sum), o.div(size.sum, size.count), 1);
  const own = o.where(o.less(0, all.sum), o.div(all.sum, all.count), otherwise);
  const scale = o.where(o.isMissing(trained), own, trained);
  if (shape.unit !== "spread") return scale;
  const lately = addChanges(o, o.slice(recent, 1, -(RECENT_SEASONS + 1) * season), season);
  const moved = o.div(o.add(scale, o.div(lately.sum, lately.count)), 2);
  return o.where(o.less(0, lately.count), moved, scale);
}
