/**
 * Row validation: one compiled validator per schema. JSON values are never converted (numbers stay numbers, "3.5" is a type
 * error, `null` is missing and never 0); only CSV texts are, in `convert-text.ts`. Ingest checks 50,000 rows a second beside
 * everything else, so the good path is one pass over the columns without allocation beyond the result. The validator is made
 * of closures, not of generated source: strict policies forbid eval.
 */
import { fail, nearestWord, plural } from "../core/index.ts";
import type { Features, FeatureValue, Instant, LabelValue } from "../core/index.ts";
import { parseInstant } from "./instant.ts";
import type { DataSchema, FeatureSpec, LabelSpec } from "./schema.ts";
import { compileWideReader } from "./wide/validate.ts";
import type { WideReading } from "./wide/validate.ts";

/** Why a row goes to quarantine. `docs/row-reasons.md` lists the same; a test compares both ways. */
export const ROW_REASONS = {
  ROW_NOT_OBJECT: "The row is not a JSON object.",
  COLUMN_UNKNOWN: "The schema does not list the column.",
  COLUMN_MISSING: "A required column is absent.",
  TYPE_MISMATCH: "The value has another type than the column.",
  NUMBER_NOT_FINITE: "NaN or an infinity.",
  NUMBER_TOO_LARGE: "The number does not fit a 32-bit float.",
  OUT_OF_RANGE: "The number is outside the declared range.",
  CATEGORY_UNKNOWN: "The text is not one of the declared categories.",
  TEXT_INVALID: "The text holds a NUL or half of a surrogate pair.",
  TEXT_TOO_LONG: "The text is longer than 4 KiB, or than 64 KiB for a feature that is a text.",
  VECTOR_INVALID: "The vector has another length, or a number that is not finite.",
  IMAGE_INVALID: "The image cannot be read: another format, broken, or too large.",
  ID_INVALID: "The example id or unit is not a usable id.",
  TIME_INVALID: "The time cannot be read.",
  LABEL_INVALID: "The label does not fit the model's task.",
} as const;
export type RowReasonCode = keyof typeof ROW_REASONS;

export interface RowReason {
  readonly code: RowReasonCode;
  readonly column?: string;
  readonly message: string;
}

export type ValidRow = {
  readonly ok: true;
  readonly features: Features;
  /** Absent at serving, and where the row carried none. */
  readonly label?: LabelValue;
  /** Absent when the schema names no id column, or a prediction request left it out. */
  readonly id?: string;
  readonly at?: Instant;
  readonly unit?: string;
};
export type RowValidation = ValidRow | { readonly ok: false; readonly reasons: readonly RowReason[] };

/**
 * `forPrediction`: a label column is allowed and not looked at (so a labelled row can be sent as it is, and its answer cannot
 * leak into the prediction), and id and time may be absent. Otherwise id and time are required where the schema names them.
 */
export type RowValidator = (row: unknown, options?: { readonly forPrediction?: boolean }) => RowValidation;

/** Longest text of a category, in bytes of UTF-8. Longer ones are documents, which no built-in trainer can use. */
export const TEXT_LIMIT_BYTES = 4096;
/** Longest text of a feature that is a text. */
export const DOCUMENT_LIMIT_BYTES = 65_536;
/** Longest example id or unit, in UTF-16 units: it is a key of indexes. */
export const ID_LIMIT = 512;
/** The smallest double that rounds to Infinity in float32: (2 − 2⁻²⁴) · 2¹²⁷. */
const FLOAT32_LIMIT = 3.4028235677973366e38;
/** How many texts of an open category are remembered as already checked. */
const REMEMBERED_TEXTS = 2048;

type Check = (value: unknown) => RowReason | undefined;
type Slot = "feature" | "label" | "id" | "time" | "unit" | "ignored";

/** Nearest valid value, as the end of a sentence. */
function nearest(word: string, words: readonly string[]): string {
  const near = nearestWord(word, words);
  return near === undefined ? "" : ` Closest: ${JSON.stringify(near)}.`;
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === "number" || typeof value === "boolean" || value === null || value === undefined)
    return String(value);
  return Array.isArray(value) ? "a list" : "an object";
}

/** Texts of a CSV file were converted where they could be, so what stands here in quotes was sent as a text. */
function wrongType(column: string, value: unknown, wanted: string): RowReason {
  const isQuoted =
    wanted === "a number" && typeof value === "string" && value.trim() !== "" && !Number.isNaN(Number(value));
  const hint = isQuoted ? " Send it without quotes; texts are never converted." : "";
  return {
    code: "TYPE_MISMATCH",
    column,
    message: `"${column}" is ${show(value)} (${typeof value}), but the schema says ${wanted}.${hint}`,
  };
}

