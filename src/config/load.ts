/**
 * Finding and reading the configuration file. Layers, later ones winning: defaults, file, `.env` beside it, environment, flags.
 * In the file, `retrain` and its subpaths mean the running package, so a file works in a folder where nothing is installed.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve as resolvePath } from "node:path";
import { fileURLToPath } from "node:url";
import { createJiti } from "jiti";
import { fail, RetrainError } from "../core/index.ts";
import { type Environment, type Flags, parseDotEnv } from "./environment.ts";
import { DEFAULT_DIRECTORY, resolveConfig } from "./resolve.ts";
import type { RetrainSpec } from "./spec.ts";
import * as surface from "./surface.ts";

export const CONFIG_NAMES = [
  "retrain.config.ts",
  "retrain.config.mts",
  "retrain.config.mjs",
  "retrain.config.js",
  "retrain.config.json",
] as const;

export interface LoadOptions {
  readonly environment?: Environment;
  readonly flags?: Flags;
}
export interface LoadedConfig {
  readonly spec: RetrainSpec;
  /** Absolute path of the file. */
  readonly path: string;
  readonly folder: string;
}

/** @param where a configuration file, or the folder that holds one. @throws CONFIG_NOT_FOUND listing the names it looked for */
export function findConfig(where: string): string {
  const path = resolvePath(where);
  const isFolder = existsSync(path) && statSync(path).isDirectory();
  const found = isFolder ? CONFIG_NAMES.map((name) => join(path, name)).find(existsSync) : path;
  if (found !== undefined && existsSync(found)) return found;
  throw fail("CONFIG_NOT_FOUND", {
    message: isFolder
      ? `There is no configuration in ${path}; it would be named ${CONFIG_NAMES.join(", ")}.`
      : `There is no file ${path}.`,
    remedy: "Make one with `retrain init --from FILE.csv --label COLUMN`, or name its folder.",
    details: { path },
  });
}

/**
 * Loads, resolves and validates.
 * @throws CONFIG_NOT_FOUND, CONFIG_LOAD_FAILED with file:line, CONFIG_INVALID, CONFIG_KEY_UNKNOWN with file:line where one line
 * can be told
 */
export async function loadConfig(where: string, options: LoadOptions = {}): Promise<LoadedConfig> {
  const path = findConfig(where);
  const folder = dirname(path);
  const text = readFileSync(path, "utf8");
  const userConfig = path.endsWith(".json") ? parseJson(path, text) : await evaluate(path);
  const envPath = join(folder, ".env");
  const dotEnv = existsSync(envPath) ? parseDotEnv(readFileSync(envPath, "utf8")) : {};
  try {
    return { spec: resolveConfig(userConfig, { folder, dotEnv, ...options }), path, folder };
  } catch (error) {
    throw error instanceof RetrainError ? locate(error, path, text) : error;
  }
}

const SUBPATHS = ["stats", "data", "learn", "model", "monitor", "trigger", "train", "evaluate"] as const;

/** The names of the running package: its built files when it was built, its sources when it runs from them. */
function aliases(): Record<string, string> {
  const own = fileURLToPath(import.meta.url);
  const ending = own.endsWith(".ts") ? "ts" : "js";
  const root = dirname(dirname(own));
  const subpaths = SUBPATHS.map((name) => [`retrain/${name}`, join(root, name, `index.${ending}`)] as const);
  return Object.fromEntries([...subpaths, ["retrain", join(root, "config", `bridge.${ending}`)]]);
}

async function evaluate(path: string): Promise<unknown> {
  (globalThis as unknown as Record<symbol, unknown>)[Symbol.for("retrain.config.surface")] = surface;
  // Compiled text is kept in the data directory where there is one, with the hash of the text it was made of: a restart then need
  // not load the compiler. Nothing is written beside the file.
  const data = join(dirname(path), DEFAULT_DIRECTORY);
  const fsCache = existsSync(data) && join(data, "config-cache");
  // A changed file must be read anew, also the files it imports.
  const load = (cache: string | false): Promise<unknown> =>
    createJiti(path, { alias: aliases(), moduleCache: false, fsCache: cache, interopDefault: true }).import(path, {
      default: true,
    });
  try {
    return await load(fsCache).catch((error: unknown) => {
      // A full disk must not keep a server from starting.
      if (fsCache !== false && isWriteError(error)) return load(false);
      throw error;
    });
  } catch (cause) {
    if (cause instanceof RetrainError) throw cause;
    throw loadFailed(path, cause);
  }
}

