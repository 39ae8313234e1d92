/** The candidates of `best`: what they are called and where each works, the same for the loop and its training process. */
import { join } from "node:path";
import type { Json, JsonObject } from "../core/index.ts";
import type { BestCandidate, BestSpec } from "./spec.ts";

/** `gbdt full`, `linear warm-start`; with a number where only parameters tell two apart. */
export function candidateNames(best: BestSpec): readonly string[] {
  const plain = best.of.map(({ how, trainer }) => `${trainer.name} ${how}`);
  return plain.map((name, i) => {
    const same = plain.filter((other) => other === name).length;
    return same === 1 ? name : `${name} #${plain.slice(0, i + 1).filter((other) => other === name).length}`;
  });
}

export function candidateFolder(folder: string, index: number): string {
  return join(folder, "candidates", String(index));
}

/** What a candidate's jobs are told: the run's input with its own folder, trainer and strategy. */
export function candidateInput(raw: JsonObject, candidate: BestCandidate, index: number): JsonObject {
  return {
    ...raw,
    folder: candidateFolder(raw["folder"] as string, index),
    spec: { ...(raw["spec"] as JsonObject), trainer: candidate.trainer as unknown as Json },
    strategy: candidate.how,
  };
}
