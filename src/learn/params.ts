/** Parameters of a trainer kind: one table of name, range, default and meaning; validation, help and defaults come from it. */
import { fail, nearestWord } from "../core/index.ts";
import type { Json, JsonObject } from "../core/index.ts";

export interface ParameterSpec {
  readonly description: string;
  readonly default: number | boolean | string | JsonObject | readonly number[];
  readonly min?: number;
  readonly max?: number;
  readonly integer?: boolean;
  /** Of a list of numbers, whose items keep min, max and integer; it has at least one. */
  readonly maxLength?: number;
  /** The words a text may be. */
  readonly choices?: readonly string[];
  /** For an object (name → number): the numbers its values may be. */
  readonly valueChoices?: readonly number[];
}
export type ParameterTable = Readonly<Record<string, ParameterSpec>>;

export function parameterDefaults(table: ParameterTable): JsonObject {
  return Object.fromEntries(Object.entries(table).map(([name, spec]) => [name, spec.default]));
}

/** Complete parameters in the table's order. @throws CONFIG_INVALID, CONFIG_KEY_UNKNOWN */
export function resolveParameters(trainer: string, table: ParameterTable, given: Json): JsonObject {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw fail("CONFIG_INVALID", {
      message: `The parameters of the trainer "${trainer}" are ${JSON.stringify(given)}, not an object.`,
      remedy: `Write ${trainer}() or ${trainer}({ … }).`,
    });
  }
  const known = Object.keys(table);
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue;
    const near = nearestWord(key, known);
    throw fail("CONFIG_KEY_UNKNOWN", {
      message: `The trainer "${trainer}" has no parameter "${key}".${near === undefined ? "" : ` Closest: "${near}".`} It has ${known.length === 0 ? "none" : known.join(", ")}.`,
      remedy: "Correct or remove the key.",
    });
  }
  const record = given as JsonObject;
  return Object.fromEntries(
    Object.entries(table).map(([name, spec]) => [name, checkParameter(trainer, name, spec, record[name])]),
  );
}

function checkParameter(trainer: string, name: string, spec: ParameterSpec, value: Json | undefined): Json {
  if (value === undefined) return spec.default;
  if (fits(spec, value)) return value;
  throw fail("CONFIG_INVALID", {
    message: `\`trainer.${trainer}.${name}\` is ${JSON.stringify(value)}; it must be ${ruleOf(spec)}. ${spec.description}`,
    remedy: `Correct it, or leave it out for the default ${typeof spec.default === "object" ? JSON.stringify(spec.default) : String(spec.default)}.`,
  });
}

function fitsNumber(spec: ParameterSpec, value: Json): boolean {
  return (
    typeof value === "number" &&
    value >= (spec.min ?? -Infinity) &&
    value <= (spec.max ?? Infinity) &&
    (spec.integer !== true || Number.isInteger(value))
  );
}

function fits(spec: ParameterSpec, value: Json): boolean {
  if (Array.isArray(spec.default)) {
    const isList = Array.isArray(value) && value.length >= 1 && value.length <= (spec.maxLength ?? Infinity);
    return isList && (value as readonly Json[]).every((one) => fitsNumber(spec, one));
  }
  switch (typeof spec.default) {
    case "boolean":
      return typeof value === "boolean";
    case "string":
      return typeof value === "string" && (spec.choices ?? []).includes(value);
    case "object":
      return (
        typeof value === "object" &&
        value !== null &&
        !Array.isArray(value) &&
        Object.values(value).every((one) => typeof one === "number" && (spec.valueChoices ?? []).includes(one))
      );
    default:
      return fitsNumber(spec, value);
  }
}

function ruleOf(spec: ParameterSpec): string {
  if (Array.isArray(spec.default))
    return `a list of 1 to ${spec.maxLength} whole numbers in [${spec.min}, ${spec.max}]`;
  switch (typeof spec.default) {
    case "boolean":
      return "true or false";
    case "string":
      return `one of ${(spec.choices ?? []).join(", ")}`;
    case "object":
      return `an object of names, each with one of ${(spec.valueChoices ?? []).join(", ")}`;
    default:
      return `${spec.integer === true ? "a whole number" : "a number"} in [${spec.min ?? -Infinity}, ${spec.max ?? Infinity}]`;
  }
}
