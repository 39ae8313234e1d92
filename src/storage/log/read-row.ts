/** Events back out of typed columns: the other half of `columns.ts`. */
import type { DuckDBListValue, DuckDBValue } from "@duckdb/node-api";
import type { ExampleEvent, Features, FeatureValue, LabelValue, LoggedEvent } from "../../core/index.ts";
import type { Layout } from "./columns.ts";
import { decodeText } from "./encode.ts";

/** The identical event of a row, from the cells of a chunk whose columns are the layout's. */
export function readRow(columns: readonly (readonly DuckDBValue[])[], index: number, layout: Layout): LoggedEvent {
  const cell = (column: number) => columns[column]?.[index] ?? null;
  const importedAt = cell(3);
  const position = {
    transactionId: cell(0) as bigint,
    seq: cell(1) as bigint,
    receivedAt: Number(cell(2)),
    ...(importedAt === null ? {} : { importedAt: Number(importedAt) }),
  };
  const restText = cell(layout.columns.length - 1) as string | null;
  if (restText?.startsWith("{")) return { ...(JSON.parse(restText) as ExampleEvent), ...position };
  return { ...readOwn(cell, restText, layout), ...position };
}

function readOwn(cell: (column: number) => DuckDBValue, rest: string | null, layout: Layout): ExampleEvent {
  const at = Number(cell(4));
  const text = (column: number) => {
    const value = cell(column) as string | null;
    return value === null ? undefined : decodeText(value);
  };
  const some = (name: string, value: unknown) => (value === undefined || value === null ? {} : { [name]: value });
  const label = (column: number) => {
    const value = cell(column) as LabelValue | null;
    return typeof value === "string" ? decodeText(value) : value;
  };
  const ids = {
    ...some("exampleId", text(5)),
    ...some("predictionId", layout.kind === "observation" ? null : text(6)),
  };
  switch (layout.kind) {
    case "observation":
      return {
        at,
        ...ids,
        kind: "observation",
        features: readFeatures(cell, rest, layout),
        ...some("unit", text(6)),
        ...some("label", label(7)),
      } as ExampleEvent;
    case "prediction":
      return {
        at,
        ...ids,
        kind: "prediction",
        features: readFeatures(cell, rest, layout),
        ...some("unit", text(7)),
        version: text(8),
        origin: text(9),
        ...some("variant", text(10)),
        scores: (cell(11) as DuckDBListValue).items,
        decision: label(12),
      } as ExampleEvent;
    case "label":
      return {
        at,
        ...ids,
        kind: "label",
        value: label(7),
        labelSource: text(9),
        ...some("comment", text(10)),
      } as ExampleEvent;
    case "outcome":
      return { at, ...ids, kind: "outcome", name: text(7), value: cell(8) } as ExampleEvent;
  }
}

function readFeatures(cell: (column: number) => DuckDBValue, rest: string | null, layout: Layout): Features {
  const absent = rest === null ? undefined : new Set(JSON.parse(rest) as string[]);
  const features: Record<string, FeatureValue> = {};
  for (const { name, column } of layout.features) {
    if (absent?.has(name)) continue;
    const value = cell(column) as FeatureValue;
    // A plain assignment to "__proto__" would set the prototype instead of a feature.
    const own = typeof value === "string" ? decodeText(value) : value;
    if (name === "__proto__") Object.defineProperty(features, name, { value: own, enumerable: true });
    else features[name] = own;
  }
  return features;
}
