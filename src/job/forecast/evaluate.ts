/**
 * `evaluate` of a forecaster: candidate, champion and seasonal naive forecast every held-out period once, each from the same
 * rolling origins, knowing what was known there. Forecasts begin where the label delay lets the newest value end.
 */
import type { EvaluationReport, ForecastEvaluation, JsonObject } from "../../core/index.ts";
import { asRetrainError, systemClock } from "../../core/index.ts";
import type { JobControl } from "../../core/job-child.ts";
import { type Dataset, periodStart, type Splits } from "../../data/index.ts";
import { countLooks, evaluateCandidate, type ForecastBand } from "../../evaluate/index.ts";
import {
  createForecaster,
  type Forecaster,
  seasonalNaiveBaseline,
  type TrainedWeights,
  viewAt,
} from "../../learn/index.ts";
import { createPredictor, forecastProbe, type Probe } from "../../model/index.ts";
import { loadDataset, readArtifactFolder, readPrepared, readTrained } from "../folder.ts";
import { type JobInput, parseJobInput } from "../input.ts";
import { writeHistoryVersion } from "../write-version.ts";
import { seenShares } from "../compare.ts";
import { sliceRows, slicesToJudge } from "../slices.ts";
import { type DatasetPanel, leadOf, panelOf } from "./panel.ts";
import { fitForecastPanel, forecastTrainer } from "./train.ts";

/** Series and points kept for drawing: a page shows a few, and a report must stay small. */
const MAX_EXAMPLES = 4;
const MAX_EXAMPLE_POINTS = 180;
const PROBES = 5;

export async function evaluateForecast(raw: JsonObject, control: JobControl): Promise<JsonObject> {
  const input = parseJobInput(raw);
  const { spec } = input;
  const dataset = await loadDataset(input.folder, spec);
  const { splits, preparation, state } = await readPrepared(input.folder, dataset);
  const { weights } = await readTrained(input.folder);
  const panel = panelOf(spec, dataset, preparation);
  const candidate = createForecaster(weights);
  const champion = await readChampion(input, dataset, candidate);
  const baseline = createForecaster(
    await fitForecastPanel({
      trainer: seasonalNaiveBaseline.name,
      params: {},
      seed: input.seed,
      panel,
      splits,
      signal: control.signal,
      onPoint: async () => {},
    }),
  );
  const held = { input, dataset, splits, panel };
  const own = forecastRows(held, candidate, panel);
  const theirs =
    champion?.forecaster === undefined ? undefined : forecastRows(held, champion.forecaster, champion.panel);
  const naive = forecastRows(held, baseline, panel);
  const report: EvaluationReport = {
    ...evaluateCandidate({
      task: "forecast",
      classCount: 1,
      labels: Float64Array.from(splits.holdout, (row) => dataset.target[row] as number),
      candidate: own.values,
      ...(theirs === undefined ? {} : { champion: theirs.values }),
      ...(theirs === undefined || input.championVersion === undefined
        ? {}
        : { championVersion: input.championVersion }),
      baseline: { trainer: baseline.method, scores: naive.values },
      scales: own.scales,
      bands: { candidate: own, champion: theirs, baseline: naive },
      gatedMetrics: input.gatedMetrics,
      slices: sliceRows(dataset.frame, splits.holdout, spec.slices),
      slicesToJudge: slicesToJudge(spec.gates, dataset.frame, splits.holdout),
      at: Float64Array.from(splits.holdout, (row) => dataset.at[row] as number),
      seed: input.seed,
    }),
    ...measureForecast(candidate, panel),
    looks: countLooks(seenShares(input.earlierLooks, dataset, splits.holdout)),
    forecast: describeForecast({ held, own, naive, candidate, weights }),
  };
  const predictor = createPredictor({ task: "forecast", classes: [], preparation, weights });
  const written = await writeHistoryVersion(
    {
      held: { input, dataset, rows: splits.holdout, predictor, scores: own.values },
      splits,
      state,
      final: { weights, preparation, predictor },
      trainer: forecastTrainer(spec.trainer.name),
      probes: makeForecastProbes(panel, (features) => predictor.predictRow(features)),
      report,
    },
    control.signal,
  );
  return {
    ...written,
    ...(champion?.skipped === undefined ? {} : { championSkipped: champion.skipped }),
    holdoutRows: splits.holdout.length,
    holdoutSkippedRows: 0,
  };
}

