/**
 * A committee out of one boosted model: the model as it was after half of its trees, after five eighths, and so on. Later trees
 * settle what earlier ones left open, so the members agree where the data are clear. After A. Malinin, L. Prokhorenkova and A.
 * Ustimenko, "Uncertainty in gradient boosting via ensembles", 2021 (virtual ensembles).
 */
import type { Task } from "../../core/index.ts";
import type { ScoreRow, TrainedWeights } from "../trainer.ts";
import { gbdtScorer } from "./predict.ts";

/** Shares of the trees the members know. */
const MEMBERS = [0.5, 0.625, 0.75, 0.875, 1];

export function gbdtCommittee(trained: TrainedWeights, task: Task): readonly ScoreRow[] {
  const roots = trained.arrays["roots"] as Int32Array;
  const outputs = (trained.arrays["start"] as Float32Array).length;
  const rounds = Math.floor(roots.length / outputs);
  const sizes = new Set(MEMBERS.map((share) => Math.max(1, Math.round(share * rounds))));
  return [...sizes].map((size) =>
    gbdtScorer({ ...trained, arrays: { ...trained.arrays, roots: roots.subarray(0, size * outputs) } }, task),
  );
}
