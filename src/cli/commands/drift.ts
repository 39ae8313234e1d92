/** `retrain drift MODEL`: what moved, against what, and by which thresholds. */
import { writeFile } from "node:fs/promises";
import { formatDuration, plural } from "../../core/index.ts";
import type { DriftReference, DriftView, MultivariateView } from "../../server/contract.ts";
import { driftHtml, type OtherDrift } from "../drift-html.ts";
import { EXIT, formatInstant, note, printData, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";
import { VERDICTS } from "../verdicts.ts";
import { reportTable } from "./drift-check.ts";
import { multivariateText } from "./multivariate.ts";

export interface DriftOptions extends RemoteOptions {
  readonly reference?: DriftReference;
  /** Also compare rows as wholes. */
  readonly multivariate?: boolean;
  /** Where a report is written. */
  readonly html?: string;
}

/** @returns 4 when the inputs drifted, else 0 */
export async function drift(model: string, options: DriftOptions): Promise<number> {
  const { reference } = options;
  const view = await connect(options).drift(model, reference === undefined ? {} : { reference });
  const whole = options.multivariate === true ? await connect(options).multivariateDrift(model) : undefined;
  if (options.html !== undefined) await writeHtml(options.html, view, whole, options);
  const text = () => [driftText(view), ...(whole === undefined ? [] : ["", wholeText(whole)])].join("\n");
  printData(options, { ...view, ...(whole === undefined ? {} : { multivariate: whole }) }, text);
  const isFound = view.data?.verdict === "drift" || whole?.result?.verdict === "drift";
  return isFound ? EXIT.found : EXIT.ok;
}

/** What else than the inputs may have moved. */
function othersOf({ prediction, label, skew }: DriftView): readonly OtherDrift[] {
  const one = (what: string, found: Pick<OtherDrift, "verdict" | "reason"> | null) =>
    found === null ? [] : [{ what, verdict: found.verdict, reason: found.reason }];
  return [
    ...one("prediction drift P(ŷ)", prediction),
    ...one("label shift P(y)", label),
    ...one("training-serving skew", skew),
  ];
}

/** Nothing is written where nothing was compared: the text says why. */
async function writeHtml(
  path: string,
  view: DriftView,
  whole: MultivariateView | undefined,
  options: DriftOptions,
): Promise<void> {
  const { data, window, model, version, reference } = view;
  if (data === null || window === null) {
    note(options, `No report was written to ${path}: there is nothing to compare.`);
    return;
  }
  const multivariate = whole?.result ?? undefined;
  const title = `${model} ${version ?? ""}, ${formatInstant(window.from)} to ${formatInstant(window.to)}, against ${reference ?? ""}`;
  const html = driftHtml({
    title,
    report: data,
    others: othersOf(view),
    ...(multivariate === undefined ? {} : { multivariate }),
  });
  await writeFile(path, html);
  note(options, `Report written to ${path}.`);
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
  const { data, window, calibration } = view;
  if (view.state !== "ready" || data === null || window === null) {
    return `${view.model} ${view.state === "ready" ? STATES.counting : STATES[view.state]}`;
  }
  const others = othersOf(view).map(({ what, verdict, reason }) => [what, VERDICTS[verdict], reason]);
  const source = view.source === "prediction" ? "request" : "collected row";
  const learned =
    calibration === null || Object.keys(calibration.thresholds).length === 0
      ? "no thresholds from history (too few windows)"
      : `thresholds from ${plural(calibration.windows, "window")} of its own history`;
  const days = formatDuration(window.to - window.from);
  const advice =
    data.verdict === "cannot-tell" && data.rowsNeeded !== undefined
      ? [`Windows of ${days} hold too few rows; \`monitors.dataDrift.window\` makes them longer.`]
      : [];
  return [
    `${VERDICTS[data.verdict]}: ${data.reason}`,
    ...advice,
    `${view.model} ${view.version ?? ""}: ${plural(data.currentRows, source)} of ${formatInstant(window.from)} to ${formatInstant(window.to)} against ${view.reference ?? ""} (${plural(data.referenceRows, "row")}); ${learned}.`,
    "",
    reportTable(data),
    ...(others.length === 0 ? [] : ["", table(["what", "verdict", "in words"], others)]),
  ].join("\n");
}
