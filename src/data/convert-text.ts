/**
 * CSV texts to typed values, by the schema. This is the only place where text becomes a number or a boolean. A text that does
 * not convert is left as it is, so that validation names the column and shows the text.
 */
import type { DataSchema } from "./schema.ts";

export type TextRowConverter = (row: Readonly<Record<string, string>>) => Record<string, unknown>;

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
/** Texts of truth where the schema names none, lower-cased: [false, true]. */
const TRUTHS: ReadonlyMap<string, boolean> = new Map([
  ["0", false],
  ["1", true],
  ["no", false],
  ["yes", true],
  ["n", false],
  ["y", true],
  ["false", false],
  ["true", true],
  ["f", false],
  ["t", true],
]);
/** Texts that always mean missing: a blank, and R's and pandas' mark. */
const ALWAYS_MISSING = ["", "NA"];

type Convert = (text: string) => unknown;

function toNumber(text: string): unknown {
  const trimmed = text.trim();
  return NUMBER.test(trimmed) ? Number(trimmed) : text;
}

/** A list in JSON form; any other text is left for validation. */
function toVector(text: string): unknown {
  if (!text.startsWith("[")) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function booleanConverter(texts: readonly [string, string] | undefined): Convert {
  if (texts === undefined) return (text) => TRUTHS.get(text.trim().toLowerCase()) ?? text;
  return (text) => {
    const trimmed = text.trim();
    return trimmed === texts[0] ? false : trimmed === texts[1] ? true : text;
  };
}

function converterOf(spec: { readonly kind: string; readonly texts?: readonly [string, string] }): Convert {
  if (spec.kind === "number") return toNumber;
  if (spec.kind === "boolean") return booleanConverter(spec.texts);
  if (spec.kind === "vector") return toVector;
  return (text) => text;
}

/**
 * Compiles the conversion of rows of texts (name → text).
 * @param missing texts that mean missing in every feature, besides blank and NA; a feature may name its own
 * @returns a function whose result goes to the row validator; unknown columns pass through, so validation names them
 */
export function compileTextConverter(schema: DataSchema, missing: readonly string[] = []): TextRowConverter {
  const converters = new Map<string, { readonly convert: Convert; readonly missing: ReadonlySet<string> }>();
  for (const name of [schema.id, schema.time, schema.unit]) {
    if (name !== undefined) converters.set(name, { convert: (text) => text, missing: new Set([""]) });
  }
  for (const { name, spec } of schema.features) {
    converters.set(name, {
      convert: converterOf(spec),
      missing: new Set([...ALWAYS_MISSING, ...missing, ...(spec.missing ?? [])]),
    });
  }
  converters.set(schema.labelColumn, { convert: converterOf(schema.label), missing: new Set(ALWAYS_MISSING) });
  return (row) => {
    const converted: Record<string, unknown> = {};
    for (const name of Object.keys(row)) {
      const text = row[name] as string;
      const converter = converters.get(name);
      if (converter === undefined) {
        Object.defineProperty(converted, name, { value: text, enumerable: true, configurable: true, writable: true });
        continue;
      }
      converted[name] = converter.missing.has(text.trim()) ? null : converter.convert(text);
    }
    return converted;
  };
}

/** One row; compile the converter yourself for many. */
export function convertTextRow(
  schema: DataSchema,
  row: Readonly<Record<string, string>>,
  missing: readonly string[] = [],
): Record<string, unknown> {
  return compileTextConverter(schema, missing)(row);
}
