/** `monitors`: what watches a model between its runs. */
import {
  choiceField,
  type Field,
  fail,
  numberField,
  objectField,
  optional,
  refuse,
  type Task,
  withDefault,
} from "../core/index.ts";
import { isNumeric } from "../data/dataset.ts";
import {
  type ConceptDriftSpec,
  DETECTOR_NAMES,
  DETECTORS,
  type DetectorName,
  type LossMetric,
  lossMetricsFor,
  type MonitorsSpec,
} from "../monitor/index.ts";
import type { MetricName } from "../stats/index.ts";
import { type DataDriftConfig, dataDriftField } from "./data-drift.ts";

export interface ConceptDriftConfig<M extends MetricName = MetricName> {
  /** Default "adwin". */
  readonly detector?: DetectorName;
  /** The loss it watches; default the model's main one, or "accuracy" (the error bit) for detectors of bits. */
  readonly metric?: M & LossMetric;
  /** The detector's own setting (δ of ADWIN, …); default: calibrated to the budget of false alarms. */
  readonly threshold?: number;
}
export interface MonitorsConfig<M extends MetricName = MetricName> {
  /** False alarms in 90 days that the monitors of the model may make together while nothing changes; default 1. */
  readonly falseAlarms?: number;
  /** Watches the losses of labelled predictions; `false` turns it off. */
  readonly conceptDrift?: ConceptDriftConfig<M> | false;
  /** Compares inputs, answers and labels with a reference; `false` turns it off. */
  readonly dataDrift?: DataDriftConfig | false;
}

export function monitorsField(task: Task): Field<MonitorsSpec> {
  return objectField("What watches the model between its runs.", {
    falseAlarms: withDefault(
      numberField("False alarms in 90 days that the monitors of the model may make together while nothing changes.", {
        min: 0.01,
        max: 1_000,
      }),
      1,
    ),
    conceptDrift: withDefault(conceptDriftField(task), {}),
    dataDrift: withDefault(dataDriftField, task === "recommend" ? false : {}),
  });
}

function conceptDriftField(task: Task): Field<ConceptDriftSpec | null> {
  const metrics = lossMetricsFor(task);
  const main: LossMetric = task === "recommend" ? "hitShare" : isNumeric(task) ? "mae" : "logLoss";
  const object = objectField("The detector of concept drift.", {
    detector: withDefault(choiceField("The detector.", DETECTOR_NAMES), "adwin"),
    metric: optional(choiceField("The loss it watches.", metrics)),
    threshold: optional(numberField("The detector's setting; absent: calibrated to the budget of false alarms.")),
  });
  const info = { ...object.info, rule: `false, or ${object.info.rule}` };
  return {
    info,
    read(value, place) {
      if (value === false) {
        place.record(place.path, place.originOf(place.path));
        return null;
      }
      if (typeof value !== "object" || value === null || Array.isArray(value)) throw refuse(place, value, info);
      const { detector, metric, threshold } = object.read(value, place);
      const { input, setting } = DETECTORS[detector];
      const wrong = (key: string, message: string, remedy: string) =>
        fail("CONFIG_INVALID", {
          message: `\`${place.path}.${key}\` ${message}`,
          remedy,
          details: { path: `${place.path}.${key}` },
        });
      const isBit = (one: LossMetric) => one === "accuracy" || one === "hitShare";
      const chosen = metric ?? (input === "bits" && !isNumeric(task) ? "accuracy" : main);
      if (input === "bits" && !isBit(chosen)) {
        const numeric = DETECTOR_NAMES.filter((name) => DETECTORS[name].input === "numbers").join(", ");
        throw wrong(
          "detector",
          `is "${detector}", which counts errors; ${chosen} is a number.`,
          isNumeric(task)
            ? `Use a detector of numbers: ${numeric}.`
            : `Set metric: "accuracy", or use a detector of numbers: ${numeric}.`,
        );
      }
      if (threshold !== undefined && (threshold < setting.min || threshold > setting.max)) {
        throw wrong(
          "threshold",
          `is ${threshold}; ${setting.name} of ${detector} must be in [${setting.min}, ${setting.max}] (published default ${setting.default}).`,
          "Correct it, or leave it out: it is then calibrated to the budget of false alarms.",
        );
      }
      return { detector, metric: chosen, ...(threshold === undefined ? {} : { threshold }) };
    },
  };
}
