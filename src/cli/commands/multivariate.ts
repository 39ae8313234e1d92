/** A comparison of whole rows, for a terminal. */
import { plural } from "../../core/index.ts";
import type { MultivariateDrift } from "../../core/index.ts";
import { table } from "../output.ts";
import { VERDICTS } from "../verdicts.ts";

const SHOWN_FEATURES = 5;

export function multivariateText(found: MultivariateDrift): string {
  const { classifier, reconstruction } = found;
  const rows = [
    ["domain classifier", VERDICTS[classifier.verdict], classifier.reason],
    ["reconstruction error", VERDICTS[reconstruction.verdict], reconstruction.reason],
  ];
  const features = classifier.features
    .slice(0, SHOWN_FEATURES)
    .map((one) => [one.feature, `${(100 * one.share).toFixed(1)} %`, one.aucLost.toFixed(3)]);
  const sizes = `${plural(found.referenceRows, "row")} against ${found.currentRows.toLocaleString("en-US")}, as wholes`;
  return [
    `${VERDICTS[found.verdict]}: ${found.reason}`,
    sizes,
    "",
    table(["what", "verdict", "in words"], rows),
    ...(features.length === 0 ? [] : ["", table(["told apart by", "share", "AUC lost"], features)]),
  ].join("\n");
}
