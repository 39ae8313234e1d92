/**
 * Checkpoints: every tree so far and which round is the best. Scores are not kept: adding the stored trees up gives the very bits
 * training had, so a resumed training starts from them as a warm start does, and only the counting of rounds differs.
 */
import type { JsonObject } from "../../core/index.ts";
import type { TrainedWeights } from "../trainer.ts";
import { FLAG_CATEGORY, NODE_INTS, SET_INTS } from "./tree.ts";
import type { PackedTrees } from "./tree.ts";

export interface BestRound {
  readonly epoch: number;
  readonly loss: number;
}
export interface Progress {
  /** Rounds done, without those of the base. */
  readonly epoch: number;
  readonly best: BestRound;
}

export const NO_PROGRESS: Progress = { epoch: 0, best: { epoch: 0, loss: Infinity } };

export function checkpointOf(
  trees: PackedTrees,
  start: Float32Array,
  shape: JsonObject,
  progress: Progress,
): TrainedWeights {
  const { epoch, best } = progress;
  return {
    trainer: "gbdt",
    shape: { ...shape, epoch, bestEpoch: best.epoch, bestLoss: best.loss },
    arrays: { start, ...trees },
    bestEpoch: epoch,
  };
}

export function readProgress({ shape }: TrainedWeights): Progress {
  return {
    epoch: Number(shape["epoch"]),
    best: { epoch: Number(shape["bestEpoch"]), loss: Number(shape["bestLoss"]) },
  };
}

/** The first `count` trees. Trees lie one after the other, their sets too. */
export function takeTrees(trees: PackedTrees, count: number): PackedTrees {
  if (count >= trees.roots.length) return trees;
  const end = trees.roots[count] as number;
  let sets = 0;
  for (let at = 0; at < end; at += NODE_INTS) {
    const meta = trees.nodes[at + 1] as number;
    if (meta >= 0 && (meta & FLAG_CATEGORY) !== 0) sets += SET_INTS;
  }
  return {
    roots: trees.roots.slice(0, count),
    nodes: trees.nodes.slice(0, end),
    sets: trees.sets.slice(0, sets),
    gains: trees.gains.slice(0, end / NODE_INTS),
    counts: trees.counts.slice(0, end / NODE_INTS),
  };
}
