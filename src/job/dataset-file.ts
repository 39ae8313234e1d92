/**
 * Reads a frozen dataset file (its columns are documented on `DatasetRequest`) into a Dataset, chunk vector by chunk vector.
 * Only the training process does this: the event loop never touches a dataset.
 */
import type { DuckDBConnection, DuckDBDataChunk } from "@duckdb/node-api";
import { fail, LABEL_PRECEDENCE, type LabelSource } from "../core/index.ts";
import type { DataSchema, Dataset, FeatureSpec, Frame, FrameColumn, WideColumn, WideSpec } from "../data/index.ts";
import {
  CATEGORY_MISSING,
  hashExampleId,
  isCoarse,
  isNumeric,
  isWide,
  resolveClasses,
  RowHasher,
  wideBuilder,
} from "../data/index.ts";
import { booleanReader, doubleReader, TextCodes, textReader } from "./chunk-readers.ts";

let connection: Promise<DuckDBConnection> | undefined;

/** One in-memory database per process, opened at start-up: loading the library is most of the cost of the first query. */
export function openDuckDb(): Promise<DuckDBConnection> {
  connection ??= import("@duckdb/node-api").then(async ({ DuckDBInstance }) => {
    const instance = await DuckDBInstance.create(":memory:", { autoinstall_known_extensions: "false" });
    return instance.connect();
  });
  return connection;
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export const SQL_TYPES = {
  number: "DOUBLE",
  category: "VARCHAR",
  boolean: "BOOLEAN",
  text: "VARCHAR",
  vector: "VARCHAR",
  image: "VARCHAR",
} as const;

function selectList(schema: DataSchema, columns: ReadonlySet<string>): string {
  const label = isNumeric(schema.task) ? "DOUBLE" : schema.task === "binary" ? "BOOLEAN" : "VARCHAR";
  const features = schema.features.map(
    ({ name, spec }) => `CAST(${quoteName(`f_${name}`)} AS ${SQL_TYPES[spec.kind]})`,
  );
  return [
    "CAST(example_id AS VARCHAR)",
    `CAST("at" AS DOUBLE)`,
    "CAST(greatest(received_at, label_received_at) AS DOUBLE)",
    `CAST(label AS ${label})`,
    // Files frozen before labels told their origin have neither; all their labels came from the system.
    columns.has("label_source") ? "CAST(label_source AS VARCHAR)" : "CAST('system' AS VARCHAR)",
    columns.has("selective") ? "CAST(selective AS DOUBLE)" : "CAST(0 AS DOUBLE)",
    ...features,
  ].join(", ");
}

/** Columns before the features in `selectList`. */
const LEADING = 6;

/**
 * @returns the dataset, float32 features, content hash included. 1M rows × 20 columns take about a second.
 * @throws FILE_INVALID when the file is not one of ours, DATASET_EMPTY for no rows.
 */
export async function readDatasetFile(path: string, schema: DataSchema): Promise<Dataset> {
  const duckdb = await openDuckDb();
  const source = `read_parquet(${quoteText(path)})`;
  try {
    const counted = await duckdb.runAndReadAll(`SELECT count(*)::DOUBLE FROM ${source}`);
    const rows = Number(counted.getRows()[0]?.[0] ?? 0);
    if (rows === 0) {
      throw fail("DATASET_EMPTY", {
        message: "The frozen dataset has no row.",
        remedy: "Wait for labelled rows, or widen `data.window`.",
      });
    }
    const described = await duckdb.runAndReadAll(`DESCRIBE SELECT * FROM ${source}`);
    const present = new Set(described.getRows().map((row) => String(row[0])));
    const result = await duckdb.stream(`SELECT ${selectList(schema, present)} FROM ${source}`);
    const builder = new DatasetBuilder(schema, rows);
    for (;;) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) break;
      builder.add(chunk);
    }
    return builder.finish();
  } catch (error) {
    if (error instanceof Error && error.name === "RetrainError") throw error;
    throw fail("FILE_INVALID", {
      message: `The dataset file cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      remedy: "Run the snapshot step again.",
      cause: error,
    });
  }
}

class DatasetBuilder {
  readonly #schema: DataSchema;
  readonly #rows: number;
  readonly #at: Float64Array;
  readonly #knownAt: Float64Array;
  readonly #idHash: Uint32Array;
  readonly #target: Float64Array;
  readonly #source: Uint8Array;
  readonly #selective: Uint8Array;
  readonly #labels = new TextCodes();
  readonly #hasher = new RowHasher();
  readonly #columns: readonly FeatureColumn[];
  #filled = 0;

  constructor(schema: DataSchema, rows: number) {
    this.#schema = schema;
    this.#rows = rows;
    this.#at = new Float64Array(rows);
    this.#knownAt = new Float64Array(rows);
    this.#idHash = new Uint32Array(rows * 2);
    this.#target = new Float64Array(rows);
    this.#source = new Uint8Array(rows);
    this.#selective = new Uint8Array(rows);
    this.#columns = schema.features.map(({ name, spec }) => createColumn(name, spec, rows));
  }

  add(chunk: DuckDBDataChunk): void {
    const { rowCount } = chunk;
    const start = this.#filled;
    const id = textReader(chunk.getColumnVector(0));
    const at = doubleReader(chunk.getColumnVector(1));
    const knownAt = doubleReader(chunk.getColumnVector(2));
    const label = this.#labelReader(chunk);
    const source = textReader(chunk.getColumnVector(4));
    const selective = doubleReader(chunk.getColumnVector(5));
    const columns = this.#columns;
    columns.forEach((column, i) => column.begin(chunk, LEADING + i));
    const hasher = this.#hasher;
    for (let i = 0; i < rowCount; i++) {
      const row = start + i;
      const exampleId = id(i) ?? "";
      const hash = hashExampleId(exampleId);
      this.#idHash[row * 2] = hash[0];
      this.#idHash[row * 2 + 1] = hash[1];
      this.#at[row] = at(i);
      this.#knownAt[row] = knownAt(i);
      this.#source[row] = Math.max(0, LABEL_PRECEDENCE.indexOf((source(i) ?? "system") as LabelSource));
      this.#selective[row] = selective(i) === 1 ? 1 : 0;
      hasher.text(exampleId);
      hasher.number(this.#at[row] as number);
      this.#target[row] = label(i, hasher);
      for (let j = 0; j < columns.length; j++) (columns[j] as FeatureColumn).read(i, row, hasher);
    }
    this.#filled += rowCount;
  }

  #labelReader(chunk: DuckDBDataChunk): (i: number, hasher: RowHasher) => number {
    const vector = chunk.getColumnVector(3);
    if (isNumeric(this.#schema.task)) {
      const read = doubleReader(vector);
      return (i, hasher) => {
        const value = read(i);
        hasher.number(value);
        return value;
      };
    }
    if (this.#schema.task === "binary") {
      const read = booleanReader(vector);
      return (i, hasher) => {
        const value = read(i);
        hasher.boolean(value === 1);
        return value;
      };
    }
    const read = this.#labels.reader(vector);
    return (i, hasher) => {
      const code = read(i);
      hasher.encodedText(this.#labels.bytes(code));
      return code;
    };
  }

  finish(): Dataset {
    const classes = resolveClasses(this.#schema, this.#labels.dictionary);
    if (this.#schema.task === "multiclass") {
      const index = this.#labels.dictionary.map((text) => classes.indexOf(text));
      const unknown = this.#labels.dictionary.find((_, i) => index[i] === -1);
      if (unknown !== undefined) {
        throw fail("ROW_INVALID", {
          message: `The dataset holds the label "${unknown}", which the model's definition does not list.`,
          remedy: "Add it to the label's categories, or correct the label.",
        });
      }
      for (let i = 0; i < this.#rows; i++) this.#target[i] = index[this.#target[i] as number] as number;
    }
    return {
      rows: this.#rows,
      frame: finishFrame(this.#columns, this.#rows),
      at: this.#at,
      knownAt: this.#knownAt,
      idHash: this.#idHash,
      target: this.#target,
      labelSource: this.#source,
      selective: this.#selective,
      classes,
      hash: this.#hasher.digest(),
      coarse: Object.fromEntries(
        this.#columns.flatMap((column, i) => {
          const count = column.coarseCount?.() ?? 0;
          return count === 0 ? [] : [[this.#schema.features[i]?.name, count]];
        }),
      ),
    };
  }
}

