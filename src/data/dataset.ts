/**
 * A dataset version in memory: one row per labelled example, in the order (at, example id) of its frozen file, features as a
 * frame, labels as numbers. Its content hash is what a version's manifest names.
 */
import { createHash } from "node:crypto";
import { fail } from "../core/index.ts";
import type { LabelValue, Task } from "../core/index.ts";
import type { Frame } from "./frame.ts";
import type { Classes, DataSchema } from "./schema.ts";
import { isWide, wideBuilder } from "./wide/columns.ts";

export interface Dataset {
  readonly rows: number;
  readonly frame: Frame;
  /** Event time, ms since the epoch. */
  readonly at: Float64Array;
  /** When the labelled example was known: the later of the receipts of its features and of its label. */
  readonly knownAt: Float64Array;
  /** 64 bits of the example id's hash, as two unsigned halves per row; decides splits without time. */
  readonly idHash: Uint32Array;
  /** Binary 0/1, multiclass the index into `classes`, regression the value. */
  readonly target: Float64Array;
  /** Index into LABEL_PRECEDENCE of who stated the label; absent: all by the system. */
  readonly labelSource?: Uint8Array;
  /** 1 where the example was labelled because of the model's score: such rows train but never judge. Absent: none. */
  readonly selective?: Uint8Array;
  readonly classes: Classes;
  /** SHA-256 of the canonical row bytes in order: id, event time, label, features. When they were known is not content. */
  readonly hash: string;
  /**
   * Per number column: whole numbers that float32 rounds to another one (beyond 2^24: ids, times in ms). Rounded fractions lose
   * nothing that matters; whole numbers that merge usually were never quantities. Columns without any are left out.
   */
  readonly coarse: Readonly<Record<string, number>>;
}

/** True for a whole number that float32 cannot hold. */
export function isCoarse(value: number): boolean {
  return Math.fround(value) !== value && Number.isInteger(value);
}

/** True for tasks whose label is a number. */
export function isNumeric(task: Task): task is "regression" | "forecast" | "recommend" {
  return task === "regression" || task === "forecast" || task === "recommend";
}

export function classCount(task: Task, classes: Classes): number {
  return isNumeric(task) ? 0 : classes.length;
}

/** Rows as a user holds them, for the library and for tests; the training process reads the frozen file instead. */
export interface ExampleRow {
  readonly exampleId: string;
  readonly at: number;
  readonly knownAt?: number;
  readonly label: LabelValue;
  readonly features: Readonly<Record<string, number | string | boolean | null | undefined>>;
}

/** 64-bit FNV-1a of a text's UTF-16 units in two interleaved 32-bit lanes, mixed at the end. Stable for ever: splits depend on it. */
export function hashExampleId(id: string): readonly [number, number] {
  let low = 0x811c9dc5;
  let high = 0xc9dc5118;
  for (let i = 0; i < id.length; i++) {
    const unit = id.charCodeAt(i);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ (unit + i), 0x85ebca6b);
    high ^= high >>> 15;
  }
  return [mix32(low ^ (high >>> 7)), mix32(high + Math.imul(low, 0x9e3779b1))];
}

/** The finalizer of MurmurHash3: every input bit moves every output bit. */
function mix32(value: number): number {
  let z = value >>> 0;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b) >>> 0;
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35) >>> 0;
  return (z ^ (z >>> 16)) >>> 0;
}

/**
 * Classes in score order. Binary is always [false, true]; multiclass is the sorted distinct labels (or the schema's list);
 * regression has none. Sorted by code unit, so the order is the same in every locale.
 */
export function resolveClasses(schema: DataSchema, seen: Iterable<string>): Classes {
  if (isNumeric(schema.task)) return [];
  if (schema.task === "binary") return [false, true];
  if (schema.label.kind === "category" && schema.label.categories !== undefined) return schema.label.categories;
  return [...new Set(seen)].sort((left, right) => (left < right ? -1 : left > right ? 1 : 0));
}

/** Feeds canonical row bytes to SHA-256: each value is a tag byte and its bytes, so no two different rows share a text. */
export class RowHasher {
  readonly #hash = createHash("sha256");
  readonly #buffer = Buffer.allocUnsafe(1 << 16);
  readonly #view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset, this.#buffer.length);
  #used = 0;

  #reserve(bytes: number): void {
    if (this.#used + bytes > this.#buffer.length) this.#flush();
  }

  #flush(): void {
    this.#hash.update(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  missing(): void {
    this.#reserve(1);
    this.#buffer[this.#used++] = 0;
  }

  number(value: number): void {
    this.#reserve(9);
    this.#buffer[this.#used] = 1;
    this.#view.setFloat64(this.#used + 1, value, true);
    this.#used += 9;
  }

  boolean(value: boolean): void {
    this.#reserve(1);
    this.#buffer[this.#used++] = value ? 3 : 2;
  }

  text(value: string): void {
    const bytes = value.length * 3;
    if (bytes + 5 > this.#buffer.length) {
      this.#longText(value);
      return;
    }
    this.#reserve(bytes + 5);
    this.#buffer[this.#used] = 4;
    const written = this.#buffer.write(value, this.#used + 5, "utf8");
    this.#view.setUint32(this.#used + 1, written, true);
    this.#used += written + 5;
  }

  #longText(value: string): void {
    this.encodedText(Buffer.from(value, "utf8"));
  }

  /** A text given as its UTF-8 bytes. */
  encodedText(bytes: Uint8Array): void {
    this.#reserve(5);
    this.#buffer[this.#used] = 4;
    this.#view.setUint32(this.#used + 1, bytes.length, true);
    this.#used += 5;
    if (bytes.length > this.#buffer.length) {
      this.#flush();
      this.#hash.update(bytes);
      return;
    }
    this.#reserve(bytes.length);
    for (let i = 0; i < bytes.length; i++) this.#buffer[this.#used + i] = bytes[i] as number;
    this.#used += bytes.length;
  }

  digest(): string {
    this.#flush();
    return this.#hash.digest("hex");
  }
}

