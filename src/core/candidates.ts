/** The ways of training that one run with the strategy `best` tried. Kept with its train step. */
import type { TrainingStrategy } from "./records.ts";

export interface TriedCandidate {
  /** `gbdt full`: unique in the run. */
  readonly name: string;
  readonly trainer: string;
  readonly strategy: TrainingStrategy;
  readonly state: "chosen" | "trained" | "failed" | "skipped";
  /** Why it was skipped or failed. */
  readonly reason?: string;
  readonly trainRows?: number;
  readonly epochs?: number;
  readonly bestEpoch?: number;
  /** Cost: time of its training on the system clock, and the bytes of its weights. */
  readonly durationMs?: number;
  readonly sizeBytes?: number;
  /** On the validation rows that none of the candidates has trained on. */
  readonly value?: number | null;
  /** At most 60 points: epoch, training and validation loss where the trainer gives them. */
  readonly trace?: readonly (readonly [epoch: number, train: number | null, validation: number | null])[];
}

export interface CandidateChoice {
  /** The metric that chose. */
  readonly metric: string;
  /** Validation rows it was measured on. */
  readonly rows: number;
  /** Why not on all validation rows, where that is so. */
  readonly note?: string;
  readonly candidates: readonly TriedCandidate[];
}
