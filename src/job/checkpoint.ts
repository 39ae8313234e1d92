/**
 * Checkpoints of a training in its job folder: after a kill the next attempt goes on from the last one, to the same bits. One
 * counts only for the very request that made it; anything else starts anew, which is slower and never wrong.
 */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJson, sha256Hex, systemClock } from "../core/index.ts";
import { stopPoint } from "../core/stop-point.ts";
import type { Json } from "../core/index.ts";
import type { TrainedWeights, TrainingPoint } from "../learn/index.ts";
import { decodeWeights, encodeWeights } from "../model/index.ts";
import { writeFolderWhole } from "./folder.ts";

/** Writing a checkpoint costs milliseconds; losing this much of a training costs nobody an evening. */
export const CHECKPOINT_EVERY_MS = 5_000;

export interface Checkpoint {
  readonly state: TrainedWeights;
  /** Trace of the epochs before it. */
  readonly points: readonly TrainingPoint[];
}

/** What a training depends on, as one hash. */
export function requestFingerprint(parts: Json): string {
  return sha256Hex(canonicalJson(parts));
}

/** The checkpoint of the same request, or undefined where there is none that is whole. */
export async function readCheckpoint(folder: string, fingerprint: string): Promise<Checkpoint | undefined> {
  const place = join(folder, "checkpoint");
  try {
    const about = JSON.parse(await readFile(join(place, "checkpoint.json"), "utf8")) as {
      readonly fingerprint: string;
      readonly content: string;
      readonly points: readonly TrainingPoint[];
    };
    if (about.fingerprint !== fingerprint) return undefined;
    const json = await readFile(join(place, "state.json"), "utf8");
    const binary = await readFile(join(place, "state.bin"));
    if (about.content !== contentHash(json, binary)) return undefined;
    return { state: decodeWeights(json, binary), points: about.points };
  } catch {
    // None yet, or half of one: the training starts anew.
    return undefined;
  }
}

function contentHash(json: string, binary: Uint8Array): string {
  return sha256Hex(`${sha256Hex(json)}\n${sha256Hex(binary)}`);
}

export async function writeCheckpoint(folder: string, fingerprint: string, checkpoint: Checkpoint): Promise<void> {
  const { json, binary } = encodeWeights(checkpoint.state);
  await writeFolderWhole(join(folder, "checkpoint"), async (temporary) => {
    await writeFile(join(temporary, "state.json"), json);
    await writeFile(join(temporary, "state.bin"), binary);
    const about = { fingerprint, content: contentHash(json, binary), points: checkpoint.points };
    await writeFile(join(temporary, "checkpoint.json"), JSON.stringify(about));
  });
  stopPoint("train.checkpointed");
}

export async function removeCheckpoint(folder: string): Promise<void> {
  await rm(join(folder, "checkpoint"), { recursive: true, force: true });
}

/** Says when the next checkpoint is due. */
export function checkpointTimer(everyMs: number): () => boolean {
  let last = systemClock.monotonicMs();
  return () => {
    const now = systemClock.monotonicMs();
    if (now - last < everyMs) return false;
    last = now;
    return true;
  };
}
