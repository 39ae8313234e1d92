/** From what users wrote to the complete specification: every default filled in, every value with its origin. */
import { basename, resolve as resolvePath } from "node:path";
import {
  durationField,
  type Field,
  type FieldPlace,
  fail,
  type Json,
  listField,
  nearestWord,
  numberField,
  objectField,
  optional,
  RetrainError,
  refuse,
  textField,
  throwTogether,
  withDefault,
} from "../core/index.ts";
import { PUBLIC_KEY_PATTERN } from "../model/index.ts";
import { bindBackbones } from "./backbone.ts";
import { alertField } from "./alerts.ts";
import { type Environment, type Flags, type Layer, overridesOf } from "./environment.ts";
import { resolveModel } from "./model.ts";
import { withoutUndefined } from "./model-fields.ts";
import { sourceField } from "./sources.ts";
import type { ModelSpec, RetrainSpec, SourceSpec } from "./spec.ts";

export interface ResolveOptions {
  /** What relative paths are relative to. */
  readonly folder: string;
  /** Origin of what the user configuration holds; default "file". */
  readonly origin?: string;
  readonly dotEnv?: Environment;
  readonly environment?: Environment;
  readonly flags?: Flags;
}

/** Long enough for a file system's own hiccups, short enough that a person does not notice. */
const DEFAULT_LOG_WAIT = "50ms";

/** Relative to the configuration. */
export const DEFAULT_DIRECTORY = ".retrain";

const server = objectField("The HTTP server.", {
  host: withDefault(textField("Address to listen on; any other than loopback needs tokens."), "127.0.0.1"),
  port: withDefault(numberField("Port to listen on; 0 picks a free one.", { min: 0, max: 65535, integer: true }), 4400),
  logWait: withDefault(durationField("How long an answer waits for its log commit.", { max: "10s" }), DEFAULT_LOG_WAIT),
  tickEvery: withDefault(durationField("How often the policy is looked at.", { min: "1s", max: "1d" }), "1m"),
  allowedHosts: withDefault(
    listField("Host names beside loopback that requests may name.", textField("A host name.")),
    [],
  ),
});
const storage = objectField("Where everything is kept.", {
  dir: withDefault(textField("The data directory, relative to the configuration."), DEFAULT_DIRECTORY),
  databaseUrl: optional(
    textField("A PostgreSQL server instead of the embedded database.", {
      pattern: /^postgres(ql)?:\/\//,
      rule: "an address postgres://…",
    }),
  ),
  keep: withDefault(
    objectField("How long things are kept.", {
      events: withDefault(durationField("Observations, labels and outcomes.", { min: "1d" }), "400d"),
      predictions: withDefault(durationField("Predictions.", { min: "1d" }), "180d"),
      versions: withDefault(numberField("Versions per model.", { min: 2, max: 100_000, integer: true }), 20),
      decisions: withDefault(durationField("Decisions, alerts and audit records.", { min: "1d" }), "2y"),
    }),
    {},
  ),
});

const imports = objectField("Versions of other servers.", {
  trust: withDefault(
    listField(
      "Whose versions may be imported.",
      textField("A public key.", {
        pattern: PUBLIC_KEY_PATTERN,
        rule: "a key ed25519:… as `retrain export-key` prints it at the other server",
      }),
    ),
    [],
  ),
});

const modelsField: Field<readonly ModelSpec[]> = {
  info: { rule: "a list of at least one model made by defineModel({ … })", description: "The models to keep fresh." },
  read(value, place) {
    if (!Array.isArray(value) || value.length === 0) throw refuse(place, value, modelsField.info);
    const problems: RetrainError[] = [];
    const models = value.flatMap((one: unknown, i) => {
      const name = (one as { name?: unknown } | null)?.name;
      try {
        return [resolveModel(one, { ...place, path: `models.${typeof name === "string" ? name : i}` })];
      } catch (error) {
        if (!(error instanceof RetrainError)) throw error;
        problems.push(error);
        return [];
      }
    });
    throwTogether(problems);
    return models;
  },
};

const root = objectField("The configuration.", {
  models: modelsField,
  sources: withDefault(listField("Files and folders to collect from.", sourceField), []),
  alerts: withDefault(listField("Who hears of alerts.", alertField), [{ kind: "log" }]),
  server: withDefault(server, {}),
  storage: withDefault(storage, {}),
  imports: withDefault(imports, {}),
});

