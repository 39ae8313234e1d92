/**
 * How events lie in Parquet: typed columns per kind and schema, and `rest` for what they cannot hold exactly. `rest` is NULL
 * where the columns say everything, a JSON array of the feature names a row did not have, or else the whole canonical body;
 * so an event read back is always the identical event, and the training data is typed all the same.
 */
import { BIGINT, BOOLEAN, DOUBLE, type DuckDBType, type DuckDBValue, LIST, listValue, VARCHAR } from "@duckdb/node-api";
import type { EventKind, ExampleEvent, Features, FeatureValue, LabelValue, LogSchema } from "../../core/index.ts";
import { canonicalJson } from "../../core/index.ts";
import { encodeText } from "./encode.ts";

/** A row of the tail, its ids in column form. */
export interface TailRow {
  readonly transactionId: bigint;
  readonly seq: bigint;
  readonly receivedAt: number;
  readonly importedAt: number | null;
  readonly at: number;
  readonly exampleId: string | null;
  readonly predictionId: string | null;
  readonly body: string;
}

export interface Column {
  readonly name: string;
  readonly type: DuckDBType;
}
interface FeatureColumn {
  readonly name: string;
  readonly typeOf: "number" | "string" | "boolean";
  readonly column: number;
}

export interface Layout {
  readonly kind: EventKind;
  /** Names the schema the columns were made for; segments with one signature have the same columns. */
  readonly signature: string;
  readonly schema: StoredSchema | undefined;
  readonly columns: readonly Column[];
  readonly features: readonly FeatureColumn[];
}
export type StoredSchema = Omit<LogSchema, "model">;

const BASE: readonly Column[] = [
  { name: "transaction_id", type: BIGINT },
  { name: "seq", type: BIGINT },
  { name: "received_at", type: BIGINT },
  { name: "imported_at", type: BIGINT },
  { name: "at", type: BIGINT },
  { name: "example_id", type: VARCHAR },
];
const REST: Column = { name: "rest", type: VARCHAR };
const FEATURE_TYPES = { number: DOUBLE, category: VARCHAR, boolean: BOOLEAN } as const;
const TYPE_OF = { number: "number", category: "string", boolean: "boolean" } as const;
const LABEL_TYPES = { binary: BOOLEAN, multiclass: VARCHAR, regression: DOUBLE } as const;
const LABEL_TYPE_OF = { binary: "boolean", multiclass: "string", regression: "number" } as const;

export function labelType(schema: StoredSchema | undefined): DuckDBType {
  return schema ? LABEL_TYPES[schema.task] : VARCHAR;
}
export function featureType(type: "number" | "category" | "boolean"): DuckDBType {
  return FEATURE_TYPES[type];
}

export function signatureOf(schema: StoredSchema | undefined): string {
  if (!schema) return "null";
  return canonicalJson({ task: schema.task, columns: schema.columns.map(({ name, type }) => ({ name, type })) });
}
export function schemaOfSignature(signature: string): StoredSchema | undefined {
  return (JSON.parse(signature) as StoredSchema | null) ?? undefined;
}

function ownColumns(kind: EventKind, schema: StoredSchema | undefined): Column[] {
  const label = { name: kind === "prediction" ? "decision" : "label", type: labelType(schema) };
  const text = (name: string) => ({ name, type: VARCHAR });
  switch (kind) {
    case "observation":
      return [text("unit"), label, { name: "labelled", type: BOOLEAN }];
    case "prediction":
      return [
        ...["prediction_id", "unit", "version", "origin", "variant"].map(text),
        { name: "scores", type: LIST(DOUBLE) },
        label,
      ];
    case "label":
      return [
        text("prediction_id"),
        label,
        { name: "retraction", type: BOOLEAN },
        text("label_source"),
        text("comment"),
      ];
    case "outcome":
      return [text("prediction_id"), text("name"), { name: "value", type: DOUBLE }];
  }
}

/** The columns of a kind under a schema; without one (a model nobody describes any more) features stay in `rest`. */
export function layoutOf(kind: EventKind, schema: StoredSchema | undefined): Layout {
  const columns = [...BASE, ...ownColumns(kind, schema)];
  const features: FeatureColumn[] = [];
  if (schema && (kind === "observation" || kind === "prediction")) {
    // Column names of SQL do not tell "Age" from "age"; the second of such a pair stays in `rest`.
    const taken = new Set<string>();
    for (const { name, type } of schema.columns) {
      if (taken.has(name.toLowerCase())) continue;
      taken.add(name.toLowerCase());
      features.push({ name, typeOf: TYPE_OF[type], column: columns.length });
      columns.push({ name: `f_${name}`, type: FEATURE_TYPES[type] });
    }
  }
  columns.push(REST);
  return { kind, signature: signatureOf(schema), schema, columns, features };
}

type Cells = DuckDBValue[][];

function putText(cells: Cells, column: number, value: string | null | undefined): void {
  (cells[column] as DuckDBValue[]).push(value == null ? null : encodeText(value));
}