function numberCheck(column: string, bounds: { readonly min?: number; readonly max?: number }): Check {
  const min = bounds.min ?? -Infinity;
  const max = bounds.max ?? Infinity;
  return (value) => {
    if (typeof value !== "number") return wrongType(column, value, "a number");
    if (value >= min && value <= max && value < FLOAT32_LIMIT && value > -FLOAT32_LIMIT) return undefined;
    if (!Number.isFinite(value)) {
      return {
        code: "NUMBER_NOT_FINITE",
        column,
        message: `"${column}" is ${value}. Send null for a missing number.`,
      };
    }
    if (Math.abs(value) >= FLOAT32_LIMIT) {
      return {
        code: "NUMBER_TOO_LARGE",
        column,
        message: `"${column}" is ${value}, beyond ±3.4e38, the range of the 32-bit floats that models are trained on. Rescale the column.`,
      };
    }
    return {
      code: "OUT_OF_RANGE",
      column,
      message: `"${column}" is ${value}, outside [${min}, ${max}].`,
    };
  };
}

// NUL cannot be stored by PostgreSQL, and half a surrogate pair has no UTF-8 form: it would come back as another text.
const BROKEN_TEXT = /\u0000|\p{Surrogate}/u;

function textProblem(column: string, value: string, limit = TEXT_LIMIT_BYTES): RowReason | undefined {
  if (value.length > limit / 4 && Buffer.byteLength(value) > limit) {
    return {
      code: "TEXT_TOO_LONG",
      column,
      message: `"${column}" is a text of ${plural(Buffer.byteLength(value), "byte")}; the limit is ${limit}.`,
    };
  }
  if (BROKEN_TEXT.test(value)) {
    return {
      code: "TEXT_INVALID",
      column,
      message: `"${column}" holds a NUL character or half of a surrogate pair, which cannot be stored unchanged.`,
    };
  }
  return undefined;
}

function categoryCheck(column: string, categories: readonly string[] | undefined): Check {
  if (categories !== undefined) {
    const known = new Set(categories);
    return (value) => {
      if (typeof value !== "string") return wrongType(column, value, "a category (text)");
      if (known.has(value)) return undefined;
      return (
        textProblem(column, value) ?? {
          code: "CATEGORY_UNKNOWN",
          column,
          message: `"${column}" is ${show(value)}, not one of ${categories.slice(0, 12).join(", ")}${categories.length > 12 ? ", …" : ""}.${nearest(value, categories)}`,
        }
      );
    };
  }
  const checked = new Set<string>();
  return (value) => {
    if (typeof value !== "string") return wrongType(column, value, "a category (text)");
    if (checked.has(value)) return undefined;
    const problem = textProblem(column, value);
    if (problem === undefined && checked.size < REMEMBERED_TEXTS && value.length <= 64) checked.add(value);
    return problem;
  };
}

function featureCheck(column: string, spec: FeatureSpec): Check {
  switch (spec.kind) {
    case "number":
      return numberCheck(column, spec);
    case "category":
      return categoryCheck(column, spec.categories);
    case "boolean":
      return (value) => (typeof value === "boolean" ? undefined : wrongType(column, value, "true or false"));
    case "text":
      return (value) =>
        typeof value === "string"
          ? textProblem(column, value, DOCUMENT_LIMIT_BYTES)
          : wrongType(column, value, "a text");
    case "vector":
    case "image":
      // Read by `readers`, which also bring them into their stored form.
      return () => undefined;
  }
}

function labelCheck(column: string, spec: LabelSpec): Check {
  const inner = spec.kind === "number" ? numberCheck(column, spec) : featureCheck(column, spec as FeatureSpec);
  return (value) => {
    const reason = inner(value);
    return reason === undefined ? undefined : { ...reason, code: "LABEL_INVALID" };
  };
}

/** Checks one label, as it arrives in a label event. */
export function compileLabelValidator(schema: DataSchema): (value: unknown) => RowReason | undefined {
  return labelCheck(schema.labelColumn, schema.label);
}

