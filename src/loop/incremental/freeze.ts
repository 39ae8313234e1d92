/** A candidate out of the fold: a copy of what it knows, put into the run's folder once, so that a resumed run judges the same. */
import { access, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { usedStrategy } from "../steps/job.ts";
import type { StepInput } from "../run-record.ts";
import { basisOf, keptFold, learnsPerEvent } from "./advance.ts";
import { parseFold } from "../../train/index.ts";

/** Fewer learned examples than this are no candidate: the run then trains on the new rows as it would without a fold. */
const MIN_LEARNED = 50;

/** @returns a word for the step when the run's folder holds a frozen fold */
export async function freezeFold(input: StepInput): Promise<string | undefined> {
  const { context, spec, run, folder } = input;
  if (usedStrategy(input) !== "incremental" || !learnsPerEvent(spec)) return undefined;
  const target = join(folder, "frozen.json");
  const isThere = await access(target).then(
    () => true,
    () => false,
  );
  if (!isThere) {
    const content = await keptFold(context, spec.name);
    const record = run.champion === undefined ? undefined : await context.store.registry.get(run.model, run.champion);
    const champion = record === undefined ? undefined : await basisOf(context, record, spec);
    if (content === undefined || champion === undefined) return undefined;
    const { basisArtifact: hash, learned } = parseFold(content);
    // Another champion since: the fold has begun anew, or is about to.
    if (hash !== champion.hash && champion.artifact.manifest.learned?.basis !== hash) return undefined;
    if (learned < MIN_LEARNED) return undefined;
    await writeFile(`${target}.tmp`, content);
    await rename(`${target}.tmp`, target);
  }
  return "learned example by example";
}
