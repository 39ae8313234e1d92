/**
 * `forecast`: many series, several steps ahead, with intervals. Three methods (seasonal naive, exponential smoothing, trees on
 * lags) and the mean of the latter two stand side by side; each is fitted on the training periods alone, then all forecast the
 * validation periods from rolling origins, and the best by WAPE is the model. Its errors there give the intervals.
 */
import { createRandom, fail, type Json, type JsonObject, plural, seedFrom } from "../../core/index.ts";
import { periodText, SEASON } from "../../data/calendar.ts";
import { gbdt } from "../gbdt/gbdt.ts";
import { parameterDefaults, resolveParameters } from "../params.ts";
import type { TrainedWeights, TrainingPoint } from "../trainer.ts";
import { takeTurn } from "../turn.ts";
import {
  type Method,
  METHODS,
  type PointForecasts,
  pointForecasts,
  type SmoothingChoice,
  TREES,
} from "./forecaster.ts";
import { ErrorRecord, spreadAt } from "./intervals.ts";
import { factsAt, type LagLayout, lagLayout, writeLagRow } from "./lags.ts";
import { type Panel, type PanelSeries, seasonalScale, viewAt } from "./panel.ts";
import { FORECAST_PARAMETERS, type ForecastParams } from "./params.ts";
import { canSmooth, DEFAULT_SMOOTHING, fitSmoothing, smooth, SMOOTHING_FORMS } from "./smoothing.ts";

export interface ForecastRequest {
  readonly panel: Panel;
  /** Last period that trains; everything behind it is validation, up to `validationTo`. */
  readonly trainTo: number;
  readonly validationTo: number;
  readonly params: JsonObject;
  /** Integer in [0, 2^32). */
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onPoint: (point: TrainingPoint) => Promise<void>;
}

export const forecast = {
  name: "forecast",
  tasks: ["forecast"],
  strategies: ["full"],
  defaults: parameterDefaults(FORECAST_PARAMETERS),
  resolveParams: (params: Json): JsonObject => resolveParameters("forecast", FORECAST_PARAMETERS, params),
  fit: fitForecast,
} as const;

/** The baseline: seasonal naive, with intervals from its own errors. */
export const seasonalNaiveBaseline = {
  name: "seasonal-naive",
  tasks: ["forecast"],
  strategies: ["full"],
  defaults: {},
  resolveParams: (params: Json): JsonObject => resolveParameters("seasonal-naive", {}, params),
  fit: (request: ForecastRequest): Promise<TrainedWeights> =>
    fitForecast({ ...request, params: { ...forecast.defaults, method: "seasonal-naive" } }),
} as const;

/**
 * @throws DATASET_EMPTY where no series has a training value, or none the method can look back at; TRAINER_FAILED for values
 * beyond what sums can hold. Cost: about 2 s for 100 daily series of 3 years on one thread.
 * The same panel, parameters and seed give the same bits.
 */
