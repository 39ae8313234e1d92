/**
 * Scores mean what they say. The expected calibration error of a perfectly calibrated model is not 0 on finite rows, so `no` asks
 * that the error's lower bound less that noise is still above the bar, and `yes` that its upper bound is below the bar.
 */
import { fail, type GateCheck, numberField, type Outcome, plural, withDefault } from "../../core/index.ts";
import type { GateSpec } from "../spec.ts";
import {
  advice,
  atLook,
  type GateContext,
  type GateKind,
  neededRows,
  lookZ,
  sampleContext,
  show,
  Z_ONE_SIDED,
} from "./gate.ts";

type Calibration = Extract<GateSpec, { kind: "calibration" }>;
const fields = {
  max: withDefault(
    numberField("Largest expected calibration error, over ten bins of the score.", { min: 0, max: 1 }),
    0.05,
  ),
};

function judge({ max }: Calibration, { report }: GateContext): GateCheck {
  const gate = `calibration(${max})`;
  const found = report.calibrationError;
  if (found === undefined) {
    return {
      gate,
      outcome: "cannot-tell",
      threshold: max,
      rows: report.rows,
      reason: "The calibration error is undefined on these rows.",
    };
  }
  const interval = atLook(found.error, found.interval, report);
  const excess = found.expectedIfCalibrated;
  const outcome: Outcome = interval[1] <= max ? "yes" : interval[0] - excess > max ? "no" : "cannot-tell";
  const standardError = (found.interval[1] - found.interval[0]) / (2 * Z_ONE_SIDED);
  const rowsNeeded = neededRows({
    rows: found.rows,
    standardError,
    distance: max - Math.max(0, found.error - excess),
    z: lookZ(report),
  });
  const values = `The calibration error is ${show(found.error)} with bounds ${show(interval[0])} to ${show(interval[1])} on ${plural(found.rows, "row")}, where a calibrated model would show ${show(excess)}`;
  const verdict = {
    yes: `it is at most ${max}.`,
    no: `it is above ${max}.`,
    "cannot-tell": `whether it is at most ${max} cannot be told.${advice(rowsNeeded)}`,
  }[outcome];
  return {
    gate,
    outcome,
    value: found.error,
    threshold: max,
    interval,
    rows: found.rows,
    ...(outcome === "cannot-tell" && rowsNeeded !== undefined ? { rowsNeeded } : {}),
    reason: `${values}: ${verdict}`,
  };
}

export const calibration: GateKind<Calibration, typeof fields> = {
  kind: "calibration",
  description: "The expected calibration error of a binary model stays at or below a bar, by its bound.",
  fields: () => fields,
  resolve({ max }, path, task) {
    if (task === "binary") return { kind: "calibration", max };
    throw fail("CONFIG_INVALID", {
      message: `\`${path}\` asks for calibration, which is defined for binary models; this one is ${task}.`,
      remedy: task === "multiclass" ? 'Use gate.atLeast("brier", …) instead.' : "Remove the gate.",
      details: { path },
    });
  },
  subject: ({ max }) => `calibration(${max})`,
  rule: ({ max }) => `The expected calibration error is at most ${max}.`,
  metrics: () => [],
  judge,
  samples: [
    {
      spec: { kind: "calibration", max: 0.05 },
      passes: sampleContext({
        calibrationError: { error: 0.03, interval: [0.02, 0.04], expectedIfCalibrated: 0.025, rows: 1_000 },
      }),
      refuses: sampleContext({
        calibrationError: { error: 0.12, interval: [0.1, 0.14], expectedIfCalibrated: 0.025, rows: 1_000 },
      }),
    },
  ],
};
