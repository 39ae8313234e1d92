/** `retrain performance`: realised with label coverage, and estimated before labels; or by slice. */
import { plural } from "../../core/index.ts";
import type { PerformanceSeries, SlicePerformance } from "../../server/contract.ts";
import { formatInstant, printData, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";

export interface PerformanceOptions extends RemoteOptions {
  readonly metric?: string;
  readonly of?: string;
  readonly slices?: boolean;
  readonly limit: number;
}

export async function performance(model: string, options: PerformanceOptions): Promise<void> {
  const { metric, of: version, limit } = options;
  const client = connect(options);
  const query = { ...(metric === undefined ? {} : { metric }), ...(version === undefined ? {} : { version }) };
  if (options.slices === true) {
    const found = await client.slices(model, query);
    printData(options, found, () => sliceText(found));
    return;
  }
  const found = await client.performance(model, query);
  printData(options, found, () => seriesText(found, limit));
}

const short = (value: number | null | undefined) => (value == null ? null : Number(value.toPrecision(4)));
const percent = (part: number, whole: number) => (whole === 0 ? "–" : `${Math.round((100 * part) / whole)} %`);
const band = (low: number | null | undefined, high: number | null | undefined) =>
  low == null || high == null ? "" : `${short(low)} to ${short(high)}`;

function seriesText(found: PerformanceSeries, limit: number): string {
  if (found.points.length === 0) return "Nothing has been predicted yet.";
  const rows = found.points
    .slice(-limit)
    .reverse()
    .map((point) => [
      formatInstant(point.from),
      point.version,
      short(point.value),
      band(point.interval?.[0], point.interval?.[1]),
      short(point.estimated?.value),
      band(point.estimated?.low, point.estimated?.high),
      point.predictions,
      percent(point.labelled, point.predictions),
      point.mature ? "" : "labels due",
    ]);
  const head = ["from", "version", found.metric, "90 %", "estimated", "band", "predictions", "labelled", ""];
  const { estimate } = found;
  const notes =
    estimate === null
      ? ["No estimate before labels: the metric has none, or the version has no calibration."]
      : [
          estimate.meanAbsoluteError === null
            ? `Estimated by ${estimate.method}; no bucket has labels enough to compare with yet.`
            : `Estimated by ${estimate.method}; off by ${short(estimate.meanAbsoluteError)} on average over ${plural(estimate.comparedBuckets, "bucket")} with labels, outside its band in ${estimate.outsideBand}.`,
          ...estimate.blindSpots,
        ];
  return [table(head, rows), "", ...notes].join("\n");
}

function sliceText(found: SlicePerformance): string {
  if (found.version === null) return "There is no live version.";
  if (found.rows.length === 0) return `Nothing mature has been predicted by ${found.version}, or it has no slices.`;
  const rows = found.rows.map((row) => [
    row.slice,
    short(row.value),
    row.interval === null ? "" : band(...row.interval),
    short(row.holdout),
    row.predictions,
    percent(row.labelled, row.predictions),
  ]);
  const head = [`slice of ${found.version}`, found.metric, "90 %", "holdout", "predictions", "labelled"];
  return table(head, rows);
}
