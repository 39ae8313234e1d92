/** `retrain drift MODEL`: what moved, against what, and by which thresholds. */
import type { DriftReference, DriftView } from "../../server/contract.ts";
import { EXIT, formatInstant, printData, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";
import { reportTable, VERDICTS } from "./drift-check.ts";

export interface DriftOptions extends RemoteOptions {
  readonly reference?: DriftReference;
}

/** @returns 4 when the inputs drifted, else 0 */
export async function drift(model: string, options: DriftOptions): Promise<number> {
  const { reference } = options;
  const view = await connect(options).drift(model, reference === undefined ? {} : { reference });
  printData(options, view, () => driftText(view));
  return view.data?.verdict === "drift" ? EXIT.found : EXIT.ok;
}

const STATES = {
  "no-champion": "has no version yet: there is nothing to compare with.",
  counting: "is counting its rows; ask again after the next tick.",
  off: "does not watch data drift (`monitors.dataDrift` is false).",
} as const;

function driftText(view: DriftView): string {
  const { data, window, prediction, label, skew, calibration } = view;
  if (view.state !== "ready" || data === null || window === null) {
    return `${view.model} ${view.state === "ready" ? STATES.counting : STATES[view.state]}`;
  }
  const others = [
    ...(prediction === null ? [] : [["prediction drift P(ŷ)", VERDICTS[prediction.verdict], prediction.reason]]),
    ...(label === null ? [] : [["label shift P(y)", VERDICTS[label.verdict], label.reason]]),
    ...(skew === null ? [] : [["training-serving skew", VERDICTS[skew.verdict], skew.reason]]),
  ];
  const source = view.source === "prediction" ? "requests" : "collected rows";
  const learned =
    calibration === null || Object.keys(calibration.thresholds).length === 0
      ? "no thresholds from history (too few windows)"
      : `thresholds from ${calibration.windows} windows of its own history`;
  return [
    `${VERDICTS[data.verdict]}: ${data.reason}`,
    `${view.model} ${view.version ?? ""}: ${data.currentRows.toLocaleString("en-US")} ${source} of ${formatInstant(window.from)} to ${formatInstant(window.to)} against ${view.reference ?? ""} (${data.referenceRows.toLocaleString("en-US")} rows); ${learned}.`,
    "",
    reportTable(data),
    ...(others.length === 0 ? [] : ["", table(["what", "verdict", "in words"], others)]),
  ].join("\n");
}
