/** Learning one row at a time. What a learner knows after a row depends on the rows alone, in their order: the same rows, the same bits. */
import type { ScoreRow, TrainedWeights } from "./trainer.ts";

export interface OnlineLearner {
  /**
   * Learns one row of the prepared matrix.
   * @param x holds the row's columns from `offset` on
   * @param target binary 0/1, multiclass class index, regression the value
   */
  partialFit(x: Float32Array, offset: number, target: number): void;
  /** Answers with what it knows now, to the bit as a version frozen now would. */
  readonly score: ScoreRow;
  /** Weights a version can have; a copy. */
  freeze(): TrainedWeights;
  /** Everything it knows, to go on from; a copy. */
  state(): TrainedWeights;
}
