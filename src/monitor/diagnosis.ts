/**
 * Why a model got worse, from what its version remembers of its holdout. How far each feature moved between its cells, times how
 * much worse the version was in the cells that grew, is what the move alone should cost (Σ (now − then) · (loss in the cell − mean
 * loss)); what the realised loss grew beyond that is not explained by where the rows are, but by how they are answered: P(y|x).
 *
 * Features are judged one by one: a move of two together can cost more than both, and is then among the unexplained rest.
 */
import { cellCount, cellName, cellOf, type FeatureNote } from "./feature-notes.ts";
import type { Features } from "../core/index.ts";

export interface MovedCell {
  readonly cell: string;
  /** Share of the holdout, and of the rows now. */
  readonly before: number;
  readonly now: number;
  /** The version's mean loss there on its holdout; null where the holdout had no such row. */
  readonly loss: number | null;
}
export interface FeatureMove {
  readonly feature: string;
  /** Share of the held-out loss that rests on it, in [0, 1]. */
  readonly importance: number;
  /** Half the sum of the absolute changes of the cells' shares, in [0, 1]. */
  readonly distance: number;
  /** What the distance exceeds hardly ever by chance at these numbers of rows. */
  readonly noise: number;
  readonly moved: boolean;
  /** Expected change of the mean loss by the move alone. */
  readonly effect: number;
  /** Cells by how much they changed, largest first. */
  readonly cells: readonly MovedCell[];
}

/** Below this share nothing worth a person's time has moved, whatever the rows. */
const MIN_DISTANCE = 0.03;
/** Standard deviations above what chance gives on average that are still noise. */
const NOISE_DEVIATIONS = 3;
/** Mean and variance of the absolute value of a standard normal. */
const MEAN_ABSOLUTE = Math.sqrt(2 / Math.PI);
const VARIANCE_ABSOLUTE = 1 - 2 / Math.PI;

/** Every feature, by size of the effect; those that did not move last. Cost O(rows × features). */
export function featureMoves(notes: readonly FeatureNote[], rows: readonly Features[]): readonly FeatureMove[] {
  if (rows.length === 0) return [];
  return notes
    .map((note) => moveOf(note, rows))
    .sort(
      (left, right) =>
        Number(right.moved) - Number(left.moved) ||
        Math.abs(right.effect) - Math.abs(left.effect) ||
        right.importance * right.distance - left.importance * left.distance ||
        (left.feature < right.feature ? -1 : 1),
    );
}

function moveOf(note: FeatureNote, rows: readonly Features[]): FeatureMove {
  const counts = new Float64Array(cellCount(note));
  for (const row of rows) {
    const cell = cellOf(note, row[note.feature]);
    counts[cell] = (counts[cell] as number) + 1;
  }
  const held = note.cells.reduce((sum, cell) => sum + cell.rows, 0);
  const mean = note.cells.reduce((sum, cell) => sum + cell.share * (cell.meanLoss ?? 0), 0);
  let distance = 0;
  let chance = 0;
  let variance = 0;
  let effect = 0;
  const cells = note.cells.map((cell, i): MovedCell => {
    const now = (counts[i] as number) / rows.length;
    const change = now - cell.share;
    distance += Math.abs(change) / 2;
    const pooled = (cell.rows + (counts[i] as number)) / (held + rows.length);
    const own = pooled * (1 - pooled) * (1 / Math.max(1, held) + 1 / rows.length);
    // Half of each cell's absolute change: their mean grows with the number of cells, their spread with its root.
    chance += (MEAN_ABSOLUTE / 2) * Math.sqrt(own);
    variance += (VARIANCE_ABSOLUTE / 4) * own;
    if (cell.meanLoss !== null) effect += change * (cell.meanLoss - mean);
    return { cell: cellName(note, i), before: cell.share, now, loss: cell.meanLoss };
  });
  const floor = chance + NOISE_DEVIATIONS * Math.sqrt(variance);
  return {
    feature: note.feature,
    importance: note.importance,
    distance,
    noise: floor,
    moved: distance > Math.max(floor, MIN_DISTANCE),
    effect,
    cells: cells.sort((left, right) => Math.abs(right.now - right.before) - Math.abs(left.now - left.before)),
  };
}
