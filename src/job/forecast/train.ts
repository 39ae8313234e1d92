/** The fit of a forecaster on the frozen rows: what `train` and `evaluate` (for the baseline) do. */
import type { ModelSpec } from "../../config/spec.ts";
import type { JsonObject } from "../../core/index.ts";
import type { Dataset, Preparation, Splits } from "../../data/index.ts";
import { forecast, seasonalNaiveBaseline, type TrainedWeights, type TrainingPoint } from "../../learn/index.ts";
import { type DatasetPanel, panelOf, panelUntil, trainingPeriods } from "./panel.ts";

export function forecastTrainer(name: string) {
  return name === seasonalNaiveBaseline.name ? seasonalNaiveBaseline : forecast;
}

export async function fitForecastPanel(options: {
  readonly trainer: string;
  readonly params: JsonObject;
  readonly seed: number;
  readonly panel: DatasetPanel;
  readonly splits: Splits;
  readonly signal: AbortSignal;
  readonly onPoint: (point: TrainingPoint) => Promise<void>;
}): Promise<TrainedWeights> {
  const { panel, splits, params, seed, signal, onPoint } = options;
  const periods = trainingPeriods(panel, splits);
  return forecastTrainer(options.trainer).fit({
    panel: panelUntil(panel.panel, periods.validationTo),
    ...periods,
    params,
    seed,
    signal,
    onPoint,
  });
}

export function fitForecastDataset(options: {
  readonly spec: ModelSpec;
  readonly params: JsonObject;
  readonly seed: number;
  readonly dataset: Dataset;
  readonly preparation: Preparation;
  readonly splits: Splits;
  readonly signal: AbortSignal;
  readonly onPoint: (point: TrainingPoint) => Promise<void>;
}): Promise<TrainedWeights> {
  const { spec, dataset, preparation, ...rest } = options;
  return fitForecastPanel({ ...rest, trainer: spec.trainer.name, panel: panelOf(spec, dataset, preparation) });
}
