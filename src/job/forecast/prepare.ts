/** `prepare` of a forecast: the same split by time as ever; the preparation is that of the covariates, fitted on training rows. */
import type { JsonObject } from "../../core/index.ts";
import { fitPreparation, splitRows } from "../../data/index.ts";
import { loadDataset, writePrepared } from "../folder.ts";
import { parseJobInput } from "../input.ts";
import { covariateFrame, forecastSchemaOf } from "./panel.ts";

export async function prepareForecast(raw: JsonObject): Promise<JsonObject> {
  const input = parseJobInput(raw);
  const { spec } = input;
  const dataset = await loadDataset(input.folder, spec);
  const splits = splitRows(
    dataset,
    {
      holdout: spec.data.holdout,
      validationShare: spec.data.validationShare,
      labelDelayMs: spec.labelDelayMs,
      timeOrdered: true,
    },
    input.asOf,
  );
  const preparation = fitPreparation({
    frame: covariateFrame(dataset.frame, forecastSchemaOf(spec).series),
    rows: splits.train,
    input: "codes",
    classes: [],
  });
  const { immatureRows, embargoedRows } = splits;
  await writePrepared(input.folder, {
    assignment: splits.assignment,
    preparation,
    state: {
      strategy: "full",
      seed: input.seed,
      asOf: input.asOf,
      immatureRows,
      embargoedRows,
      newRows: splits.train.length,
      replayedRows: 0,
    },
  });
  return {
    trainRows: splits.train.length,
    validationRows: splits.validation.length,
    holdoutRows: splits.holdout.length,
    immatureRows,
    embargoedRows,
    newRows: splits.train.length,
    replayedRows: 0,
    strategy: "full",
    columns: preparation.columns.length,
    missingFilled: 0,
    scaledColumns: 0,
    encodedColumns: 0,
    holdoutFrom: splits.holdoutFrom,
    holdoutTo: splits.holdoutTo,
  };
}
