/** `retrain diagnose`: what moved, what it costs, which slice lost most, since when. */
import type { Diagnosis } from "../../server/contract.ts";
import { formatInstant, printData, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";

const SHOWN_FEATURES = 10;
const short = (value: number | null) => (value === null ? null : Number(value.toPrecision(3)));
const percent = (share: number) => `${Math.round(share * 100)} %`;

export async function diagnose(model: string, options: RemoteOptions): Promise<void> {
  const found = await connect(options).diagnosis(model);
  printData(options, found, () => [...found.sentences, ...tables(found)].join("\n"));
}

function tables(found: Diagnosis): readonly string[] {
  const features = found.features
    .slice(0, SHOWN_FEATURES)
    .map((one) => [
      one.feature,
      one.moved ? "moved" : "",
      short(one.distance),
      percent(one.importance),
      short(one.effect),
      one.cells[0] === undefined
        ? ""
        : `${one.cells[0].cell}: ${percent(one.cells[0].before)} → ${percent(one.cells[0].now)}`,
    ]);
  const slices = found.slices.map((one) => [one.slice, short(one.value), short(one.holdout), one.labelled]);
  const rows = found.rows.map((one) => [
    one.exampleId,
    formatInstant(one.at),
    String(one.decision),
    String(one.label),
    short(one.loss),
  ]);
  return [
    ...(features.length === 0
      ? []
      : ["", table(["feature", "", "distance", "importance", "effect", "most"], features)]),
    ...(slices.length === 0 ? [] : ["", table(["slice", found.metric, "holdout", "labels"], slices)]),
    ...(rows.length === 0 ? [] : ["", table(["example", "at", "answer", "label", "loss"], rows)]),
  ];
}
