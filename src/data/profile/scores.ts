/** The grid of a probability: cells equally wide in log-odds, so the crowded ends near 0 and 1 get as many as the middle. */
import { SCORE_LOGIT_LIMIT, sigmoid } from "../../stats/index.ts";
import type { NumberGrid } from "./grid.ts";

const SCORE_CELLS = 256;

/** Fixed for ever: the scores of any two versions can be compared cell by cell. */
export function scoreGrid(name = "prediction"): NumberGrid {
  const edges = Array.from({ length: SCORE_CELLS - 1 }, (_, i) =>
    Math.fround(sigmoid(((i + 1) * 2 * SCORE_LOGIT_LIMIT) / SCORE_CELLS - SCORE_LOGIT_LIMIT)),
  );
  return { kind: "number", name, edges: [...new Set(edges)], min: 0, max: 1 };
}
