/** What the new version knows of its own mistakes, measured on its holdout and kept with it for the monitors. */
import { DAY_MS, type EvaluationReport, seedFrom } from "../core/index.ts";
import { type Dataset, isNumeric } from "../data/index.ts";
import {
  budgetShares,
  calibrateFalseAlarms,
  curveUncertainty,
  DETECTORS,
  fitScoreCurve,
  type LossCalibration,
  lossOf,
  lossScale,
  scaledLoss,
  type ScoreCalibration,
  type VersionCalibration,
} from "../monitor/index.ts";
import { noteFeatures } from "./feature-notes.ts";
import type { HeldOut } from "./held-out.ts";
import { labelledRow } from "./held-out.ts";
import { fitLossModel } from "./loss-model.ts";

/** Labels a model gets in 90 days where its rows do not tell: their times span less than a day. */
const ASSUMED_ROWS = 10_000;

function rowsPer90Days(dataset: Dataset): number {
  const span = (dataset.at[dataset.rows - 1] ?? 0) - (dataset.at[0] ?? 0);
  if (span < DAY_MS) return ASSUMED_ROWS;
  return Math.max(1, (dataset.rows / span) * 90 * DAY_MS);
}

/** The losses the detector of concept drift is set up with; undefined when it is off or nothing was held out. */
function calibrateLosses(held: HeldOut): LossCalibration | undefined {
  const { input, dataset, rows } = held;
  const { monitors, schema } = input.spec;
  if (monitors.conceptDrift === null || rows.length === 0) return undefined;
  const { detector, metric, threshold } = monitors.conceptDrift;
  const losses = Float64Array.from(rows, (_, position) => lossOf(metric, labelledRow(held, position)));
  const scale = lossScale(metric, schema.task, losses);
  let mean = 0;
  for (const loss of losses) mean += loss / losses.length;
  let squares = 0;
  for (const loss of losses) squares += (loss - mean) * (loss - mean);
  const perQuarter = rowsPer90Days(dataset);
  return {
    metric,
    detector,
    rows: rows.length,
    mean,
    deviation: losses.length < 2 ? 0 : Math.sqrt(squares / (losses.length - 1)),
    scale,
    falseAlarms: calibrateFalseAlarms({
      kind: DETECTORS[detector],
      history: losses.map((loss) => scaledLoss(loss, scale)),
      rowsPer90Days: perQuarter,
      budget: budgetShares(monitors).conceptDrift,
      // A day of rows stays together, so that a daily rhythm is part of "nothing changed".
      blockRows: Math.max(Math.cbrt(rows.length), perQuarter / 90),
      seed: seedFrom(input.seed, "false-alarms"),
      ...(threshold === undefined ? {} : { chosen: threshold }),
    }),
  };
}

function calibrateScores(held: HeldOut): ScoreCalibration | undefined {
  const { input, dataset, rows, scores } = held;
  const { task } = input.spec.schema;
  if (isNumeric(task)) return undefined;
  const width = task === "multiclass" ? dataset.classes.length : 1;
  const classes = Array.from({ length: width }, (_, k) => ({
    own: Float64Array.from(rows, (_row, i) => scores[i * width + k] as number),
    outcomes: Float64Array.from(rows, (row) => Number(dataset.target[row] === (width === 1 ? 1 : k))),
  }));
  const curves = classes.map(({ own, outcomes }, k) => fitScoreCurve(own, outcomes, seedFrom(input.seed, "scores", k)));
  const uncertainty = classes.map(({ own, outcomes }, k) => curveUncertainty(curves[k] ?? null, own, outcomes));
  return { rows: rows.length, curves, uncertainty };
}

/** `calibration.json` of the artifact. */
export async function calibrateVersion(
  held: HeldOut,
  report: EvaluationReport,
  signal: AbortSignal,
): Promise<VersionCalibration> {
  const { task } = held.input.spec.schema;
  const losses = calibrateLosses(held);
  // Forecasts and slates are judged in their own ways: their answers depend on histories, which a table of rows does not hold.
  if (task === "forecast" || task === "recommend") {
    const featureMetric = task === "forecast" ? "mae" : "hitShare";
    return { format: 1, curve: [], ...(losses === undefined ? {} : { losses }), featureMetric, features: [] };
  }
  const scores = calibrateScores(held);
  const errors = task === "regression" ? await fitLossModel(held, signal) : undefined;
  const featureMetric = task === "regression" ? "mae" : "logLoss";
  return {
    format: 1,
    curve: report.calibration ?? [],
    ...(losses === undefined ? {} : { losses }),
    ...(scores === undefined ? {} : { scores }),
    ...(errors === undefined ? {} : { errors }),
    featureMetric,
    features: noteFeatures(held, featureMetric),
  };
}