interface Held {
  readonly input: JobInput;
  readonly dataset: Dataset;
  readonly splits: Splits;
  readonly panel: DatasetPanel;
}
interface RowForecasts extends ForecastBand {
  readonly values: Float64Array;
  readonly scales: Float64Array;
  readonly steps: Int32Array;
  readonly origins: number;
}

/** One forecast per held-out row, from the newest origin of its block of `horizon` periods. */
function forecastRows({ input, splits, panel }: Held, forecaster: Forecaster, own: DatasetPanel): RowForecasts {
  const { holdout } = splits;
  const lead = leadOf(input.spec);
  const horizon = own.panel.horizon - lead;
  const width = own.panel.covariates.length;
  const byName = new Map(own.panel.series.map((series) => [series.name, series]));
  let begin = 2_147_483_647;
  for (const row of holdout) begin = Math.min(begin, panel.periodOf[row] as number);
  const n = holdout.length;
  const out = { values: new Float64Array(n), lows: new Float64Array(n), highs: new Float64Array(n) };
  const scales = new Float64Array(n).fill(1);
  const steps = new Int32Array(n);
  const made = new Map<string, ReturnType<Forecaster["forecast"]>>();
  const origins = new Set<number>();
  holdout.forEach((row, i) => {
    const s = panel.seriesOf[row] as number;
    const period = panel.periodOf[row] as number;
    const origin = begin - 1 - lead + Math.floor((period - begin) / horizon) * horizon;
    const name = panel.panel.series[s]?.name ?? "";
    const key = `${s} ${origin}`;
    let answer = made.get(key);
    if (answer === undefined) {
      const series = byName.get(name);
      const view = series === undefined ? undefined : viewAt(series, origin, own.panel.frequency, width);
      const empty = { name, start: origin, values: Float64Array.of(Number.NaN), covariates: new Float32Array(0) };
      answer = forecaster.forecast(view ?? empty, own.panel.horizon);
      made.set(key, answer);
      origins.add(origin);
    }
    const point = answer[period - origin - 1] as (typeof answer)[number];
    out.values[i] = point.value;
    out.lows[i] = point.low;
    out.highs[i] = point.high;
    scales[i] = point.scale;
    steps[i] = point.step - lead;
  });
  return { ...out, scales, steps, origins: origins.size };
}

interface ChampionForecaster {
  readonly forecaster?: Forecaster;
  readonly panel: DatasetPanel;
  readonly skipped?: string;
}

/** A champion of another definition does not fail the run: the gate then cannot tell, and says so. */
async function readChampion(
  input: JobInput,
  dataset: Dataset,
  candidate: Forecaster,
): Promise<ChampionForecaster | undefined> {
  if (input.championFolder === undefined) return undefined;
  const none = { panel: { panel: { frequency: candidate.frequency, horizon: 1, covariates: [], series: [] } } };
  try {
    const artifact = await readArtifactFolder(input.championFolder);
    const forecaster = createForecaster(artifact.weights);
    if (forecaster.frequency !== candidate.frequency)
      return {
        ...none,
        skipped: `The champion forecasts ${forecaster.frequency} periods.`,
      } as unknown as ChampionForecaster;
    return { forecaster, panel: panelOf(input.spec, dataset, artifact.preparation) };
  } catch (error) {
    return { ...none, skipped: asRetrainError(error).message } as unknown as ChampionForecaster;
  }
}

/** Forecasts timed one by one: enough to be past the first, uncompiled calls. */
const TIMED_FORECASTS = 200;