async function fitForecast(request: ForecastRequest): Promise<TrainedWeights> {
  const params = forecast.resolveParams(request.params) as unknown as ForecastParams;
  const { panel, trainTo, signal } = request;
  const season = SEASON[panel.frequency];
  checkValues(panel);
  const known = panel.series.map((series) => viewAt(series, trainTo, panel.frequency, panel.covariates.length));
  if (known.every((view) => view === undefined || view.values.every(Number.isNaN))) {
    throw fail("DATASET_EMPTY", {
      message: "No series has a value among the training periods.",
      remedy: "Wait for values, or widen `data.window`.",
    });
  }
  const layout = lagLayout(
    panel.frequency,
    panel.series.map((series) => series.name),
    panel.covariates,
  );
  const asked: readonly Method[] = params.method === "auto" ? METHODS : [params.method];
  const needsSmoothing = asked.some((method) => method === "smoothing" || method === "combined");
  const smoothing = needsSmoothing ? await chooseSmoothing(request, season) : new Map<string, SmoothingChoice>();
  const trees = asked.some(needsTrees) ? await fitTrees(request, layout, params) : undefined;
  // Young and silent series have nothing for trees to look back at; of several methods the others are then left.
  const wanted = trees === undefined ? asked.filter((method) => !needsTrees(method)) : asked;
  if (wanted.length === 0) throw tooShortForTrees(layout.season);
  const points = pointForecasts({
    layout,
    smoothing,
    trees: trees === undefined ? undefined : gbdt.scorer(trees, "regression"),
  });
  const scales = panel.series.map((series) =>
    seasonalScale(series.values.subarray(0, Math.max(0, trainTo - series.start + 1)), season),
  );
  const judged: { readonly method: Method; readonly wape: number }[] = [];
  for (const method of wanted) {
    judged.push({ method, wape: rollingWape(request, points, method) });
    await takeTurn(signal);
  }
  const best = judged.reduce((first, one) => (one.wape < first.wape ? one : first));
  const nonNegative = panel.series.every((series) =>
    series.values.subarray(0, Math.max(0, trainTo - series.start + 1)).every((value) => !(value < 0)),
  );
  await request.onPoint({
    epoch: (trees?.bestEpoch ?? 0) + 1,
    metrics: Object.fromEntries(judged.map(({ method, wape }) => [`wape ${method}`, wape])),
  });
  const usesTrees = best.method === "gbdt" || best.method === "combined";
  const shape = {
    task: "forecast",
    method: best.method,
    tried: judged.map(({ method, wape }) => ({ method, wape: Number.isFinite(wape) ? wape : null })),
    frequency: panel.frequency,
    horizon: panel.horizon,
    level: params.level,
    nonNegative,
    unit: "spread",
    series: panel.series.map((series) => series.name),
    covariates: panel.covariates as unknown as Json,
    treeShape: usesTrees ? (trees as TrainedWeights).shape : null,
  };
  const choices = panel.series.map((series) => smoothing.get(series.name));
  return {
    trainer: "forecast",
    shape: shape as unknown as JsonObject,
    arrays: {
      scale: Float64Array.from(scales),
      bands: (await validationErrors(request, points, best.method, scales)).bands(params.level),
      form: Int32Array.from(choices, (choice) => (choice === undefined ? 2 : SMOOTHING_FORMS.indexOf(choice.form))),
      smoothing: Float64Array.from(choices.flatMap((choice) => [...(choice?.parameters ?? DEFAULT_SMOOTHING)])),
      ...(usesTrees
        ? Object.fromEntries(
            Object.entries((trees as TrainedWeights).arrays).map(([name, array]) => [TREES + name, array]),
          )
        : {}),
    },
    bestEpoch: (trees?.bestEpoch ?? 0) + 1,
  };
}

function needsTrees(method: Method): boolean {
  return method === "gbdt" || method === "combined";
}

/** Largest value of a series: sums of squares of that many as a series has stay finite. */
const MOST_VALUE = 1e150;

function checkValues({ series, frequency }: Panel): void {
  for (const { name, start, values } of series) {
    // NaN is a period without a value.
    const at = values.findIndex((value) => value > MOST_VALUE || value < -MOST_VALUE);
    if (at < 0) continue;
    throw fail("TRAINER_FAILED", {
      message: `Series "${name}" has the value ${values[at]} at ${periodText(start + at, frequency)}; forecasts take numbers from -${MOST_VALUE} to ${MOST_VALUE}.`,
      remedy: "Correct the value, or remove it: a missing period is left out.",
    });
  }
}

function tooShortForTrees(season: number) {
  return fail("DATASET_EMPTY", {
    message: `No series has more than two seasons (${plural(2 * season, "period")}) of training values with one that is not 0, which the lags need.`,
    remedy: 'Wait for more periods, or choose the method "auto", "seasonal-naive" or "smoothing".',
  });
}

