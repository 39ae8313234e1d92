/**
 * The external trainer: any program that reads a job folder and leaves an ONNX model there. It has no `fit` of its own: the
 * training process starts the program (`job/external.ts`). What it learned is kept like other weights: the file's bytes as an
 * array, how to ask it as the shape.
 */
import { fail, nearestWord } from "../core/index.ts";
import type { Json, JsonObject } from "../core/index.ts";
import type { TrainerKind } from "./trainer.ts";

export const COMMAND_FORMATS = ["arrow", "parquet", "csv"] as const;
export const COMMAND_INPUTS = ["raw", "codes", "prepared"] as const;

export interface CommandParams {
  /** Program and arguments; the job folder is added as the last argument. */
  readonly run: readonly string[];
  readonly format: (typeof COMMAND_FORMATS)[number];
  /** Raw columns; numbers and category codes with NaN for missing; or filled, scaled, one-hot columns. */
  readonly input: (typeof COMMAND_INPUTS)[number];
  /** Names of environment variables the program may see. */
  readonly environment: readonly string[];
  /** Handed on in job.json. */
  readonly params: JsonObject;
}

const DEFAULTS = { format: "arrow", input: "raw", environment: [], params: {} } as const;
const KEYS = ["run", "format", "input", "environment", "params"];

function wrong(key: string, value: Json | undefined, rule: string) {
  return fail("CONFIG_INVALID", {
    message: `\`trainer.command.${key}\` is ${JSON.stringify(value) ?? "missing"}; it must be ${rule}.`,
    remedy: 'Write it like command({ run: ["python3", "train.py"], format: "arrow", input: "raw" }).',
  });
}

const isTexts = (value: Json | undefined): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === "string" && one !== "");

/** Complete parameters. @throws CONFIG_INVALID, CONFIG_KEY_UNKNOWN */
function resolve(given: Json): JsonObject {
  if (typeof given !== "object" || given === null || Array.isArray(given)) throw wrong("run", given, "an object");
  for (const key of Object.keys(given)) {
    if (KEYS.includes(key)) continue;
    const near = nearestWord(key, KEYS);
    throw fail("CONFIG_KEY_UNKNOWN", {
      message: `The trainer "command" has no parameter "${key}".${near === undefined ? "" : ` Closest: "${near}".`} It has ${KEYS.join(", ")}.`,
      remedy: "Correct or remove the key; what the program itself wants belongs under `params`.",
    });
  }
  const merged: JsonObject = { ...DEFAULTS, ...(given as JsonObject) };
  const { run, format, input, environment, params } = merged;
  if (!isTexts(run) || run.length === 0) throw wrong("run", run, "a list of texts: the program and its arguments");
  if (!COMMAND_FORMATS.includes(format as never)) throw wrong("format", format, `one of ${COMMAND_FORMATS.join(", ")}`);
  if (!COMMAND_INPUTS.includes(input as never)) throw wrong("input", input, `one of ${COMMAND_INPUTS.join(", ")}`);
  if (!isTexts(environment) || !environment.every((name) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name))) {
    throw wrong("environment", environment, "a list of names of environment variables");
  }
  if (typeof params !== "object" || params === null || Array.isArray(params))
    throw wrong("params", params, "an object");
  return merged;
}

const notHere = () =>
  fail("INTERNAL", {
    message: "An external trainer was asked to fit or score inside the process.",
    remedy: "Report it: the training process starts external trainers, and ONNX models answer through their session.",
  });

export const command: TrainerKind = {
  name: "command",
  tasks: ["binary", "multiclass", "regression"],
  strategies: ["full", "warm-start"],
  input: "none",
  inputFor: (params) => (params["input"] === "prepared" ? "dense" : params["input"] === "codes" ? "codes" : "none"),
  defaults: DEFAULTS as unknown as JsonObject,
  resolveParams: resolve,
  async fit() {
    throw notHere();
  },
  scorer() {
    throw notHere();
  },
};
