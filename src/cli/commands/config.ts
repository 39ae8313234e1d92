/** `retrain config print|check`: the configuration of a folder, without a server. */
import { loadConfig } from "../../config/index.ts";
import { maskSecrets } from "../../server/index.ts";
import { type OutputOptions, printData, table } from "../output.ts";

export interface ConfigOptions extends OutputOptions {
  readonly config: string;
}

export async function configPrint(options: ConfigOptions): Promise<void> {
  const { spec, path } = await loadConfig(options.config, { environment: process.env });
  const { origins, ...config } = spec;
  const masked = maskSecrets(config);
  printData(options, { path, config: masked, origins }, () => {
    const rows = leaves(masked).map(([name, value]) => [name, JSON.stringify(value), originOf(origins, name)]);
    return `${path}\n\n${table(["key", "value", "from"], rows)}`;
  });
}

export async function configCheck(options: ConfigOptions): Promise<void> {
  const { spec, path } = await loadConfig(options.config, { environment: process.env });
  const models = spec.models.map(({ name }) => name);
  printData(options, { path, models, sources: spec.sources.map(({ name }) => name) }, () => {
    return `${path} is valid: ${models.length === 1 ? "model" : "models"} ${models.join(", ")}.`;
  });
}

/** Dotted paths of the values; models are named, as in the origins. */
function leaves(value: unknown, path = ""): [string, unknown][] {
  if (typeof value !== "object" || value === null) return [[path, value]];
  if (Array.isArray(value)) {
    if (value.length === 0) return [[path, []]];
    return value.flatMap((item: unknown, i) => {
      const name = path === "models" ? (item as { name?: string }).name : undefined;
      return leaves(item, name === undefined ? `${path}[${i}]` : `${path}.${name}`);
    });
  }
  const entries = Object.entries(value);
  if (entries.length === 0) return [[path, {}]];
  return entries.flatMap(([key, item]) => leaves(item, path === "" ? key : `${path}.${key}`));
}

/** How keys that were resolved differ from the ones a user writes, under which the origins are kept. */
const WRITTEN: readonly (readonly [RegExp, string])[] = [
  [/^(models\.[^.]+)\.schema\.(forecast\.)?/, "$1."],
  [/\.data\.validationShare$/, ".data.validation.share"],
  [/\.data\.windowRows$/, ".data.window.rows"],
  [/\.limits\.trainMemoryBytes$/, ".limits.trainMemoryMiB"],
  [/^storage\.directory$/, "storage.dir"],
  [/Ms$/, ""],
];

/** The origin of the value itself, or of what holds it. */
function originOf(origins: Readonly<Record<string, string>>, path: string): string {
  const written = WRITTEN.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), path);
  for (let at = written; at !== ""; at = at.replace(/(\.|\[)[^.[]*$/, "")) {
    const found = origins[at];
    if (found !== undefined) return found;
    if (!/[.[]/.test(at)) break;
  }
  return "default";
}
