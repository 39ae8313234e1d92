/**
 * A recommender as a model in memory. Its questions are users with their interactions, not rows; a row that carries them as text
 * (a probe) is answered like any other, which is how a version is checked when it is loaded.
 */
import { fail, type Features, type Task } from "../core/index.ts";
import { createRecommender, type Recommender, type TrainedWeights } from "../learn/index.ts";
import type { Predictor } from "./predictor.ts";

/** Items of the slate that a probe records. */
const PROBE_ITEMS = 10;

/** A user's interactions as a row. */
export function recommendProbe(taste: readonly (readonly [item: string, strength: number])[]): Features {
  return { taste: JSON.stringify(taste) };
}

export function createRecommendPredictor(weights: TrainedWeights): Predictor {
  let session: Recommender | undefined;
  const opened = () => {
    session ??= createRecommender(weights);
    return session;
  };
  const predictRow = (features: Features) => {
    const given = features["taste"];
    const taste = JSON.parse(typeof given === "string" ? given : "[]") as readonly (readonly [string, number])[];
    const model = opened();
    const known = taste.flatMap(([item, strength]) => {
      const index = model.indexOf(item);
      return index === undefined ? [] : [[index, strength] as const];
    });
    const seen = new Set(known.map(([index]) => index));
    const slate = model.rank({
      vector: model.userVector({ items: known.map(([index]) => index), strengths: known.map(([, one]) => one) }),
      k: PROBE_ITEMS,
      isExcluded: (index) => seen.has(index),
    });
    const [best] = slate;
    return {
      scores: slate.map(({ score }) => score),
      decision: best === undefined ? "" : (model.items[best.index] as string),
    };
  };
  return {
    task: "recommend" satisfies Task,
    classes: [],
    predictRow,
    predictRows: (rows) => rows.map(predictRow),
    trace(features) {
      return { prepared: [], ...predictRow(features) };
    },
    scoreFrame() {
      throw fail("INTERNAL", {
        message: "Rows of a recommender are interactions; they cannot be scored without their user's other ones.",
        remedy: "Ask the recommender.",
      });
    },
    recommender: { method: weights.shape["method"] as Recommender["method"], open: () => createRecommender(weights) },
  };
}
