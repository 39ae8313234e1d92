/** Parameters of `matrixFactorization`. */
import type { ParameterTable } from "../params.ts";

export const RECOMMEND_PARAMETERS = {
  method: {
    description:
      "`als`: alternating least squares on confidences. `bpr`: ranks what a user has above what it has not, pair by pair.",
    default: "als",
    choices: ["als", "bpr"],
  },
  factors: { description: "Numbers that describe each user and item.", default: 32, min: 4, max: 512, integer: true },
  epochs: {
    description: "Rounds over users and items (als), or over the interactions (bpr, which needs more of them).",
    default: 10,
    min: 1,
    max: 1000,
    integer: true,
  },
  l2: {
    description: "Strength of the penalty on large factors (als), in units of the root of users × items.",
    default: 0.01,
    min: 0,
    max: 1000,
  },
  confidence: {
    description: "How much more an interaction of mean strength counts than none (als).",
    default: 5,
    min: 0,
    max: 1e6,
  },
  steps: {
    description: "Steps of conjugate gradients a round takes for each user and item (als).",
    default: 3,
    min: 1,
    max: 50,
    integer: true,
  },
  learningRate: { description: "Step of bpr.", default: 0.05, min: 1e-5, max: 1 },
  rankL2: { description: "Strength of the penalty on large factors (bpr).", default: 0.01, min: 0, max: 10 },
} as const satisfies ParameterTable;

export interface RecommendParams {
  readonly method: "als" | "bpr";
  readonly factors: number;
  readonly epochs: number;
  readonly l2: number;
  readonly confidence: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly rankL2: number;
}