/** Origins from which periods (from, to] are forecast: every `horizon` periods, which forecasts each once. */
export function rollingOrigins(from: number, to: number, horizon: number): number[] {
  const origins: number[] = [];
  for (let origin = from; origin < to; origin += horizon) origins.push(origin);
  return origins;
}

/** Per series the form whose rolling forecasts of the validation periods miss by the least, fitted on training periods alone. */
async function chooseSmoothing(request: ForecastRequest, season: number): Promise<Map<string, SmoothingChoice>> {
  const { panel, trainTo, validationTo, signal } = request;
  const width = panel.covariates.length;
  const chosen = new Map<string, SmoothingChoice>();
  for (const series of panel.series) {
    const train = viewAt(series, trainTo, panel.frequency, width);
    if (train === undefined) continue;
    let best: (SmoothingChoice & { readonly error: number }) | undefined;
    for (const form of SMOOTHING_FORMS) {
      if (!canSmooth(train.values, form, season)) continue;
      const parameters = fitSmoothing(train.values, form, season);
      let error = 0;
      for (const origin of rollingOrigins(trainTo, validationTo, panel.horizon)) {
        const view = viewAt(series, origin, panel.frequency, width);
        if (view === undefined) continue;
        const values = smooth(view, form, parameters, season, panel.horizon);
        error += sumErrors(series, origin, values, validationTo);
      }
      if (best === undefined || error < best.error) best = { form, parameters, error };
    }
    if (best !== undefined) chosen.set(series.name, { form: best.form, parameters: best.parameters });
    await takeTurn(signal);
  }
  return chosen;
}

function sumErrors(series: PanelSeries, origin: number, values: Float64Array, to: number): number {
  let sum = 0;
  for (let step = 1; step <= values.length && origin + step <= to; step++) {
    const actual = series.values[origin + step - series.start];
    if (actual !== undefined && actual === actual) sum += Math.abs(actual - (values[step - 1] as number));
  }
  return sum;
}

/** Trees on lags, undefined where no period has any: each training target seen from a few seeded steps ahead, each validation target from its rolling origin. */
async function fitTrees(request: ForecastRequest, layout: LagLayout, params: ForecastParams) {
  const { panel, trainTo, validationTo } = request;
  const random = createRandom(seedFrom(request.seed, "forecast", "steps"));
  const train = new LagTable(layout);
  const validation = new LagTable(layout);
  const width = panel.covariates.length;
  for (const series of panel.series) {
    const last = Math.min(trainTo, series.start + series.values.length - 1);
    // Two seasons of history at least: a row of missing lags teaches the calendar only.
    for (let target = series.start + 2 * layout.season; target <= last; target++) {
      if (Number.isNaN(series.values[target - series.start])) continue;
      for (let i = 0; i < Math.min(params.stepsPerTarget, panel.horizon); i++) {
        const step = 1 + random.nextInt(panel.horizon);
        train.add(series, target - step, step, panel, width);
      }
    }
    for (const origin of rollingOrigins(trainTo, validationTo, panel.horizon)) {
      for (let step = 1; step <= panel.horizon && origin + step <= validationTo; step++)
        validation.add(series, origin, step, panel, width);
    }
  }
  if (train.rows === 0) return undefined;
  return gbdt.fit({
    task: "regression",
    columns: layout.columns,
    train: train.part(),
    validation: validation.part(),
    params: gbdt.resolveParams({
      epochs: params.epochs,
      patience: params.patience,
      learningRate: params.learningRate,
      maxLeaves: params.maxLeaves,
      minChildWeight: params.minChildWeight,
      columnShare: 0.7,
    }),
    seed: seedFrom(request.seed, "forecast", "trees"),
    signal: request.signal,
    onPoint: request.onPoint,
  });
}

/** Rows for the trees, with targets in units of the series' recent size and that size as weight, so that errors add up as in WAPE. */
class LagTable {
  readonly #layout: LagLayout;
  #values = new Float32Array(0);
  readonly #targets: number[] = [];
  readonly #weights: number[] = [];
  #weightSum = 0;

