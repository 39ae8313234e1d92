/**
 * A forecaster as a model in memory. Its questions are histories, not rows; a row that carries one as text (a probe) is answered
 * like any other, which is how a version is checked when it is loaded.
 */
import { fail, type Features, type Task } from "../core/index.ts";
import { createPreparedWriter, type Preparation } from "../data/index.ts";
import { createForecaster, type SeriesView, type TrainedWeights } from "../learn/index.ts";
import type { Predictor } from "./predictor.ts";

/** A history as a row. */
export function forecastProbe(view: SeriesView | undefined): Features {
  return {
    series: view?.name ?? "",
    start: view?.start ?? 0,
    history: JSON.stringify([...(view?.values ?? [])].map((value) => (Number.isNaN(value) ? null : value))),
    covariates: JSON.stringify([...(view?.covariates ?? [])].map((value) => (Number.isNaN(value) ? null : value))),
  };
}

const numbers = (text: unknown) =>
  (JSON.parse(typeof text === "string" ? text : "[]") as readonly (number | null)[]).map(
    (value) => value ?? Number.NaN,
  );

export function createForecastPredictor(weights: TrainedWeights, preparation: Preparation): Predictor {
  const forecaster = createForecaster(weights);
  const writer = createPreparedWriter(preparation);
  const predictRow = (features: Features) => {
    const view = {
      name: String(features["series"] ?? ""),
      start: Number(features["start"] ?? 0),
      values: Float64Array.from(numbers(features["history"])),
      covariates: Float32Array.from(numbers(features["covariates"])),
    };
    const scores = forecaster
      .forecast(view, forecaster.horizon)
      .flatMap(({ value, low, high, scale }) => [value, low, high, scale]);
    return { scores, decision: scores[0] ?? 0 };
  };
  return {
    task: "forecast" satisfies Task,
    classes: [],
    predictRow,
    predictRows: (rows) => rows.map(predictRow),
    trace(features) {
      const { scores, decision } = predictRow(features);
      return { prepared: [], scores, decision };
    },
    scoreFrame() {
      throw fail("INTERNAL", {
        message: "Rows of a forecast cannot be scored without their history.",
        remedy: "Ask the forecaster.",
      });
    },
    forecaster: { ...forecaster, width: writer.width, writeCovariates: (...row) => writer.write(...row) },
  };
}