export interface FeatureColumn {
  readonly isWide?: true;
  begin(chunk: DuckDBDataChunk, index: number): void;
  read(i: number, row: number, hasher: RowHasher): void;
  finish(): FrameColumn | WideColumn;
  /** Numbers only: see `Dataset.coarse`. */
  coarseCount?(): number;
}

/** Scalar and wide columns as a frame. */
export function finishFrame(columns: readonly FeatureColumn[], rows: number): Frame {
  const scalars = columns.filter((column) => column.isWide !== true);
  const wide = columns.filter((column) => column.isWide === true);
  return {
    rows,
    columns: scalars.map((column) => column.finish() as FrameColumn),
    ...(wide.length === 0 ? {} : { wide: wide.map((column) => column.finish() as WideColumn) }),
  };
}

export function createColumn(name: string, spec: FeatureSpec, rows: number): FeatureColumn {
  if (isWide(spec)) return wideColumn(name, spec, rows);
  if (spec.kind === "number") return numberColumn(name, rows);
  return spec.kind === "boolean" ? booleanColumn(name, rows) : categoryColumn(name, rows);
}

function wideColumn(name: string, spec: WideSpec, rows: number): FeatureColumn {
  const builder = wideBuilder(name, spec, rows);
  let read: (i: number) => string | null = () => null;
  return {
    isWide: true,
    begin(chunk, index) {
      read = textReader(chunk.getColumnVector(index));
    },
    read(i, row, hasher) {
      const text = read(i);
      builder.set(row, text);
      if (text === null) hasher.missing();
      else hasher.text(text);
    },
    finish: () => builder.finish(),
  };
}

