/**
 * The rows that trees forecast from, as a graph: rows × horizon × columns, in the order of `learn/forecast/lags.ts`, float64
 * rounded to float32 at the end as there.
 */
import type { TrainedWeights } from "../../learn/index.ts";
import { type LagLayout, NAMED_SERIES, RECENT, SEASONS_BACK } from "../../learn/forecast/lags.ts";
import { addCalendar } from "./export-calendar.ts";
import type { SeriesParts } from "./export-series.ts";
import { addTreeEnsemble } from "./export-trees.ts";
import type { Operators } from "./operators.ts";

interface LagParts {
  readonly layout: LagLayout;
  readonly trees: TrainedWeights;
  /** (rows × horizon) × covariates, float32. */
  readonly covariates: string | undefined;
  /** Some instant of each row's last period, rows × 1. */
  readonly origin: string;
}

/** Known once per row. */
interface Facts {
  /** rows × 1: what values are divided by; NaN where nothing is known. */
  readonly size: string;
  /** rows × columns of the same name in the layout, in its order. */
  readonly moments: string;
  readonly change: string;
  readonly growth: string;
}

/** @returns rows × horizon; zeros where nothing is known of a series */
export function addLagForecast(parts: SeriesParts, given: LagParts): string {
  const { o, recent, horizon } = parts;
  const { layout, trees, covariates } = given;
  const { season, year, windows } = layout;
  const reach = Math.max(year + 4 * season, SEASONS_BACK * season, ...windows);
  const lacking = o.graph.node("Max", [o.sub(o.ints([reach]), o.places(recent)), o.ints([0])]);
  const padded = o.pad(recent, lacking, o.ints([0]), o.graph.scalar("double", Number.NaN));
  const last = o.slice(padded, 1, -reach);
  const facts = addFacts(o, { recent, last, layout });
  const flat = addRows(parts, given, { facts, reach, scaled: o.div(last, facts.size) });
  const rows = covariates === undefined ? flat : o.concat([flat, covariates], 1);
  const score = addTreeEnsemble(o.graph, trees, rows);
  const deviation = Number(trees.shape["targetDeviation"]);
  const answer = o.add(o.mul(score, deviation), Number(trees.shape["targetMean"]));
  const values = o.mul(o.reshape(answer, [-1, horizon]), facts.size);
  return o.where(o.isMissing(facts.size), 0, values);
}

/** (rows × horizon) × columns without covariates, float32. `scaled`: the last `reach` values in units of the series' size. */
function addRows(
  { o, recent, horizon, series, names }: SeriesParts,
  { layout, origin }: LagParts,
  { facts, reach, scaled }: { readonly facts: Facts; readonly reach: number; readonly scaled: string },
): string {
  const { season, year, windows, frequency } = layout;
  const steps = Array.from({ length: horizon }, (_, i) => i + 1);
  /** rows × columns to rows × horizon × columns */
  const everyStep = (value: string, width: number) =>
    o.expand(o.graph.node("Unsqueeze", [value, o.ints([1])]), recent, [horizon, width]);
  const codes = names.map((_, i) => Math.min(i, NAMED_SERIES) + 1);
  const code = o.cast(o.codes(series, names, codes, NAMED_SERIES + 1), "double");
  const newest = Array.from({ length: RECENT }, (_, i) => reach - 1 - i);
  const back = steps.flatMap((step) =>
    Array.from({ length: SEASONS_BACK }, (_, i) => reach + ((step - 1) % season) - (i + 1) * season),
  );
  const seasons = o.gather(scaled, o.ints(back, [horizon, SEASONS_BACK]), 1);
  const ofSeasons = o.known(seasons, 2);
  const blocks = [
    everyStep(code, 1),
    o.expand(o.doubles(steps, [1, horizon, 1]), recent, [horizon, 1]),
    everyStep(o.gather(scaled, o.ints(newest), 1), RECENT),
    seasons,
    o.div(ofSeasons.sum, ofSeasons.count),
    everyStep(facts.moments, 2 * windows.length),
    everyStep(facts.change, 1),
  ];
  if (year > 0) {
    const before = steps.map((step) => reach - 1 + step - year * Math.ceil(step / year));
    blocks.push(o.gather(scaled, o.ints(before, [horizon, 1]), 1), everyStep(facts.growth, 1));
  }
  blocks.push(addCalendar(o, { origin, frequency, horizon }));
  const own = o.cast(o.concat(blocks, 2), "float");
  return o.reshape(own, [-1, layout.columns.length - layout.covariates]);
}

function addFacts(
  o: Operators,
  parts: { readonly recent: string; readonly last: string; readonly layout: LagLayout },
): Facts {
  const { recent, last, layout } = parts;
  const { season, windows, year } = layout;
  /** The places from `back` before the end on, `length` of them. */
  const part = (back: number, length: number) =>
    back === length ? o.slice(last, 1, -back) : o.slice(last, 1, -back, length - back);
  const sizeOf = (values: string) => {
    const { sum, count } = o.known(o.graph.node("Abs", [values]));
    return o.where(o.less(0, sum), o.div(sum, count), Number.NaN);
  };
  const meanOf = (values: string) => {
    const { sum, count } = o.known(values);
    return o.div(sum, count);
  };
  const lately = sizeOf(part(4 * season, 4 * season));
  const size = o.where(o.isMissing(lately), sizeOf(recent), lately);
  const moments = windows.flatMap((length) => {
    const values = part(length, length);
    const { sum, count } = o.known(values);
    const mean = o.div(sum, count);
    const difference = o.sub(values, mean);
    const squares = o.known(o.mul(difference, difference));
    const deviation = o.graph.node("Sqrt", [o.div(squares.sum, count)]);
    return [o.div(mean, size), o.div(deviation, size)];
  });
  const change = o.sub(meanOf(part(season, season)), meanOf(part(2 * season, season)));
  const yearAgo = meanOf(part(year + 4 * season, 4 * season));
  const ratio = o.div(meanOf(part(4 * season, 4 * season)), yearAgo);
  return {
    size,
    moments: o.concat(moments, 1),
    change: o.div(change, size),
    growth: o.where(o.equal(yearAgo, 0), Number.NaN, ratio),
  };
}
