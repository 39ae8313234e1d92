/**
 * The layers above the file: `.env`, environment variables, command-line flags, later ones winning. Only what differs between
 * machines can be set there; how a model behaves stands in the file, so that the same file means the same model everywhere.
 */
import { readFileSync } from "node:fs";
import { fail } from "../core/index.ts";

export type Environment = Readonly<Record<string, string | undefined>>;
export interface Flags {
  readonly host?: string;
  readonly port?: number;
  readonly dir?: string;
  readonly databaseUrl?: string;
  readonly tickEvery?: string;
}

export interface Override {
  readonly path: string;
  readonly variables: readonly string[];
  readonly flag?: keyof Flags;
  readonly kind: "text" | "number" | "list";
}

/** A variable may name a file instead: `DATABASE_URL_FILE=/run/secrets/url`. */
export const OVERRIDES: readonly Override[] = [
  { path: "server.host", variables: ["RETRAIN_HOST"], flag: "host", kind: "text" },
  { path: "server.port", variables: ["RETRAIN_PORT"], flag: "port", kind: "number" },
  { path: "server.logWait", variables: ["RETRAIN_LOG_WAIT"], kind: "text" },
  { path: "server.tickEvery", variables: ["RETRAIN_TICK_EVERY"], flag: "tickEvery", kind: "text" },
  { path: "server.allowedHosts", variables: ["RETRAIN_ALLOWED_HOSTS"], kind: "list" },
  { path: "storage.dir", variables: ["RETRAIN_DIR"], flag: "dir", kind: "text" },
  {
    path: "storage.databaseUrl",
    variables: ["RETRAIN_DATABASE_URL", "DATABASE_URL"],
    flag: "databaseUrl",
    kind: "text",
  },
];

export interface Layer {
  readonly value: unknown;
  readonly origin: string;
}

/** The overriding value of each path, with its origin. @throws CONFIG_INVALID for a `_FILE` that cannot be read */
export function overridesOf(layers: {
  readonly dotEnv?: Environment | undefined;
  readonly environment?: Environment | undefined;
  readonly flags?: Flags | undefined;
}): ReadonlyMap<string, Layer> {
  const found = new Map<string, Layer>();
  for (const override of OVERRIDES) {
    const { path, variables, flag, kind } = override;
    for (const [name, environment] of [
      [".env", layers.dotEnv],
      ["environment", layers.environment],
    ] as const) {
      for (const variable of [...variables].reverse()) {
        const text = readVariable(environment ?? {}, variable);
        if (text !== undefined) found.set(path, { value: convert(text, kind), origin: `${name}: ${variable}` });
      }
    }
    const flagged = flag === undefined ? undefined : layers.flags?.[flag];
    if (flagged !== undefined) found.set(path, { value: flagged, origin: `flag: --${dashed(flag as string)}` });
  }
  return found;
}

const dashed = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** An empty variable counts as absent: that is how shells and compose files "unset" one. */
function readVariable(environment: Environment, variable: string): string | undefined {
  const direct = environment[variable];
  if (direct !== undefined && direct !== "") return direct;
  const file = environment[`${variable}_FILE`];
  if (file === undefined || file === "") return undefined;
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw fail("CONFIG_INVALID", {
      message: `${variable}_FILE names ${JSON.stringify(file)}, which cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      remedy: `Correct ${variable}_FILE, or set ${variable} itself.`,
      cause,
    });
  }
}

/** A text that is no number stays a text, so that the field refuses it and names what it found. */
function convert(text: string, kind: Override["kind"]): unknown {
  if (kind === "number") return /^\d+$/.test(text) ? Number(text) : text;
  if (kind === "list")
    return text
      .split(",")
      .map((one) => one.trim())
      .filter((one) => one !== "");
  return text;
}

/** Parses the text of a `.env` file: KEY=value lines, `#` comments, optional quotes. Other lines are refused. */
export function parseDotEnv(text: string): Environment {
  const values: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [i, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const match = /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/.exec(line);
    if (match === null) {
      throw fail("CONFIG_INVALID", {
        message: `Line ${i + 1} of .env is not of the form KEY=value.`,
        remedy: "Correct the line, or start it with # to make it a comment.",
        details: { path: ".env", line: i + 1 },
      });
    }
    const [, key, rest] = match as unknown as [string, string, string];
    const quoted = /^(["'])(.*)\1(?:\s+#.*)?$/.exec(rest);
    values[key] = quoted === null ? rest.replace(/\s+#.*$/, "") : (quoted[2] as string);
  }
  return values;
}