/** The tables of `config print` and of the reference page. */
export const CONFIG_INFO = root.info;

/**
 * Resolves a user configuration. Pure but for `_FILE` variables and the backbones of trainers.
 * @throws CONFIG_INVALID, CONFIG_KEY_UNKNOWN naming the path, what was found, what is allowed, and the nearest word
 */
export function resolveConfig(userConfig: unknown, options: ResolveOptions): RetrainSpec {
  const overrides = overridesOf(options);
  const origins: Record<string, string> = {};
  const place: FieldPlace = {
    path: "",
    record: (path, origin) => {
      origins[path] = origin;
    },
    originOf: (path) => overrides.get(path)?.origin ?? options.origin ?? "file",
  };
  const read = root.read(overlay(userConfig, overrides), place);
  checkUnique(
    "models",
    read.models.map((model) => model.name),
  );
  const sources = read.sources.map((one, i) => resolveSource(one, `sources[${i}]`, read.models, options.folder));
  checkUnique(
    "sources",
    sources.map((one) => one.name),
  );
  const { dir, databaseUrl, keep } = read.storage;
  const directory = resolvePath(options.folder, dir);
  return {
    ...bindBackbones(read.models, { folder: options.folder, directory }),
    sources,
    alerts: read.alerts,
    imports: read.imports,
    server: {
      host: read.server.host,
      port: read.server.port,
      logWaitMs: read.server.logWait,
      tickEveryMs: read.server.tickEvery,
      allowedHosts: read.server.allowedHosts,
    },
    storage: {
      directory,
      ...(databaseUrl === undefined ? {} : { databaseUrl }),
      keep: {
        eventsMs: keep.events,
        predictionsMs: keep.predictions,
        versions: keep.versions,
        decisionsMs: keep.decisions,
      },
    },
    origins,
  };
}

/** The user's object with overriding values put in their places; the original is not touched. */
function overlay(userConfig: unknown, overrides: ReadonlyMap<string, Layer>): unknown {
  if (typeof userConfig !== "object" || userConfig === null || Array.isArray(userConfig)) {
    throw fail("CONFIG_INVALID", {
      message: `The configuration is ${userConfig === undefined ? "empty" : "no object"}; it must be what defineConfig({ models: [...] }) returns.`,
      remedy: "Write `export default defineConfig({ models: [...] })`.",
    });
  }
  const result: Record<string, unknown> = { ...userConfig };
  for (const [path, { value }] of overrides) {
    const [section, key] = path.split(".") as [string, string];
    const before = result[section];
    // A section of a wrong type stays, so that its own field refuses it.
    if (before !== undefined && (typeof before !== "object" || before === null || Array.isArray(before))) continue;
    result[section] = { ...before, [key]: value };
  }
  return result;
}

type ReadSource = typeof sourceField extends Field<infer T> ? T : never;

function resolveSource(one: ReadSource, path: string, models: readonly ModelSpec[], folder: string): SourceSpec {
  const names = models.map((model) => model.name);
  if (!names.includes(one.model)) {
    const near = nearestWord(one.model, names);
    throw fail("CONFIG_INVALID", {
      message: `\`${path}.model\` is "${one.model}", which is no model of this configuration.${near === undefined ? "" : ` Closest: "${near}".`}`,
      remedy: `Name one of ${names.join(", ")}.`,
      details: { path: `${path}.model` },
    });
  }
  const location = resolvePath(folder, one.path);
  return withoutUndefined({
    name: one.name ?? sourceName(location),
    model: one.model,
    kind: one.kind,
    path: location,
    format: one.format,
    pollMs: one.poll,
    missing: one.missing,
  }) as SourceSpec;
}

/** A valid name near the file's own. */
export function sourceName(path: string): string {
  const name = basename(path)
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/\.{2,}/g, ".")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 64);
  return name === "" ? "source" : name;
}

function checkUnique(what: string, names: readonly string[]): void {
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated === undefined) return;
  throw fail("CONFIG_INVALID", {
    message: `\`${what}\` has the name "${repeated}" twice; records are kept by name.`,
    remedy: "Rename one of the two.",
    details: { path: what, name: repeated } satisfies Record<string, Json>,
  });
}
