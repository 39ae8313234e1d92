/** Resolved strategies that need more than their word: plain JSON. */
import type { JsonObject, TrainingStrategy } from "../core/index.ts";
import type { BackboneSpec } from "../data/embed/embedding.ts";

/** A trainer with its parameters complete, and the frozen model in front of it where there is one. */
export interface TrainerSpec {
  readonly name: string;
  readonly params: JsonObject;
  readonly embed?: BackboneSpec;
}

/** Reuses the hidden layers of a version of another model under a new head. */
export interface TransferSpec {
  readonly from: {
    readonly model: string /** A version such as `v3`, or the alias `champion`. */;
    readonly version: string;
  };
  /** Layers that never learn. */
  readonly freeze: readonly string[];
}

/** One of several trainings whose best is judged by the gate. */
export interface BestCandidate {
  readonly how: Exclude<TrainingStrategy, "best">;
  readonly trainer: TrainerSpec;
}

export interface BestSpec {
  readonly of: readonly BestCandidate[];
  /** No further candidate is begun after this. */
  readonly budgetMs: number;
}

/** What `retrain.how` becomes. */
export interface StrategySpec {
  readonly how: TrainingStrategy;
  readonly transfer?: TransferSpec;
  readonly best?: BestSpec;
}

/** `digits@champion`, `digits@v3`. */
export const versionText = (of: TransferSpec["from"]): string => `${of.model}@${of.version}`;
