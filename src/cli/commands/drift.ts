/** `retrain drift MODEL`: what moved, against what, and by which thresholds. */
import type { DriftReference, DriftView, MultivariateView } from "../../server/contract.ts";
import { EXIT, formatInstant, printData, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";
import { VERDICTS } from "../verdicts.ts";
import { reportTable } from "./drift-check.ts";
import { multivariateText } from "./multivariate.ts";

export interface DriftOptions extends RemoteOptions {
  readonly reference?: DriftReference;
  /** Also compare rows as wholes. */
  readonly multivariate?: boolean;
}

/** @returns 4 when the inputs drifted, else 0 */
export async function drift(model: string, options: DriftOptions): Promise<number> {
  const { reference } = options;
  const view = await connect(options).drift(model, reference === undefined ? {} : { reference });
  const whole = options.multivariate === true ? await connect(options).multivariateDrift(model) : undefined;
  const text = () => [driftText(view), ...(whole === undefined ? [] : ["", wholeText(whole)])].join("\n");
  printData(options, { ...view, ...(whole === undefined ? {} : { multivariate: whole }) }, text);
  const isFound = view.data?.verdict === "drift" || whole?.result?.verdict === "drift";
  return isFound ? EXIT.found : EXIT.ok;
}

const STATES = {
  "no-champion": "has no version yet: there is nothing to compare with.",
  counting: "is counting its rows; ask again after the next tick.",
  off: "does not watch data drift (`monitors.dataDrift` is false).",
} as const;

function wholeText({ model, version, result, state }: MultivariateView): string {
  if (result !== null) return multivariateText(result);
  return state === "no-champion"
    ? `${model} ${STATES["no-champion"]}`
    : `${version ?? model} was made before rows were kept with a version; the next one can be compared by whole rows.`;
}

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
