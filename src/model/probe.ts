/** Probes: rows with the answers a model gave when it was made. A model that answers them differently is another model. */
import { fail } from "../core/index.ts";
import type { Features } from "../core/index.ts";
import { sameScores } from "./predictor.ts";

export interface Probe {
  readonly features: Features;
  readonly scores: readonly number[];
}

/** @throws PROBE_MISMATCH naming the row and both answers. */
export function compareProbe(row: number, probe: Probe, scores: readonly number[], tolerance?: number): void {
  if (sameScores(scores, probe.scores, tolerance)) return;
  throw fail("PROBE_MISMATCH", {
    message: `The model answers probe row ${row + 1} with [${scores.join(", ")}]; [${probe.scores.join(", ")}] was recorded when it was made.`,
    remedy: "Run the version of Retrain that made it, or train it again; do not serve it.",
    details: { row: row + 1 },
  });
}
