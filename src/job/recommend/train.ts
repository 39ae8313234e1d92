/** The fit of a recommender on the frozen rows: what `train` and `evaluate` (for the baseline) do. */
import type { ModelSpec } from "../../config/spec.ts";
import type { JsonObject } from "../../core/index.ts";
import type { Dataset, Splits } from "../../data/index.ts";
import { matrixFactorization, popularity, type RecommendRequest, type TrainedWeights } from "../../learn/index.ts";
import { interactionsOf, trainingRows } from "./interactions.ts";

export function recommendTrainer(name: string) {
  return name === popularity.name ? popularity : matrixFactorization;
}

export function fitRecommendDataset(
  options: Omit<RecommendRequest, "interactions" | "params"> & {
    readonly spec: ModelSpec;
    readonly trainer: string;
    readonly params: JsonObject;
    readonly dataset: Dataset;
    readonly splits: Splits;
  },
): Promise<TrainedWeights> {
  const { spec, trainer, dataset, splits, ...rest } = options;
  const interactions = interactionsOf(spec, dataset, trainingRows(splits));
  return recommendTrainer(trainer).fit({ ...rest, interactions });
}
