/** What the new version knows of its own mistakes, measured on its holdout and kept with it for the monitors. */
import { DAY_MS, type EvaluationReport, seedFrom } from "../core/index.ts";
import type { Dataset } from "../data/index.ts";
import type { Predictor } from "../model/index.ts";
import {
  calibrateFalseAlarms,
  DETECTORS,
  type LossCalibration,
  lossOf,
  lossScale,
  scaledLoss,
  type VersionCalibration,
} from "../monitor/index.ts";
import type { JobInput } from "./input.ts";

export interface HeldOut {
  readonly input: JobInput;
  readonly dataset: Dataset;
  /** Dataset rows, ascending in event time. */
  readonly rows: Uint32Array;
  readonly predictor: Predictor;
  /** n × width, as `scoreFrame` gives them. */
  readonly scores: Float64Array;
  readonly threshold: number | undefined;
}

/** One row as the monitors will see it later. */
export function labelledRow(held: HeldOut, position: number) {
  const { input, dataset, rows, scores, threshold } = held;
  const { task } = input.spec.schema;
  const classes = task === "binary" ? [false, true] : dataset.classes;
  const target = dataset.target[rows[position] as number] as number;
  const width = task === "multiclass" ? classes.length : 1;
  const own = Array.from(scores.subarray(position * width, (position + 1) * width));
  const score = own[0] as number;
  if (task === "regression") return { task, classes, scores: own, decision: score, label: target };
  const label = classes[target] as string | boolean;
  if (task === "binary") {
    return { task, classes, scores: [1 - score, score], decision: score >= (threshold ?? 0.5), label };
  }
  let best = 0;
  for (let j = 1; j < width; j++) if ((own[j] as number) > (own[best] as number)) best = j;
  return { task, classes, scores: own, decision: classes[best] as string | boolean, label };
}

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
      budget: monitors.falseAlarms,
      // A day of rows stays together, so that a daily rhythm is part of "nothing changed".
      blockRows: Math.max(Math.cbrt(rows.length), perQuarter / 90),
      seed: seedFrom(input.seed, "false-alarms"),
      ...(threshold === undefined ? {} : { chosen: threshold }),
    }),
  };
}

/** `calibration.json` of the artifact. */
export function calibrateVersion(held: HeldOut, report: EvaluationReport): VersionCalibration {
  const losses = calibrateLosses(held);
  return { format: 1, curve: report.calibration ?? [], ...(losses === undefined ? {} : { losses }) };
}
