/**
 * How much each row weighs in training: less the older it is, or by a feature. Only ratios matter to a learner, so the weights
 * of a training average 1 and parameters counted in rows keep their meaning. What judges a model counts rows alike.
 */
import { fail, plural } from "../core/index.ts";
import { expDeterministic } from "../stats/index.ts";
import type { Dataset } from "./dataset.ts";

export interface RowWeightsSpec {
  /** A row this much older than the newest one weighs half as much. */
  readonly halfLifeMs?: number;
  /** A number feature that rows weigh by. */
  readonly feature?: string;
}

const LN2 = 0.6931471805599453;

/**
 * Weights of rows of a dataset, in their order, averaging 1: value of the feature × 2^(−age / half-life), age in event time
 * counted from the newest of these rows.
 * A missing value of the feature counts as the mean of the known ones.
 * @throws TRAINER_FAILED for a weight that is negative or infinite, or when all are 0. Cost: O(rows).
 */
export function rowWeights(
  { at, frame }: Pick<Dataset, "at" | "frame">,
  rows: Uint32Array,
  { halfLifeMs, feature }: RowWeightsSpec,
): Float64Array {
  const own = feature === undefined ? undefined : ownWeights(frame, rows, feature);
  let newest = -Infinity;
  for (const row of rows) newest = Math.max(newest, at[row] as number);
  let total = 0;
  const weights = Float64Array.from(rows, (row, i) => {
    const age = newest - (at[row] as number);
    const decay = halfLifeMs === undefined ? 1 : expDeterministic((-LN2 * age) / halfLifeMs);
    const weight = own === undefined ? decay : (own[i] as number) * decay;
    total += weight;
    return weight;
  });
  if (rows.length > 0 && !(total > 0 && total < Infinity)) {
    throw fail("TRAINER_FAILED", {
      message:
        total > 0
          ? `The weights of ${plural(rows.length, "training row")} in "${feature}" add up to more than a number can hold.`
          : `${rows.length === 1 ? "The only training row weighs" : `All ${plural(rows.length, "training row")} weigh`} 0 by "${feature}".`,
      remedy: "Correct the column, or remove `data.weights.feature`.",
    });
  }
  return weights.map((weight) => (weight * rows.length) / total);
}

/** Values of the feature; a missing one weighs as the known ones do on average. */
function ownWeights(frame: Dataset["frame"], rows: Uint32Array, feature: string): Float64Array {
  const column = frame.columns.find(({ name }) => name === feature);
  const values = Float64Array.from(rows, (row) => (column?.kind === "number" ? (column.values[row] as number) : 1));
  let [known, sum] = [0, 0];
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    if (!(value >= 0 && value < Infinity)) throw notAWeight(feature, value);
    known++;
    sum += value;
  }
  const mean = known === 0 ? 1 : sum / known;
  return values.map((value) => (Number.isNaN(value) ? mean : value));
}

function notAWeight(feature: string, value: number) {
  return fail("TRAINER_FAILED", {
    message: `A training row has the weight ${value} in "${feature}"; weights are numbers from 0 up.`,
    remedy: `Send such rows to quarantine with f.number({ min: 0 }), or remove \`data.weights.feature\`.`,
  });
}