const isWriteError = (error: unknown) =>
  ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM"].includes(String((error as NodeJS.ErrnoException).code));

function loadFailed(path: string, cause: unknown): RetrainError {
  const error = cause as { message?: string; stack?: string; code?: string; loc?: { line?: number } };
  const line = error.loc?.line ?? lineOf(path, `${error.stack ?? ""}\n${error.message ?? ""}`);
  const where = line === undefined ? basename(path) : `${basename(path)}:${line}`;
  const what = (error.message ?? String(cause)).replaceAll(`${path}: `, "").split("\n")[0] as string;
  return fail("CONFIG_LOAD_FAILED", {
    message: `${where} cannot be loaded: ${what}`,
    remedy:
      error.code === "MODULE_NOT_FOUND" || error.code === "ERR_MODULE_NOT_FOUND"
        ? "Install the package it imports, or correct the import."
        : "Correct the line.",
    details: { path, ...(line === undefined ? {} : { line }) },
    cause,
  });
}

function lineOf(path: string, text: string): number | undefined {
  const at = text.indexOf(`${path}:`);
  const match = at === -1 ? /\((\d+):\d+\)/.exec(text) : /^:(\d+)/.exec(text.slice(at + path.length));
  return match === null ? undefined : Number(match[1]);
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const position = jsonErrorPosition(message, text);
    const line = position === undefined ? undefined : text.slice(0, position).split("\n").length;
    throw fail("CONFIG_LOAD_FAILED", {
      message: `${basename(path)}${line === undefined ? "" : `:${line}`} is not valid JSON: ${message.split(", ...")[0]}`,
      remedy: "Correct the line.",
      details: { path, ...(line === undefined ? {} : { line }) },
      cause,
    });
  }
}

/** The engine names the position, or quotes ten characters on both sides of it. */
function jsonErrorPosition(message: string, text: string): number | undefined {
  const stated = /position (\d+)/.exec(message)?.[1];
  if (stated !== undefined) return Number(stated);
  const quoted = /\.\.\."([\s\S]*)" is not valid JSON$/.exec(message)?.[1]?.replace(/"\.\.\. *$/, "");
  const at = quoted === undefined ? -1 : text.indexOf(quoted);
  return at === -1 ? undefined : at + 10;
}

/** Adds file:line to a refusal where exactly one line of the file can be meant; a wrong line would be worse than none. */
function locate(error: RetrainError, path: string, text: string): RetrainError {
  const problems = error.details["problems"];
  const key = typeof error.details["key"] === "string" ? error.details["key"] : lastKey(error.details["path"]);
  const line = problems === undefined && key !== undefined ? onlyLineWith(text, key) : undefined;
  const where = `${basename(path)}${line === undefined ? "" : `:${line}`}`;
  return fail(error.code, {
    message: `${where}: ${error.message}`,
    remedy: error.remedy,
    details: { ...error.details, file: path, ...(line === undefined ? {} : { line }) },
    cause: error,
  });
}

function lastKey(path: unknown): string | undefined {
  if (typeof path !== "string") return undefined;
  const parts = path.replace(/\[\d+\]/g, "").split(".");
  return parts[parts.length - 1];
}

function onlyLineWith(text: string, key: string): number | undefined {
  const escaped = key.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const pattern = new RegExp(`(^|[\\s{,"'])${escaped}["']?\\s*:`);
  const lines = text.split("\n").flatMap((line, i) => (pattern.test(line) ? [i + 1] : []));
  return lines.length === 1 ? lines[0] : undefined;
}