/** The id as text, or why it is none. Safe integers are ids too: a numeric key column is common, and its text form is exact. */
export function readId(column: string, value: unknown): { readonly id: string } | { readonly reason: RowReason } {
  const text = typeof value === "number" && Number.isSafeInteger(value) ? String(value) : value;
  if (typeof text !== "string") return { reason: { ...wrongType(column, value, "an id (text)"), code: "ID_INVALID" } };
  if (text === "" || text.length > ID_LIMIT || BROKEN_TEXT.test(text)) {
    return {
      reason: {
        code: "ID_INVALID",
        column,
        message: `"${column}" is ${show(text)}; an id has 1 to ${ID_LIMIT} characters and no NUL.`,
      },
    };
  }
  return { id: text };
}

function checkColumnNames(schema: DataSchema): void {
  const names = schema.features.map((feature) => feature.name);
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  // Assigning to "__proto__" of a plain object sets its prototype and loses the value.
  const bad = names.includes("__proto__") ? "__proto__" : repeated;
  const lower = names.map((name) => name.toLowerCase());
  const clash = names.find((_, i) => lower.indexOf(lower[i] as string) !== i);
  if (bad === undefined && clash !== undefined) {
    throw fail("CONFIG_INVALID", {
      message: `The feature names "${clash}" and "${names[lower.indexOf(clash.toLowerCase())]}" differ only by case; columns of a dataset file do not.`,
      remedy: "Rename one of the two.",
    });
  }
  if (bad === undefined) return;
  throw fail("CONFIG_INVALID", {
    message: `The feature name "${bad}" ${bad === repeated ? "is used twice" : "cannot be the key of a JSON object"}.`,
    remedy: "Rename the feature.",
  });
}

/**
 * @returns a validator for rows of the schema; keep it, it is compiled once.
 * @throws CONFIG_INVALID when a feature is named twice or `__proto__`.
 */
export function compileRowValidator(schema: DataSchema): RowValidator {
  checkColumnNames(schema);
  const columns = compileColumns(schema);
  const count = columns.length;
  const names = columns.map((column) => column.name);
  const checks = columns.map((column) => column.check);
  const slots = columns.map((column) => column.slot);
  const readers = columns.map((column) => column.read);
  const known = new Set(names);
  const isItsOwnFeatures = compileOwnFeatures(columns);

  return (row, options) => {
    if (typeof row !== "object" || row === null || Array.isArray(row)) {
      const message = `The row is ${show(row)}, not a JSON object of columns.`;
      return { ok: false, reasons: [{ code: "ROW_NOT_OBJECT", message }] };
    }
    const record = row as Record<string, unknown>;
    const forPrediction = options?.forPrediction === true;
    if (forPrediction && isItsOwnFeatures(record)) return { ok: true, features: record as Features };
    const features: Record<string, FeatureValue> = {};
    const result: { ok: true; features: Features; label?: LabelValue; id?: string; at?: number; unit?: string } = {
      ok: true,
      features,
    };
    let reasons: RowReason[] | undefined;
    let present = 0;
    for (let i = 0; i < count; i++) {
      const name = names[i] as string;
      let value = record[name];
      // Anything but a plain value may be inherited ("constructor"): only own properties count.
      if (typeof value === "function" || typeof value === "object") {
        if (value === null || Object.hasOwn(record, name)) present++;
        else value = undefined;
      } else if (value !== undefined) present++;
      const slot = slots[i] as Slot;
      if (slot === "feature") {
        if (value === undefined || value === null) {
          features[name] = null;
          continue;
        }
        const read = readers[i];
        if (read !== undefined) {
          const reading = read(value);
          if ("value" in reading) features[name] = reading.value;
          else (reasons ??= []).push({ code: reading.problem, column: name, message: reading.message });
          continue;
        }
        const reason = (checks[i] as Check)(value);
        // The log's JSON knows one zero; what is answered from memory and what is read back must be the same.
        if (reason === undefined) features[name] = value === 0 ? 0 : (value as FeatureValue);
        else (reasons ??= []).push(reason);
        continue;
      }
      const reason = readOther({ slot, name, value, check: checks[i] as Check, forPrediction }, result);
      if (reason !== undefined) (reasons ??= []).push(reason);
    }
    let keys = 0;
    for (const _ in record) keys++;
    if (keys !== present) {
      for (const reason of unknownColumns(record, known, schema)) (reasons ??= []).push(reason);
    }
    return reasons === undefined ? result : { ok: false, reasons };
  };
}

/**
 * Tells a row that holds the features in the order of the schema, all of them good, and nothing else: it need not be copied, as most
 * rows to predict are. Its values are read in a walk: the engine looks up each where many different names are asked for in one place.
 */