  constructor(layout: LagLayout) {
    this.#layout = layout;
  }

  get rows(): number {
    return this.#targets.length;
  }

  add(series: PanelSeries, origin: number, step: number, panel: Panel, width: number): void {
    const actual = series.values[origin + step - series.start];
    if (actual === undefined || actual !== actual) return;
    const view = viewAt(series, origin, panel.frequency, width);
    const facts = view === undefined ? undefined : factsAt(view, this.#layout);
    if (view === undefined || facts === undefined) return;
    const columns = this.#layout.columns.length;
    const offset = this.#targets.length * columns;
    if (offset + columns > this.#values.length) {
      const larger = new Float32Array(Math.max(1024 * columns, 2 * this.#values.length));
      larger.set(this.#values);
      this.#values = larger;
    }
    writeLagRow(view, facts, this.#layout, step, this.#values, offset);
    // A value a thousand times the recent size is an accident no tree should chase.
    this.#targets.push(Math.max(-1000, Math.min(1000, actual / facts.size)));
    this.#weights.push(facts.size);
    this.#weightSum += facts.size;
  }

  part() {
    const rows = this.rows;
    const columns = this.#layout.columns.length;
    const mean = rows === 0 ? 1 : this.#weightSum / rows;
    return {
      x: { rows, columns, values: this.#values.slice(0, rows * columns) },
      y: {
        values: Float64Array.from(this.#targets),
        weights: Float64Array.from(this.#weights, (weight) => weight / mean),
        classCount: 0,
      },
    };
  }
}

function rollingWape(
  { panel, trainTo, validationTo }: ForecastRequest,
  points: PointForecasts,
  method: Method,
): number {
  let missed = 0;
  let size = 0;
  for (const series of panel.series) {
    for (const origin of rollingOrigins(trainTo, validationTo, panel.horizon)) {
      const view = viewAt(series, origin, panel.frequency, panel.covariates.length);
      if (view === undefined) continue;
      const values = points.of(method, view, panel.horizon);
      for (let step = 1; step <= panel.horizon && origin + step <= validationTo; step++) {
        const actual = series.values[origin + step - series.start];
        if (actual === undefined || actual !== actual) continue;
        missed += Math.abs(actual - (values[step - 1] as number));
        size += Math.abs(actual);
      }
    }
  }
  return size > 0 ? missed / size : missed === 0 ? 0 : Number.MAX_VALUE;
}

/** Forecasts whose errors make the intervals, at most: every origin of a few series, fewer of many. About 0.3 s. */
const CALIBRATION_FORECASTS = 2000;

/** Errors on validation from every origin there, or every few: between those of `rollingOrigins`, few series have more to tell. */
async function validationErrors(
  { panel, trainTo, validationTo, signal }: ForecastRequest,
  points: PointForecasts,
  method: Method,
  scales: readonly number[],
): Promise<ErrorRecord> {
  const { horizon, frequency } = panel;
  const season = SEASON[frequency];
  const errors = new ErrorRecord(horizon);
  const wanted = Math.ceil((panel.series.length * (validationTo - trainTo)) / CALIBRATION_FORECASTS);
  const origins = rollingOrigins(trainTo, validationTo, Math.max(1, Math.min(horizon, wanted)));
  for (const [s, series] of panel.series.entries()) {
    for (const origin of origins) {
      const view = viewAt(series, origin, frequency, panel.covariates.length);
      if (view === undefined) continue;
      const values = points.of(method, view, horizon);
      const spread = spreadAt(view, season, scales[s] as number);
      const draw = `${s} ${Math.floor((origin - trainTo) / horizon)}`;
      for (let step = 1; step <= horizon && origin + step <= validationTo; step++) {
        const actual = series.values[origin + step - series.start];
        if (actual === undefined || actual !== actual) continue;
        errors.add(step, (actual - (values[step - 1] as number)) / spread, draw);
      }
    }
    await takeTurn(signal);
  }
  return errors;
}
