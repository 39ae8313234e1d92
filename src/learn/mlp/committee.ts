/**
 * A committee out of one network that was trained with dropout: the network with other units left out for each member, which is
 * a draw from an approximate posterior (Y. Gal and Z. Ghahramani, "Dropout as a Bayesian approximation", 2016). A member keeps
 * its units for all rows, so that members are functions and their disagreement about two rows can be compared. Without dropout
 * in training the draws would mean nothing, and there is one opinion.
 */
import { createRandom, type Task } from "../../core/index.ts";
import type { ScoreRow, TrainedWeights } from "../trainer.ts";
import { type Layer, readLayers, storeLayers } from "./layers.ts";
import { mlpScorer } from "./score.ts";

/** The mutual information of ten draws is within a few percent of that of a hundred for the networks we train. */
const MEMBERS = 10;
/** Always the same draws: a version's opinions are the same whenever it is asked. */
const SEED = 20_160_619;

/** Empty for a network that was trained without dropout. Cost: a copy of the weights per member. */
export function mlpCommittee(trained: TrainedWeights, task: Task): readonly ScoreRow[] {
  const dropout = Number(trained.shape["dropout"] ?? 0);
  if (!(dropout > 0)) return [];
  const random = createRandom(SEED);
  const layers = readLayers(trained);
  return Array.from({ length: MEMBERS }, () => {
    const thinned = layers.map((layer, i) => (i === 0 ? layer : thin(layer, dropout, () => random.nextFloat())));
    return mlpScorer({ ...trained, arrays: storeLayers(thinned) }, task);
  });
}

/** A unit that is left out gives nothing to the next layer; the others give more, so that the mean stays, as in training. */
function thin(layer: Layer, dropout: number, draw: () => number): Layer {
  const weights = layer.weights.slice();
  for (let unit = 0; unit < layer.inputs; unit++) {
    const factor = draw() < dropout ? 0 : 1 / (1 - dropout);
    for (let j = 0; j < layer.outputs; j++) {
      const at = unit * layer.outputs + j;
      weights[at] = (weights[at] as number) * factor;
    }
  }
  return { ...layer, weights };
}
