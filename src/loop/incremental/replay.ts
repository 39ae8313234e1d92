/** Reproduces a version that learned example by example: the log is read again, and the same examples are learned in the same order. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ModelSpec } from "../../config/spec.ts";
import { LOG_START } from "../../core/index.ts";
import { modelHashOf, parseManifest } from "../../model/index.ts";
import { OnlineFold } from "../../train/index.ts";
import type { LoopContext } from "../context.ts";
import { learnMature, readBasis } from "./advance.ts";
import { noticeLabels } from "./labelled.ts";

const PAGE_EVENTS = 2_000;

/** @returns both model hashes; undefined for a version that was trained as a whole */
export async function reproduceLearned(
  context: LoopContext,
  spec: ModelSpec,
  artifactFolder: string,
): Promise<{ readonly expected: string; readonly actual: string } | undefined> {
  const manifest = parseManifest(await readFile(join(artifactFolder, "manifest.json"), "utf8"));
  const { learned, modelHash } = manifest;
  if (learned === undefined) return undefined;
  const basis = await readBasis(context, "", learned.basis);
  const fold = new OnlineFold(basis, 1);
  let cursor = LOG_START;
  for (let more = true; more && fold.summary().learned < learned.rows; ) {
    const read = await context.store.log.readAfter(spec.name, cursor, { limit: PAGE_EVENTS });
    const page = { events: read.events, from: cursor, labelDelayMs: spec.labelDelayMs };
    await noticeLabels(context, spec.name, fold, page);
    ({ cursor, more } = read);
    const until = more ? fold.watermark : Number.POSITIVE_INFINITY;
    await learnMature(context, spec, fold, until, learned.rows);
  }
  return { expected: modelHash, actual: modelHashOf(fold.freeze(), basis.artifact.preparation) };
}