/** How long a forecast of the whole horizon takes. */
function measureForecast(
  forecaster: Forecaster,
  { panel }: DatasetPanel,
): Pick<EvaluationReport, "predictMicroseconds"> {
  const views = panel.series.slice(0, 20).flatMap((series) => {
    const last = series.start + series.values.length - 1;
    return viewAt(series, last, panel.frequency, panel.covariates.length) ?? [];
  });
  if (views.length === 0) return {};
  const times: number[] = [];
  for (let i = 0; i < TIMED_FORECASTS + views.length; i++) {
    const started = systemClock.monotonicMs();
    forecaster.forecast(views[i % views.length] as (typeof views)[number], panel.horizon);
    if (i >= views.length) times.push((systemClock.monotonicMs() - started) * 1000);
  }
  times.sort((left, right) => left - right);
  const p50Us = times[Math.floor(times.length / 2)] as number;
  return { predictMicroseconds: p50Us };
}

function describeForecast(parts: {
  readonly held: Held;
  readonly own: RowForecasts;
  readonly naive: RowForecasts;
  readonly candidate: Forecaster;
  readonly weights: TrainedWeights;
}): ForecastEvaluation {
  const { held, own, naive, candidate, weights } = parts;
  const { dataset, splits, panel } = held;
  const { holdout } = splits;
  const target = (i: number) => dataset.target[holdout[i] as number] as number;
  const sums = new Map<number, { rows: number; missed: number; size: number; covered: number }>();
  const bySeries = new Map<number, { size: number; positions: number[] }>();
  for (let i = 0; i < holdout.length; i++) {
    const step = own.steps[i] as number;
    const sum = sums.get(step) ?? { rows: 0, missed: 0, size: 0, covered: 0 };
    sums.set(step, sum);
    const y = target(i);
    sum.rows++;
    sum.missed += Math.abs(y - (own.values[i] as number));
    sum.size += Math.abs(y);
    if (y >= (own.lows[i] as number) && y <= (own.highs[i] as number)) sum.covered++;
    const s = panel.seriesOf[holdout[i] as number] as number;
    const one = bySeries.get(s) ?? { size: 0, positions: [] };
    bySeries.set(s, one);
    one.size += Math.abs(y);
    one.positions.push(i);
  }
  const largest = [...bySeries].sort(([a, left], [b, right]) => right.size - left.size || a - b).slice(0, MAX_EXAMPLES);
  return {
    method: candidate.method,
    tried: weights.shape["tried"] as unknown as ForecastEvaluation["tried"],
    level: candidate.level,
    origins: own.origins,
    byStep: [...sums]
      .sort(([left], [right]) => left - right)
      .map(([step, { rows, missed, size, covered }]) => ({
        step,
        rows,
        wape: size > 0 ? missed / size : null,
        coverage: covered / rows,
      })),
    examples: largest.map(([s, { positions }]) => ({
      series: panel.panel.series[s]?.name ?? "",
      points: positions.slice(-MAX_EXAMPLE_POINTS).map((i) => ({
        at: periodStart(panel.periodOf[holdout[i] as number] as number, panel.panel.frequency),
        actual: target(i),
        value: own.values[i] as number,
        low: own.lows[i] as number,
        high: own.highs[i] as number,
        baseline: naive.values[i] as number,
      })),
    })),
  };
}

/** Histories with their answers, asked again whenever the version is loaded. */
function makeForecastProbes(
  { panel }: DatasetPanel,
  predictRow: (features: Probe["features"]) => { readonly scores: number[] },
): Probe[] {
  const step = Math.max(1, Math.floor(panel.series.length / PROBES));
  return panel.series
    .filter((_, i) => i % step === 0)
    .slice(0, PROBES)
    .map((series) => {
      const last = series.start + series.values.length - 1;
      const features = forecastProbe(viewAt(series, last, panel.frequency, panel.covariates.length));
      return { features, scores: predictRow(features).scores };
    });
}