/**
 * Builds a dataset from rows in memory.
 * @throws ROW_INVALID when a label does not fit the task.
 */
export function datasetFromRows(schema: DataSchema, rows: readonly ExampleRow[]): Dataset {
  const sorted = [...rows].sort(
    (left, right) =>
      left.at - right.at || (left.exampleId < right.exampleId ? -1 : left.exampleId > right.exampleId ? 1 : 0),
  );
  const classes = resolveClasses(
    schema,
    sorted.map((row) => String(row.label)),
  );
  const frame = frameFromFeatures(
    schema,
    sorted.map((row) => row.features),
  );
  const count = sorted.length;
  const at = new Float64Array(count);
  const knownAt = new Float64Array(count);
  const idHash = new Uint32Array(count * 2);
  const target = new Float64Array(count);
  const hasher = new RowHasher();
  sorted.forEach((row, i) => {
    at[i] = row.at;
    knownAt[i] = row.knownAt ?? row.at;
    const [low, high] = hashExampleId(row.exampleId);
    idHash[i * 2] = low;
    idHash[i * 2 + 1] = high;
    target[i] = targetOf(schema.task, classes, row.label);
    hasher.text(row.exampleId);
    hasher.number(row.at);
    hashValue(hasher, row.label);
    for (const { name } of schema.features) hashValue(hasher, row.features[name] ?? null);
  });
  const coarse = countCoarse(schema, sorted);
  return { rows: count, frame, at, knownAt, idHash, target, classes, hash: hasher.digest(), coarse };
}

function countCoarse(schema: DataSchema, rows: readonly ExampleRow[]): Record<string, number> {
  const coarse: Record<string, number> = {};
  for (const { name } of schema.features) {
    let count = 0;
    for (const { features } of rows) {
      const value = features[name];
      if (typeof value === "number" && isCoarse(value)) count++;
    }
    if (count > 0) coarse[name] = count;
  }
  return coarse;
}

function hashValue(hasher: RowHasher, value: number | string | boolean | null): void {
  if (value === null) hasher.missing();
  else if (typeof value === "number") hasher.number(value);
  else if (typeof value === "boolean") hasher.boolean(value);
  else hasher.text(value);
}

/** The label as the number trainers see. @throws ROW_INVALID */
export function targetOf(task: Task, classes: Classes, label: LabelValue): number {
  if (isNumeric(task) && typeof label === "number") return label;
  if (task === "binary" && typeof label === "boolean") return label ? 1 : 0;
  const index = task === "multiclass" ? classes.indexOf(label) : -1;
  if (index >= 0) return index;
  throw fail("ROW_INVALID", {
    message: `The label ${JSON.stringify(label)} does not fit a ${task} model${task === "multiclass" ? ` with the classes ${classes.slice(0, 10).join(", ")}` : ""}.`,
    remedy: "Correct the label, or the label's kind in the model's definition.",
  });
}

/** Features by name as a frame in the schema's column order; absent and null are missing. */
export function frameFromFeatures(
  schema: Pick<DataSchema, "features">,
  rows: readonly Readonly<Record<string, number | string | boolean | null | undefined>>[],
): Frame {
  const wide = schema.features.flatMap(({ name, spec }) => {
    if (!isWide(spec)) return [];
    const builder = wideBuilder(name, spec, rows.length);
    rows.forEach((row, i) => {
      const value = row[name];
      builder.set(i, typeof value === "string" ? value : null);
    });
    return [builder.finish()];
  });
  const scalars = schema.features.filter(({ spec }) => !isWide(spec));
  const columns = scalars.map(({ name, spec }) => {
    if (spec.kind === "number") {
      const values = new Float32Array(rows.length);
      rows.forEach((row, i) => {
        const value = row[name];
        values[i] = typeof value === "number" ? value : Number.NaN;
      });
      return { kind: "number", name, values } as const;
    }
    if (spec.kind === "boolean") {
      const values = new Uint8Array(rows.length);
      rows.forEach((row, i) => {
        const value = row[name];
        values[i] = typeof value === "boolean" ? Number(value) : 255;
      });
      return { kind: "boolean", name, values } as const;
    }
    const codes = new Int32Array(rows.length);
    const known = new Map<string, number>();
    rows.forEach((row, i) => {
      const value = row[name];
      codes[i] = typeof value === "string" ? codeOf(known, value) : -1;
    });
    return { kind: "category", name, codes, dictionary: [...known.keys()] } as const;
  });
  return { rows: rows.length, columns, ...(wide.length === 0 ? {} : { wide }) };
}

function codeOf(known: Map<string, number>, value: string): number {
  const code = known.get(value);
  if (code !== undefined) return code;
  known.set(value, known.size);
  return known.size - 1;
}
