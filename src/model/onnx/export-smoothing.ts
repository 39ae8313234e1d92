/**
 * Exponential smoothing as a graph, each series with its own form and parameters: the start from the first seasons, one turn of a
 * Scan per period, and the steps behind the last. The arithmetic is that of `learn/forecast/smoothing.ts`.
 *
 * A series begins at its first known value, somewhere in its row. Its season is turned by one place each period, so that the place
 * that comes next is always the first, wherever the row began.
 */
import type { SmoothingChoice } from "../../learn/forecast/forecaster.ts";
import { DEFAULT_SMOOTHING, SMOOTHING_FORMS, START_SEASONS } from "../../learn/forecast/smoothing.ts";
import { type SeriesParts, seriesIndex } from "./export-series.ts";
import { Operators } from "./operators.ts";

/** Of each row, rows × 1. */
interface Settings {
  readonly alpha: string;
  readonly beta: string;
  readonly gamma: string;
  readonly damping: string;
  readonly hasTrend: string;
  readonly isSeasonal: string;
  readonly isMultiplicative: string;
}

interface State {
  readonly level: string;
  readonly trend: string;
  /** rows × season, the place of the next period first. */
  readonly seasonal: string;
}

/** @returns rows × horizon; zeros where no value is known */
export function addSmoothing(parts: SeriesParts, choices: ReadonlyMap<string, SmoothingChoice>): string {
  const { o, recent, season, horizon } = parts;
  const settings = settingsOf(parts, choices);
  const isKnown = o.not(o.isMissing(recent));
  const first = o.graph.node("ArgMax", [o.cast(isKnown, "int64")], { axis: { int: 1 }, keepdims: { int: 1 } });
  const isAny = o.less(0, o.reduce("ReduceMax", o.cast(isKnown, "double")));
  const start = addStart(parts, settings, first);
  const end = addFilter(o, { recent, first, settings, start });
  let damp = "";
  let reach = "";
  const reaches: string[] = [];
  for (let step = 0; step < horizon; step++) {
    damp = damp === "" ? settings.damping : o.mul(damp, settings.damping);
    reach = reach === "" ? damp : o.add(reach, damp);
    reaches.push(reach);
  }
  const base = o.add(end.level, o.mul(o.concat(reaches, 1), end.trend));
  const own = o.gather(end.seasonal, o.ints(Array.from({ length: horizon }, (_, i) => i % season)), 1);
  const forecast = o.where(settings.isMultiplicative, o.mul(base, own), o.add(base, own));
  return o.where(isAny, forecast, 0);
}

function settingsOf(parts: SeriesParts, choices: ReadonlyMap<string, SmoothingChoice>): Settings {
  const { o, names } = parts;
  const unknown = { form: SMOOTHING_FORMS[2] as SmoothingChoice["form"], parameters: DEFAULT_SMOOTHING };
  const rows = [...names.map((name) => choices.get(name) ?? unknown), unknown].map(({ form, parameters }) => {
    const [alpha, beta, gamma, phi] = parameters;
    const damping = form.trend === "none" ? 0 : form.trend === "damped" ? phi : 1;
    const flags = [form.trend !== "none", form.season !== "none", form.season === "multiplicative"];
    return [alpha, beta, gamma, damping, ...flags.map(Number)];
  });
  const table = o.doubles(rows.flat(), [rows.length, 7]);
  const own = o.gather(table, o.reshape(seriesIndex(parts), [-1]), 0);
  const column = (i: number) => o.slice(own, 1, i, i + 1);
  const flag = (i: number) => o.less(0, column(i));
  return {
    alpha: column(0),
    beta: column(1),
    gamma: column(2),
    damping: column(3),
    hasTrend: flag(4),
    isSeasonal: flag(5),
    isMultiplicative: flag(6),
  };
}

