/** `retrain compare`: two versions on the rows neither has trained on. */
import { plural } from "../../core/index.ts";
import type { CompareAnswer } from "../../server/contract.ts";
import { holdoutHalvesText } from "../holdout-halves.ts";
import { formatNumber, printData, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";

/** Slices shown; the others are in `--json` and in the console. */
const SHOWN_SLICES = 10;

export interface CompareOptions extends RemoteOptions {
  readonly metric?: string;
}

export async function compare(model: string, a: string, b: string, options: CompareOptions): Promise<void> {
  const answer = await connect(options).compare(model, a, b, options.metric);
  printData(options, answer, () => text(answer));
}

function text(answer: CompareAnswer): string {
  const { report, a, b } = answer;
  const rows = report.differences.map((one) => [
    one.metric,
    formatNumber(one.champion),
    formatNumber(one.candidate),
    formatNumber(one.difference),
    `${formatNumber(one.interval[0])} to ${formatNumber(one.interval[1])}`,
    one.method,
  ]);
  const slices = (report.sliceDifferences?.[0]?.differences ?? [])
    .toSorted((left, right) => left.adjusted - right.adjusted)
    .slice(0, SHOWN_SLICES)
    .map((one) => [
      one.slice,
      one.rows,
      formatNumber(one.champion),
      formatNumber(one.candidate),
      formatNumber(one.difference),
      one.adjusted.toPrecision(2),
    ]);
  const halves = holdoutHalvesText(report, { candidate: b, champion: a });
  const metric = report.sliceDifferences?.[0]?.metric ?? "";
  return [
    `${answer.model}: ${b} against ${a} on ${plural(answer.rows, "row")} that neither was trained on.`,
    ...(answer.knownToA === 0 ? [] : [`${a} may have trained on ${answer.knownToA} of them, which favors it.`]),
    "",
    table(["metric", a, b, `${b} − ${a}`, "90 % interval", "method"], rows),
    ...(halves === undefined ? [] : ["", halves]),
    ...(slices.length === 0
      ? []
      : [
          "",
          `Slices by ${metric}, where ${b} is most likely worse first:`,
          table(["slice", "rows", a, b, "difference", "adjusted p"], slices),
        ]),
  ].join("\n");
}
