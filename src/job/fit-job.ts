/** What one training is told: a dataset with its preparation, and which rows are for what. */
import type { JsonObject, Task } from "../core/index.ts";
import type { Dataset, Preparation, RowWeightsSpec } from "../data/index.ts";
import type { FitRequest, TrainedWeights, TrainerKind, TrainingPoint } from "../learn/index.ts";

export interface FitJob {
  readonly task: Task;
  readonly trainer: TrainerKind;
  readonly params: JsonObject;
  readonly seed: number;
  readonly dataset: Dataset;
  readonly preparation: Preparation;
  readonly train: Uint32Array;
  readonly validation: Uint32Array;
  /** How much training rows weigh; absent: all alike. */
  readonly weights?: RowWeightsSpec | undefined;
  /** For external trainers: the job folder, the model's name, and the rows whose labels they never see. */
  readonly folder: string;
  readonly model?: string;
  readonly holdout?: Uint32Array;
  readonly base?: TrainedWeights;
  readonly freeze?: FitRequest["freeze"];
  readonly signal: AbortSignal;
  readonly onPoint: (point: TrainingPoint) => Promise<void>;
  readonly resume?: FitRequest["resume"];
  readonly onCheckpoint?: FitRequest["onCheckpoint"];
}
