/** What the methods of a forecaster share as graphs: the rows of histories, whose series they are, and the simplest of them. */
import type { Operators } from "./operators.ts";

/** What all methods begin with. */
export interface SeriesParts {
  readonly o: Operators;
  readonly season: number;
  readonly horizon: number;
  /** rows × periods, the newest last, no more than a forecaster looks back; NaN where missing, and before the series begins. */
  readonly recent: string;
  /** Names, rows × 1. */
  readonly series: string;
  readonly names: readonly string[];
}

/** Index of each row's series; the number of series where it is unknown. */
export function seriesIndex({ o, series, names }: SeriesParts): string {
  const places = names.map((_, i) => i);
  return o.codes(series, names, places, names.length);
}

/** The newest known value along an axis, which then has one place; NaN where there is none. */
function newestKnown(o: Operators, values: string, axis: number, rank: number): string {
  const { graph } = o;
  const size = o.reshape(graph.node("Shape", [values], { start: { int: axis }, end: { int: axis + 1 } }), []);
  const range = graph.node("Range", [o.int(0), size, o.int(1)]);
  const places = o.reshape(
    range,
    Array.from({ length: rank }, (_, i) => (i === axis ? -1 : 1)),
  );
  const known = o.where(o.not(o.isMissing(values)), places, o.int(-1));
  return o.gatherEach(values, graph.node("Max", [o.reduce("ReduceMax", known, axis), o.int(0)]), axis);
}

/** The newest value of the same place in a season, else the newest of any, else 0. */
export function addSeasonalNaive({ o, season, horizon, recent }: SeriesParts): string {
  const { graph } = o;
  const lacking = graph.node("Mod", [o.sub(o.ints([0]), o.places(recent)), o.int(season)]);
  const whole = o.pad(recent, lacking, o.ints([0]), graph.scalar("double", Number.NaN));
  const seasons = o.reshape(whole, [0, -1, season]);
  const ofPlace = o.reshape(newestKnown(o, seasons, 1, 3), [-1, season]);
  const ofAll = newestKnown(o, recent, 1, 2);
  const otherwise = o.where(o.isMissing(ofAll), 0, ofAll);
  const filled = o.where(o.isMissing(ofPlace), otherwise, ofPlace);
  return o.gather(filled, o.ints(Array.from({ length: horizon }, (_, i) => i % season)), 1);
}