function cellOf(value: Exclude<FeatureValue, null>): DuckDBValue {
  return typeof value === "string" ? encodeText(value) : value;
}

/** Puts a label or decision into its column; false when its type is not the column's. */
function putLabel(cells: Cells, column: number, value: LabelValue | null | undefined, layout: Layout): boolean {
  const isFitting =
    value == null || (layout.schema !== undefined && typeof value === LABEL_TYPE_OF[layout.schema.task]);
  (cells[column] as DuckDBValue[]).push(value == null || !isFitting ? null : cellOf(value));
  return isFitting;
}

/** Puts the features; returns what `rest` must say about them: nothing, the absent names, or "the whole body". */
function putFeatures(cells: Cells, features: Features, layout: Layout): null | string[] | "all" {
  let present = 0;
  let isExact = true;
  let absent: string[] | null = null;
  for (const { name, typeOf, column } of layout.features) {
    const value = Object.hasOwn(features, name) ? features[name] : undefined;
    let cell: DuckDBValue = null;
    if (value === undefined) {
      absent ??= [];
      absent.push(name);
    } else {
      present += 1;
      if (value !== null) {
        if (typeof value === typeOf) cell = cellOf(value);
        else isExact = false;
      }
    }
    (cells[column] as DuckDBValue[]).push(cell);
  }
  return isExact && present === Object.keys(features).length ? absent : "all";
}

/** Keys an event may have beyond those that are always there. */
const FIXED_KEYS: Readonly<Record<EventKind, number>> = { observation: 4, prediction: 9, label: 4, outcome: 4 };

function countOptional(event: ExampleEvent, names: readonly string[]): number {
  let count = FIXED_KEYS[event.kind];
  for (const name of names) if ((event as unknown as Record<string, unknown>)[name] !== undefined) count += 1;
  return count;
}

/** Appends one row to the cells, one array per column of the layout. */
export function putRow(cells: Cells, row: TailRow, layout: Layout): void {
  const height = cells[0]?.length ?? 0;
  const put = (column: number, value: DuckDBValue) => (cells[column] as DuckDBValue[]).push(value);
  const putBase = () => {
    put(0, row.transactionId);
    put(1, row.seq);
    put(2, BigInt(row.receivedAt));
    put(3, row.importedAt === null ? null : BigInt(row.importedAt));
    put(4, BigInt(row.at));
    put(5, row.exampleId);
  };
  const last = layout.columns.length - 1;
  putBase();
  const rest = putShaped(cells, row, layout);
  if (rest !== undefined) {
    put(last, rest === "all" ? row.body : rest === null ? null : canonicalJson(rest));
    return;
  }
  for (const column of cells) column.length = height;
  putBase();
  for (let column = 6; column < last; column++) put(column, null);
  put(last, row.body);
}

/**
 * Undefined for a body that is not the shape of an event of its kind, with some cells put already. One such row must not
 * stop the compaction of all others, so it is kept as it came.
 */
function putShaped(cells: Cells, row: TailRow, layout: Layout): null | string[] | "all" | undefined {
  try {
    const event = JSON.parse(row.body) as ExampleEvent;
    return event.kind === layout.kind ? putOwn(cells, event, row, layout) : undefined;
  } catch {
    return undefined;
  }
}

function putOwn(cells: Cells, event: ExampleEvent, row: TailRow, layout: Layout): null | string[] | "all" {
  const keys = Object.keys(event).length;
  const put = (column: number, value: DuckDBValue) => (cells[column] as DuckDBValue[]).push(value);
  switch (event.kind) {
    case "observation": {
      putText(cells, 6, event.unit);
      const isFitting = putLabel(cells, 7, event.label, layout);
      put(8, event.label !== undefined);
      const rest = putFeatures(cells, event.features, layout);
      return isFitting && keys === countOptional(event, ["unit", "label"]) ? rest : "all";
    }
    case "prediction": {
      put(6, row.predictionId);
      putText(cells, 7, event.unit);
      putText(cells, 8, event.version);
      putText(cells, 9, event.origin);
      putText(cells, 10, event.variant);
      put(11, listValue([...event.scores]));
      const isFitting = putLabel(cells, 12, event.decision, layout);
      const rest = putFeatures(cells, event.features, layout);
      return isFitting && keys === countOptional(event, ["unit", "variant"]) ? rest : "all";
    }
    case "label": {
      put(6, row.predictionId);
      const isFitting = putLabel(cells, 7, event.value, layout);
      put(8, event.value === null);
      putText(cells, 9, event.labelSource);
      putText(cells, 10, event.comment);
      return isFitting && keys === countOptional(event, ["exampleId", "predictionId", "comment"]) ? null : "all";
    }
    case "outcome":
      put(6, row.predictionId);
      putText(cells, 7, event.name);
      put(8, event.value);
      return keys === countOptional(event, ["exampleId", "predictionId"]) ? null : "all";
  }
}
