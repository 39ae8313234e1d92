/**
 * The language of configuration: one field says its rule, unit, range, default and meaning once; reading, error messages, the
 * reference page and `config print` come from it. A field never converts silently: a text where a number belongs is an error
 * that names the path, what was found and what is allowed.
 */
import { formatDuration, parseDuration } from "./duration.ts";
import { type ErrorCode, fail, nearestWord, RetrainError } from "./errors.ts";
import type { Json } from "./records.ts";

/** Where a value is being read, and where its origin is written down. */
export interface FieldPlace {
  readonly path: string;
  /** Called once per value with default | file | environment | flag | derived: why. */
  readonly record: (path: string, origin: string) => void;
  /** Origin of a given value at a path. */
  readonly originOf: (path: string) => string;
}

export interface FieldInfo {
  /** The constraint as the end of the sentence "it must be …". */
  readonly rule: string;
  readonly description: string;
  /** As a person would write it. */
  readonly default?: Json;
  readonly fields?: Readonly<Record<string, FieldInfo>>;
}

export interface Field<T> {
  readonly info: FieldInfo;
  /** `undefined` means absent. @throws CONFIG_INVALID, CONFIG_KEY_UNKNOWN, DURATION_INVALID never: durations fail as CONFIG_INVALID */
  read(value: unknown, place: FieldPlace): T;
}
export type FieldValue<F> = F extends Field<infer T> ? T : never;

export function placeAt(place: FieldPlace, key: string): FieldPlace {
  return { ...place, path: place.path === "" ? key : `${place.path}.${key}` };
}

/** What was found, short enough for a sentence. */
export function showValue(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (value === undefined) return "missing";
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  try {
    const text = JSON.stringify(value) ?? `a ${typeof value}`;
    return text.length > 80 ? `${text.slice(0, 77)}…` : text;
  } catch {
    return "a value without a JSON form";
  }
}

export function refuse(
  place: FieldPlace,
  value: unknown,
  info: FieldInfo,
  code: ErrorCode = "CONFIG_INVALID",
): RetrainError {
  const rest = info.description === "" ? "" : ` ${info.description}`;
  const fallback =
    info.default === undefined ? "" : `, or leave it out for the default ${JSON.stringify(info.default)}`;
  return fail(code, {
    message: `\`${place.path}\` is ${showValue(value)}; it must be ${info.rule}.${rest}`,
    remedy: value === undefined ? `Add \`${place.path}\`.` : `Correct \`${place.path}\`${fallback}.`,
    details: { path: place.path, found: showValue(value), allowed: info.rule },
  });
}

function scalar<T>(info: FieldInfo, accept: (value: unknown) => T | undefined): Field<T> {
  return {
    info,
    read(value, place) {
      const accepted = value === undefined ? undefined : accept(value);
      if (accepted === undefined) throw refuse(place, value, info);
      place.record(place.path, place.originOf(place.path));
      return accepted;
    },
  };
}

export function textField(description: string, options: { pattern?: RegExp; rule?: string } = {}): Field<string> {
  return scalar({ rule: options.rule ?? "a text that is not empty", description }, (value) =>
    typeof value === "string" && value !== "" && (options.pattern === undefined || options.pattern.test(value))
      ? value
      : undefined,
  );
}

export function numberField(
  description: string,
  options: { min?: number; max?: number; integer?: boolean; unit?: string } = {},
): Field<number> {
  const { min = -Infinity, max = Infinity } = options;
  const range = min === -Infinity && max === Infinity ? "" : ` in [${min}, ${max}]`;
  const rule = `a ${options.integer === true ? "whole" : "finite"} number${range}${options.unit === undefined ? "" : ` (${options.unit})`}`;
  return scalar({ rule, description }, (value) =>
    typeof value === "number" &&
    Number.isFinite(value) &&
    value >= min &&
    value <= max &&
    (options.integer !== true || Number.isInteger(value))
      ? value
      : undefined,
  );
}

export function booleanField(description: string): Field<boolean> {
  return scalar({ rule: "true or false", description }, (value) => (typeof value === "boolean" ? value : undefined));
}

/** Reads text such as "14d", gives milliseconds. */
export function durationField(description: string, options: { min?: string; max?: string } = {}): Field<number> {
  const min = options.min === undefined ? 0 : parseDuration(options.min);
  const max = options.max === undefined ? Infinity : parseDuration(options.max);
  const bounds = `${options.min === undefined ? "" : `, at least ${formatDuration(min)}`}${options.max === undefined ? "" : `, at most ${formatDuration(max)}`}`;
  const rule = `a duration as text, a number with a unit out of ms, s, m, h, d, w, y, such as "90s" or "14d"${bounds}`;
  return scalar({ rule, description }, (value) => {
    if (typeof value !== "string") return undefined;
    try {
      const ms = parseDuration(value);
      return ms >= min && ms <= max ? ms : undefined;
    } catch {
      return undefined;
    }
  });
}

export function choiceField<const W extends string>(description: string, words: readonly W[]): Field<W> {
  const info = { rule: `one of ${words.map((word) => `"${word}"`).join(", ")}`, description };
  return {
    info,
    read(value, place) {
      if (words.includes(value as W)) {
        place.record(place.path, place.originOf(place.path));
        return value as W;
      }
      const near = typeof value === "string" ? nearestWord(value, words) : undefined;
      throw refuse(place, value, near === undefined ? info : { ...info, rule: `${info.rule} (closest: "${near}")` });
    },
  };
}

