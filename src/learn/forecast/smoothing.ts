/**
 * Exponential smoothing in its additive-error forms: level, trend (none, additive, damped) and season (none, additive,
 * multiplicative), after R. Hyndman, G. Athanasopoulos, "Forecasting: Principles and Practice" (3rd ed., chapter 8; Holt-Winters).
 * The smoothing parameters minimize the squared one-step error by Nelder and Mead's simplex, with a fixed start and a fixed
 * number of steps, so equal data give equal bits. Left out: multiplicative errors, and likelihood-based choice of the form (the
 * form is chosen by forecasts on validation, which is what it is used for).
 */
import type { SeriesView } from "./panel.ts";

export interface SmoothingForm {
  readonly trend: "none" | "additive" | "damped";
  readonly season: "none" | "additive" | "multiplicative";
}
export const SMOOTHING_FORMS: readonly SmoothingForm[] = [
  { trend: "none", season: "none" },
  { trend: "damped", season: "none" },
  { trend: "none", season: "additive" },
  { trend: "damped", season: "additive" },
  { trend: "additive", season: "additive" },
  { trend: "none", season: "multiplicative" },
  { trend: "damped", season: "multiplicative" },
];
/** alpha, beta, gamma, phi: weights of the newest error for level, trend and season, and the damping of the trend. */
export type SmoothingParameters = readonly [number, number, number, number];

/** Used for a series that training never saw: slow level, slower season. */
export const DEFAULT_SMOOTHING: SmoothingParameters = [0.2, 0.02, 0.1, 0.95];
/** Seasons that the start of a seasonal form is taken from, at most. */
export const START_SEASONS = 3;
const DAMPING_RANGE = [0.8, 0.98] as const;

/** Whether a form can be fitted: two whole seasons for a seasonal one, positive values for a multiplicative one. */
export function canSmooth(values: Float64Array, form: SmoothingForm, season: number): boolean {
  let known = 0;
  for (const value of values) {
    if (value !== value) continue;
    known++;
    if (form.season === "multiplicative" && value <= 0) return false;
  }
  return known >= (form.season === "none" ? 3 : 2 * season + 1);
}

interface State {
  level: number;
  trend: number;
  readonly seasonal: Float64Array;
}

/** Start: the mean of the first season as level, the mean change between the first two as trend, mean deviations as season. */
function startOf(values: Float64Array, form: SmoothingForm, season: number): State {
  const span = form.season === "none" ? Math.min(values.length, Math.max(3, season)) : season;
  const first = meanOf(values, 0, span);
  const second = meanOf(values, span, 2 * span);
  const level = Number.isNaN(first) ? meanOf(values, 0, values.length) : first;
  const trend = form.trend === "none" || Number.isNaN(second) || Number.isNaN(first) ? 0 : (second - first) / span;
  const isMultiplicative = form.season === "multiplicative";
  const seasonal = new Float64Array(season).fill(isMultiplicative ? 1 : 0);
  if (form.season !== "none") {
    const seasons = Math.min(START_SEASONS, Math.floor(values.length / season));
    const sums = new Float64Array(season);
    const counts = new Float64Array(season);
    for (let i = 0; i < seasons * season; i++) {
      const value = values[i] as number;
      const own = meanOf(values, Math.floor(i / season) * season, (Math.floor(i / season) + 1) * season);
      if (value !== value || own !== own || (isMultiplicative && own === 0)) continue;
      sums[i % season] = (sums[i % season] as number) + (isMultiplicative ? value / own : value - own);
      counts[i % season] = (counts[i % season] as number) + 1;
    }
    for (let j = 0; j < season; j++)
      if ((counts[j] as number) > 0) seasonal[j] = (sums[j] as number) / (counts[j] as number);
  }
  return { level, trend, seasonal };
}

function meanOf(values: Float64Array, from: number, to: number): number {
  let sum = 0;
  let count = 0;
  for (let i = from; i < Math.min(to, values.length); i++) {
    const value = values[i] as number;
    if (value !== value) continue;
    sum += value;
    count++;
  }
  return count === 0 ? Number.NaN : sum / count;
}

/** Runs the recursions over the values. A missing value moves the state by its own forecast. @returns the sum of squared errors. */
function runFilter(
  values: Float64Array,
  form: SmoothingForm,
  [alpha, beta, gamma, phi]: SmoothingParameters,
  season: number,
  state: State,
): number {
  const damping = form.trend === "none" ? 0 : form.trend === "damped" ? phi : 1;
  const isMultiplicative = form.season === "multiplicative";
  const { seasonal } = state;
  let { level, trend } = state;
  let squares = 0;
  for (let i = 0; i < values.length; i++) {
    const place = i % season;
    const base = level + damping * trend;
    const own = seasonal[place] as number;
    const expected = isMultiplicative ? base * own : base + own;
    const value = values[i] as number;
    const error = value === value ? value - expected : 0;
    squares += error * error;
    const step = isMultiplicative ? (own === 0 ? 0 : error / own) : error;
    level = base + alpha * step;
    trend = damping * trend + beta * step;
    if (form.season !== "none")
      seasonal[place] = own + gamma * (isMultiplicative ? (base === 0 ? 0 : error / base) : error);
  }
  state.level = level;
  state.trend = trend;
  return squares;
}