function numberColumn(name: string, rows: number): FeatureColumn {
  const values = new Float32Array(rows);
  let coarse = 0;
  let read: (i: number) => number = () => Number.NaN;
  return {
    begin(chunk, index) {
      read = doubleReader(chunk.getColumnVector(index));
    },
    read(i, row, hasher) {
      const value = read(i);
      values[row] = value;
      if (values[row] !== value && isCoarse(value)) coarse++;
      if (value === value) hasher.number(value);
      else hasher.missing();
    },
    finish: () => ({ kind: "number", name, values }),
    coarseCount: () => coarse,
  };
}

function booleanColumn(name: string, rows: number): FeatureColumn {
  const values = new Uint8Array(rows);
  let read: (i: number) => number = () => 255;
  return {
    begin(chunk, index) {
      read = booleanReader(chunk.getColumnVector(index));
    },
    read(i, row, hasher) {
      const value = read(i);
      values[row] = value;
      if (value === 255) hasher.missing();
      else hasher.boolean(value === 1);
    },
    finish: () => ({ kind: "boolean", name, values }),
  };
}

function categoryColumn(name: string, rows: number): FeatureColumn {
  const codes = new Int32Array(rows);
  const texts = new TextCodes();
  let read: (i: number) => number = () => CATEGORY_MISSING;
  return {
    begin(chunk, index) {
      read = texts.reader(chunk.getColumnVector(index));
    },
    read(i, row, hasher) {
      const code = read(i);
      codes[row] = code;
      if (code === CATEGORY_MISSING) hasher.missing();
      else hasher.encodedText(texts.bytes(code));
    },
    finish: () => ({ kind: "category", name, codes, dictionary: texts.dictionary }),
  };
}
