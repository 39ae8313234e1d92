/**
 * The files of backbones. A definition names one by path and hash; a copy is kept in object storage, by hash, when the server starts
 * and at the latest by the first run, so that a file which is moved, changed or deleted afterwards breaks neither a training nor
 * the next start. Versions carry their own.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ModelSpec } from "../config/spec.ts";
import { fail, HOUR_MS, KEPT_BACKBONES, sha256Hex } from "../core/index.ts";
import type { BackboneSpec } from "../data/index.ts";
import { backboneOf, parseManifest, readArtifact } from "../model/index.ts";
import { backboneFile } from "../train/index.ts";
import type { LoopContext } from "./context.ts";

const keyOf = (sha256: string): string => `${KEPT_BACKBONES}/${sha256}.onnx`;
const PATHS = `${KEPT_BACKBONES}/paths.json`;
/** Which copies the last pruning found unused, and since when. */
const UNUSED = `${KEPT_BACKBONES}/unused.json`;
/**
 * A copy goes when two prunings a day apart find it unused: one is made before the definition that needs it is in force, and another
 * process may have read a newer configuration. A day is also the rest between prunings.
 */
const UNUSED_FOR_MS = 23 * HOUR_MS;

/** The backbones of a definition, each once. */
function backbonesOf({ trainer, retrain }: ModelSpec): readonly BackboneSpec[] {
  const all = [trainer, ...(retrain.best?.of.map((one) => one.trainer) ?? [])].flatMap(({ embed }) => embed ?? []);
  return [...new Map(all.map((one) => [one.sha256, one])).values()];
}

/** Keeps copies of all backbones. A file that cannot be read is left to the run that needs it. */
export async function keepBackbones(context: LoopContext): Promise<void> {
  for (const backbone of context.spec.models.flatMap(backbonesOf)) {
    await keepBackbone(context, backbone).catch((error: unknown) => {
      context.logger.warn({ path: backbone.path, error: String(error) }, "a backbone was not kept");
    });
  }
}

/** The bytes of a backbone: the kept copy, or the file, which is kept then. @throws FILE_INVALID where neither is there */
async function keepBackbone(context: LoopContext, { path, sha256 }: BackboneSpec): Promise<Uint8Array> {
  const { objects } = context;
  if (await objects.exists(keyOf(sha256))) {
    const kept = await objects.get(keyOf(sha256));
    if (sha256Hex(kept) === sha256) return kept;
  }
  const file = context.spec.backboneFiles?.[sha256];
  const bytes = file === undefined ? undefined : await readFile(file).catch(() => undefined);
  if (bytes === undefined || sha256Hex(bytes) !== sha256) {
    throw fail("FILE_INVALID", {
      message: `The backbone "${path}" ${bytes === undefined ? "is not there" : "has changed since the configuration was read"}, and no copy of it (${sha256.slice(0, 12)}…) is kept.`,
      remedy:
        bytes === undefined ? "Put the file back." : "Save the configuration again, so that the new file is read.",
    });
  }
  await objects.put(keyOf(sha256), bytes);
  const known = await readMap<string>(context, PATHS);
  await objects.put(PATHS, Buffer.from(JSON.stringify({ ...known, [path]: sha256 })));
  return bytes;
}

async function readMap<Value extends string | number>({ objects }: LoopContext, key: string) {
  if (!(await objects.exists(key))) return {};
  return JSON.parse(Buffer.from(await objects.get(key)).toString("utf8")) as Readonly<Record<string, Value>>;
}

/**
 * Drops copies that nothing has named for a day. Paths go before copies, so that a crash in between leaves a copy which the next
 * pruning drops, never a path to nothing.
 *
 * @param definitions texts of all definitions in use, read after the copies are listed: one that is kept meanwhile is not judged
 */
export async function pruneBackbones(
  context: LoopContext,
  definitions: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const { objects, systemClock, logger } = context;
  const kept = (await objects.list(KEPT_BACKBONES)).flatMap((key) => /([0-9a-f]{64})\.onnx$/.exec(key)?.[1] ?? []);
  if (kept.length === 0) return [];
  const now = systemClock.now();
  const since = await readMap<number>(context, UNUSED);
  const texts = await definitions();
  const unused = kept.filter((sha256) => !texts.some((text) => text.includes(sha256)));
  const dropped = unused.filter((sha256) => now - (since[sha256] ?? now) >= UNUSED_FOR_MS);
  if (dropped.length > 0) {
    const paths = Object.entries(await readMap<string>(context, PATHS));
    const left = paths.filter(([, sha256]) => !dropped.includes(sha256));
    await objects.put(PATHS, Buffer.from(JSON.stringify(Object.fromEntries(left))));
    for (const sha256 of dropped) await objects.deletePrefix(keyOf(sha256));
    logger.info({ dropped }, "backbones that nothing refers to were dropped");
  }
  const waiting = unused.filter((sha256) => !dropped.includes(sha256)).map((sha256) => [sha256, since[sha256] ?? now]);
  if (unused.length > 0 || Object.keys(since).length > 0)
    await objects.put(UNUSED, Buffer.from(JSON.stringify(Object.fromEntries(waiting))));
  return dropped;
}

/** Puts the backbones of a definition into a job folder. @throws FILE_INVALID */
export async function placeBackbones(context: LoopContext, spec: ModelSpec, folder: string): Promise<void> {
  for (const backbone of backbonesOf(spec)) {
    await writeFile(backboneFile(folder, backbone.sha256), await keepBackbone(context, backbone));
  }
}

/** The backbone a version carries, into a job folder: its own definition's file may be gone. */
export async function placeOwnBackbone(artifactFolder: string, folder: string): Promise<void> {
  const read = (name: string) => readFile(join(artifactFolder, name));
  const { embed } = parseManifest(await read("manifest.json").then(String));
  if (embed === undefined) return;
  const { weights } = await readArtifact(read);
  await writeFile(backboneFile(folder, embed.sha256), backboneOf(weights));
}