/** Forecasts of the steps after the view's origin. */
export function smooth(
  view: SeriesView,
  form: SmoothingForm,
  parameters: SmoothingParameters,
  season: number,
  steps: number,
): Float64Array {
  const { values } = view;
  const state = startOf(values, form, season);
  if (Number.isNaN(state.level)) return new Float64Array(steps);
  runFilter(values, form, parameters, season, state);
  const out = new Float64Array(steps);
  let damp = 1;
  let reach = 0;
  for (let step = 1; step <= steps; step++) {
    damp *= form.trend === "none" ? 0 : form.trend === "damped" ? parameters[3] : 1;
    reach += damp;
    const base = state.level + reach * state.trend;
    const own = state.seasonal[(values.length - 1 + step) % season] as number;
    out[step - 1] = form.season === "multiplicative" ? base * own : base + own;
  }
  return out;
}

/** Values looked at when parameters are fitted: the newest say how the series behaves now, and a fit stays below some ms. */
const FIT_PERIODS = 400;
/** Steps of the simplex: its error falls within 1 % of the minimum well before. */
const SIMPLEX_STEPS = 60;

/** @returns the parameters with the smallest squared one-step error. Cost: about 100 passes over the values. */
export function fitSmoothing(values: Float64Array, form: SmoothingForm, season: number): SmoothingParameters {
  // Whole seasons are cut off, so that the first value keeps its place in the season.
  const cut = Math.floor(Math.max(0, values.length - FIT_PERIODS) / season) * season;
  const recent = values.subarray(cut);
  const free = [0, ...(form.trend === "none" ? [] : [1]), ...(form.season === "none" ? [] : [2])];
  if (form.trend === "damped") free.push(3);
  const toParameters = (point: readonly number[]): SmoothingParameters => {
    const full: [number, number, number, number] = [0.2, 0, 0, DAMPING_RANGE[1]];
    free.forEach((index, i) => {
      const value = Math.min(1, Math.max(0, point[i] as number));
      if (index === 0) full[0] = 0.001 + 0.998 * value;
      else if (index === 1) full[1] = full[0] * value;
      else if (index === 2) full[2] = (1 - full[0]) * value;
      else full[3] = DAMPING_RANGE[0] + (DAMPING_RANGE[1] - DAMPING_RANGE[0]) * value;
    });
    return full;
  };
  const start = startOf(recent, form, season);
  const seasonal = new Float64Array(season);
  const cost = (point: readonly number[]): number => {
    seasonal.set(start.seasonal);
    const total = runFilter(recent, form, toParameters(point), season, {
      level: start.level,
      trend: start.trend,
      seasonal,
    });
    return Number.isFinite(total) ? total : Number.MAX_VALUE;
  };
  const begin = free.map((index) => [0.2, 0.05, 0.1, 0.8][index] as number);
  return toParameters(minimize(cost, begin));
}

/** J. Nelder, R. Mead 1965, "A simplex method for function minimization", with a fixed number of steps. */
function minimize(cost: (point: readonly number[]) => number, begin: readonly number[]): readonly number[] {
  const count = begin.length;
  const corners = [begin, ...begin.map((_, i) => begin.map((value, j) => (i === j ? value + 0.3 : value)))].map(
    (point) => ({ point, cost: cost(point) }),
  );
  const byCost = () => corners.sort((left, right) => left.cost - right.cost);
  for (let step = 0; step < SIMPLEX_STEPS; step++) {
    byCost();
    const worst = corners[count] as (typeof corners)[number];
    const center = begin.map(
      (_, j) => corners.slice(0, count).reduce((sum, corner) => sum + (corner.point[j] as number), 0) / count,
    );
    const along = (factor: number) => {
      const point = center.map((value, j) => value + factor * (value - (worst.point[j] as number)));
      return { point, cost: cost(point) };
    };
    const reflected = along(1);
    if (reflected.cost < (corners[0] as typeof worst).cost) {
      const expanded = along(2);
      corners[count] = expanded.cost < reflected.cost ? expanded : reflected;
    } else if (reflected.cost < (corners[count - 1] as typeof worst).cost) corners[count] = reflected;
    else {
      const contracted = along(-0.5);
      if (contracted.cost < worst.cost) corners[count] = contracted;
      else {
        const best = (corners[0] as typeof worst).point;
        for (let i = 1; i <= count; i++) {
          const own = (corners[i] as typeof worst).point;
          const point = own.map((value, j) => (value + (best[j] as number)) / 2);
          corners[i] = { point, cost: cost(point) };
        }
      }
    }
  }
  byCost();
  return (corners[0] as { point: readonly number[] }).point;
}
