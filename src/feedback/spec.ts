/** The resolved labeling policy of a model: plain JSON, every default filled in. */
import type { ReviewDefault, ReviewMode, Task } from "../core/index.ts";

export const QUEUE_STRATEGIES = [
  "margin",
  "least-confidence",
  "entropy",
  "quantile-width",
  "committee",
  "slices",
  "random",
] as const;
export type QueueStrategy = (typeof QUEUE_STRATEGIES)[number];

/** What can be asked of a model's answers, the default first: classes have probabilities, numbers an interval. */
export function strategiesFor(task: Task): readonly [QueueStrategy, ...QueueStrategy[]] {
  if (task === "regression") return ["quantile-width", "committee", "slices", "random"];
  return ["margin", "least-confidence", "entropy", "committee", "slices", "random"];
}

/** Which answers a person decides before they are used. */
export interface ReviewSpec {
  /** Answers whose largest class probability is below it. */
  readonly below: number;
  readonly mode: ReviewMode;
  readonly deadlineMs: number;
  readonly onDeadline: ReviewDefault;
  /** Share of the confident answers that people check afterwards. */
  readonly audit: number;
}

export interface LabelingSpec {
  readonly strategy: QueueStrategy;
  /** `top`: the most uncertain; `weighted`: drawn in proportion to uncertainty, so that all labels can estimate performance. */
  readonly sampling: "top" | "weighted";
  readonly diversity: boolean;
  readonly density: boolean;
  /** Tasks the tick may add in 24 hours; 0 builds on request only. */
  readonly perDay: number;
  /** Share of a batch that is an even draw from the pool. */
  readonly random: number;
  /** Share of the tasks that two people answer. */
  readonly overlap: number;
  /** Share of a person's tasks that are gold questions, while there are any. */
  readonly gold: number;
  /** Candidates are examples of this recent past. */
  readonly windowMs: number;
  readonly hidePrediction: boolean;
  readonly guidelines?: string;
  readonly leaseMs: number;
}