function addStart({ o, recent, season }: SeriesParts, settings: Settings, first: string): State {
  const { hasTrend, isSeasonal, isMultiplicative } = settings;
  const count = START_SEASONS * season;
  const end = o.places(recent);
  const wider = o.pad(recent, o.ints([0]), o.ints([1]), o.graph.scalar("double", Number.NaN));
  const ahead = o.add(
    first,
    o.ints(
      Array.from({ length: count }, (_, i) => i),
      [1, count],
    ),
  );
  // rows × seasons × places of a season; what lies behind the end is missing.
  const head = o.reshape(o.gatherEach(wider, o.graph.node("Min", [ahead, end]), 1), [-1, START_SEASONS, season]);
  const { sum, count: known } = o.known(head, 2);
  const means = o.div(sum, known);
  const mean = (i: number) => o.reshape(o.slice(means, 1, i, i + 1), [-1, 1]);
  const [level, second] = [mean(0), mean(1)];
  const isSteady = o.or(o.not(hasTrend), o.isMissing(second));
  const trend = o.where(isSteady, 0, o.div(o.sub(second, level), season));
  const deep = (flag: string) => o.graph.node("Unsqueeze", [flag, o.ints([2])]);
  const isRatio = deep(isMultiplicative);
  const deviation = o.where(isRatio, o.div(head, means), o.sub(head, means));
  const ends = o.ints(
    Array.from({ length: START_SEASONS }, (_, i) => (i + 1) * season - 1),
    [1, START_SEASONS, 1],
  );
  const isWhole = o.less(ends, deep(o.sub(end, first)));
  const isZero = o.and(isRatio, o.equal(means, 0));
  const counts = o.and(o.not(o.isMissing(deviation)), o.and(isWhole, o.not(isZero)));
  const total = o.reshape(o.sum(o.where(counts, deviation, 0)), [-1, season]);
  const found = o.reshape(o.reduce("ReduceSum", o.cast(counts, "double")), [-1, season]);
  const neutral = o.where(isMultiplicative, 1, 0);
  const seasonal = o.where(o.and(isSeasonal, o.less(0, found)), o.div(total, found), neutral);
  return { level, trend, seasonal };
}

/** One turn per period: what comes before a series begins changes nothing, a missing value moves the state by its own forecast. */
function addFilter(
  o: Operators,
  parts: { readonly recent: string; readonly first: string; readonly settings: Settings; readonly start: State },
): State {
  const { recent, first, settings, start } = parts;
  const { alpha, beta, gamma, damping, isSeasonal, isMultiplicative } = settings;
  const body = o.graph.subgraph();
  const inner = new Operators(body);
  const level = body.input(body.name(), "double", "open");
  const trend = body.input(body.name(), "double", "open");
  const seasonal = body.input(body.name(), "double", "open");
  const value = body.input(body.name(), "double", "open");
  const period = body.input(body.name(), "int64", "open");
  const drift = inner.mul(damping, trend);
  const base = inner.add(level, drift);
  const own = inner.slice(seasonal, 1, 0, 1);
  const expected = inner.where(isMultiplicative, inner.mul(base, own), inner.add(base, own));
  const error = inner.where(inner.isMissing(value), 0, inner.sub(value, expected));
  const ratio = (divisor: string) => inner.where(inner.equal(divisor, 0), 0, inner.div(error, divisor));
  const step = inner.where(isMultiplicative, ratio(own), error);
  const turnStep = inner.where(isMultiplicative, ratio(base), error);
  const turned = inner.where(isSeasonal, inner.add(own, inner.mul(gamma, turnStep)), own);
  const next = {
    level: inner.add(base, inner.mul(alpha, step)),
    trend: inner.add(drift, inner.mul(beta, step)),
    seasonal: inner.concat([inner.slice(seasonal, 1, 1), turned], 1),
  };
  const waits = inner.less(period, first);
  body.output(inner.where(waits, level, next.level), "double", "open");
  body.output(inner.where(waits, trend, next.trend), "double", "open");
  body.output(inner.where(waits, seasonal, next.seasonal), "double", "open");
  const columns = o.graph.node("Unsqueeze", [o.graph.node("Transpose", [recent]), o.ints([2])]);
  const periods = o.graph.node("Range", [o.int(0), o.reshape(o.places(recent), []), o.int(1)]);
  const [lastLevel, lastTrend, lastSeasonal] = o.graph.split(
    "Scan",
    [start.level, start.trend, start.seasonal, columns, periods],
    { body: { graph: body }, num_scan_inputs: { int: 2 } },
    3,
  ) as [string, string, string];
  return { level: lastLevel, trend: lastTrend, seasonal: lastSeasonal };
}