function compileOwnFeatures(columns: readonly Column[]): (record: Record<string, unknown>) => boolean {
  const features = columns.filter(({ slot }) => slot === "feature");
  const names = features.map(({ name }) => name);
  const checks = features.map(({ check }) => check);
  const count = features.length;
  const isMore = columns.some(
    ({ slot, name, read }) => read !== undefined || (slot !== "feature" && names.includes(name)),
  );
  if (isMore) return () => false;
  return (record) => {
    if (Object.getPrototypeOf(record) !== Object.prototype) return false;
    let i = 0;
    for (const name in record) {
      if (i === count || name !== names[i]) return false;
      const value = record[name];
      // The log's JSON knows one zero, so the other is not kept as it is.
      if (value === undefined || Object.is(value, -0)) return false;
      if (value !== null && (checks[i] as Check)(value) !== undefined) return false;
      i++;
    }
    return i === count;
  };
}

interface Column {
  readonly name: string;
  readonly slot: Slot;
  readonly check: Check;
  /** Of vectors and images. */
  readonly read?: (value: unknown) => WideReading;
}

/** Columns in schema order. A column that is both a feature and the id, time or unit is read as both. */
function compileColumns(schema: DataSchema): Column[] {
  const none: Check = () => undefined;
  const columns: Column[] = schema.features.map(({ name, spec }) => ({
    name,
    slot: "feature",
    check: featureCheck(name, spec),
    ...(spec.kind === "vector" || spec.kind === "image" ? { read: compileWideReader(name, spec) } : {}),
  }));
  columns.push({ name: schema.labelColumn, slot: "label", check: labelCheck(schema.labelColumn, schema.label) });
  if (schema.id !== undefined) columns.push({ name: schema.id, slot: "id", check: none });
  if (schema.time !== undefined) columns.push({ name: schema.time, slot: "time", check: none });
  if (schema.unit !== undefined) columns.push({ name: schema.unit, slot: "unit", check: none });
  for (const name of schema.ignore ?? []) columns.push({ name, slot: "ignored", check: none });
  return columns;
}

interface OtherColumn extends Column {
  readonly value: unknown;
  readonly forPrediction: boolean;
}

function readOther(
  column: OtherColumn,
  result: { label?: LabelValue; id?: string; at?: number; unit?: string },
): RowReason | undefined {
  const { slot, name, value, forPrediction } = column;
  if (slot === "ignored") return undefined;
  if (value === undefined || value === null) {
    // A row without a label is an observation; a row without its id or time cannot be placed.
    if (slot === "label" || slot === "unit" || forPrediction) return undefined;
    return {
      code: "COLUMN_MISSING",
      column: name,
      message: `The row has no "${name}", which the schema names as its ${slot}.`,
    };
  }
  if (slot === "label") {
    if (forPrediction) return undefined;
    const reason = column.check(value);
    if (reason === undefined) result.label = value as LabelValue;
    return reason;
  }
  if (slot === "time") {
    const at = parseInstant(value);
    if (at === undefined) {
      return {
        code: "TIME_INVALID",
        column: name,
        message: `"${name}" is ${show(value)}; write an ISO 8601 time such as "2026-03-01T09:30:00Z" or "2026-03-01", or milliseconds since 1970.`,
      };
    }
    result.at = at;
    return undefined;
  }
  const read = readId(name, value);
  if ("reason" in read) return read.reason;
  if (slot === "id") result.id = read.id;
  else result.unit = read.id;
  return undefined;
}

/** At most ten are named: a row of 10,000 unknown columns must not make an answer of a megabyte. */
function unknownColumns(record: Record<string, unknown>, known: ReadonlySet<string>, schema: DataSchema): RowReason[] {
  const unknown = Object.keys(record).filter((name) => !known.has(name));
  const reasons: RowReason[] = unknown.slice(0, 10).map((name) => ({
    code: "COLUMN_UNKNOWN",
    column: name.slice(0, 200),
    message: `The schema does not list the column ${show(name)}.${nearest(name.slice(0, 64), [...known])} Rename it in the source, or add it to the model's features.`,
  }));
  if (unknown.length > 10) {
    reasons.push({
      code: "COLUMN_UNKNOWN",
      message: `${plural(unknown.length - 10, "more column is", "more columns are")} unknown; the model has ${plural(schema.features.length, "feature")}.`,
    });
  }
  return reasons;
}