export function listField<T>(description: string, item: Field<T>, options: { min?: number } = {}): Field<readonly T[]> {
  const info = {
    rule: `a list${options.min === undefined ? "" : ` of at least ${options.min}`}, each ${item.info.rule}`,
    description,
  };
  return {
    info,
    read(value, place) {
      if (!Array.isArray(value) || value.length < (options.min ?? 0)) throw refuse(place, value, info);
      place.record(place.path, place.originOf(place.path));
      // The items' own origins would repeat the list's.
      const quiet = { ...place, record: () => {} };
      return value.map((one, i) => item.read(one, { ...quiet, path: `${place.path}[${i}]` }));
    },
  };
}

/** A value of any JSON shape that somebody else checks. */
export function jsonField(description: string): Field<Json> {
  return scalar({ rule: "a JSON value", description }, (value) => value as Json);
}

export function optional<T>(field: Field<T>): Field<T | undefined> {
  return { info: field.info, read: (value, place) => (value === undefined ? undefined : field.read(value, place)) };
}

/**
 * @param fallback what the user could have written; it is read by the same rule
 * @param why set where the default follows from other values: recorded as `derived: why`
 */
export function withDefault<T>(field: Field<T>, fallback: Json, why?: string): Field<T> {
  const info = { ...field.info, default: fallback };
  return {
    info,
    read(value, place) {
      if (value !== undefined) {
        try {
          return field.read(value, place);
        } catch (error) {
          if (error instanceof RetrainError && error.details["path"] === place.path && error.code === "CONFIG_INVALID")
            throw fail("CONFIG_INVALID", {
              message: error.message,
              remedy: `Correct \`${place.path}\`, or leave it out for the default ${JSON.stringify(fallback)}.`,
              details: error.details,
            });
          throw error;
        }
      }
      const origin = why === undefined ? "default" : `derived: ${why}`;
      return field.read(fallback, { ...place, originOf: () => origin });
    },
  };
}

export type FieldTable = Readonly<Record<string, Field<unknown>>>;
export type TableValue<T extends FieldTable> = { readonly [K in keyof T]: FieldValue<T[K]> };

/** @throws CONFIG_KEY_UNKNOWN naming the nearest key; all wrong keys of one object are reported together. */
export function objectField<T extends FieldTable>(description: string, table: T): Field<TableValue<T>> {
  const keys = Object.keys(table);
  const info: FieldInfo = {
    rule: `an object with the keys ${keys.join(", ")}`,
    description,
    fields: Object.fromEntries(keys.map((key) => [key, (table[key] as Field<unknown>).info])),
  };
  return {
    info,
    read(value, place) {
      if (typeof value !== "object" || value === null || Array.isArray(value)) throw refuse(place, value, info);
      const record = value as Record<string, unknown>;
      const problems: RetrainError[] = [];
      if (isSpreadText(record)) throw refuse(place, "a text instead of settings", info);
      for (const key of Object.keys(record)) {
        if (!Object.hasOwn(table, key) && record[key] !== undefined) problems.push(unknownKey(place, key, keys));
      }
      const result: Record<string, unknown> = {};
      for (const key of keys) {
        try {
          const own = Object.hasOwn(record, key) ? record[key] : undefined;
          result[key] = (table[key] as Field<unknown>).read(own, placeAt(place, key));
        } catch (error) {
          if (!(error instanceof RetrainError)) throw error;
          problems.push(error);
        }
      }
      throwTogether(problems);
      return result as TableValue<T>;
    },
  };
}

/** A builder that is given a text instead of its settings spreads it into a key for each letter. The text may be a secret. */
const isSpreadText = (record: Readonly<Record<string, unknown>>) => {
  const first = record["0"];
  // One letter, which may take two units.
  return typeof first === "string" && first.length > 0 && first.length <= 2;
};

export function unknownKey(place: FieldPlace, key: string, keys: readonly string[]): RetrainError {
  const near = nearestWord(key, keys);
  const where = place.path === "" ? "The configuration" : `\`${place.path}\``;
  return fail("CONFIG_KEY_UNKNOWN", {
    message: `${where} has a key "${key.slice(0, 80)}", which nobody reads.${near === undefined ? "" : ` Closest: "${near}".`} It may hold ${keys.join(", ")}.`,
    remedy: near === undefined ? "Remove the key." : `Write "${near}", or remove the key.`,
    details: { path: place.path, key: key.slice(0, 80), ...(near === undefined ? {} : { nearest: near }) },
  });
}

/** One error for many: a person fixing a file wants the whole list. Does nothing without problems. */
export function throwTogether(problems: readonly RetrainError[]): void {
  const first = problems[0];
  if (first === undefined) return;
  if (problems.length === 1) throw first;
  throw fail(first.code, {
    message: problems.map((problem) => problem.message).join("\n"),
    // Many wrong keys are put right by one sentence.
    remedy: [...new Set(problems.map((problem) => problem.remedy))].join("\n"),
    details: { ...first.details, problems: problems.map((problem) => problem.message) },
  });
}

/** Objects told apart by the word under `tag`; each kind has its own table. */
export function variantField<T extends Readonly<Record<string, FieldTable>>>(
  description: string,
  tag: string,
  kinds: T,
): Field<{ [K in keyof T & string]: { readonly kind: K } & TableValue<T[K]> }[keyof T & string]> {
  const words = Object.keys(kinds);
  const tagField = choiceField(description, words);
  const info = { rule: `an object whose \`${tag}\` is ${tagField.info.rule}`, description };
  return {
    info,
    read(value, place) {
      if (typeof value !== "object" || value === null || Array.isArray(value)) throw refuse(place, value, info);
      const record = value as Record<string, unknown>;
      const kind = tagField.read(record[tag], { ...placeAt(place, tag), record: () => {} });
      const rest = Object.fromEntries(Object.entries(record).filter(([key]) => key !== tag));
      const table = kinds[kind] as FieldTable;
      return { kind, ...objectField(description, table).read(rest, place) } as never;
    },
  };
}
