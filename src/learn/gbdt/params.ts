/** Parameters of `gbdt`. Defaults follow the field (LightGBM, XGBoost) except where a reason is given. */
import type { JsonObject } from "../../core/index.ts";
import type { ParameterTable } from "../params.ts";

export const LOSSES = ["auto", "squared", "absolute", "quantile", "poisson"] as const;
export type LossName = (typeof LOSSES)[number];

export const PARAMETERS = {
  epochs: {
    description: "Rounds of boosting at most: one tree each, or one per class. A warm start adds as many.",
    default: 200,
    min: 1,
    max: 10_000,
    integer: true,
  },
  patience: {
    description:
      "Rounds without a lower validation loss after which training stops and the best round is kept; 0: never.",
    default: 20,
    min: 0,
    max: 10_000,
    integer: true,
  },
  learningRate: { description: "Share of each tree's answer that is added.", default: 0.1, min: 1e-4, max: 1 },
  grow: {
    description:
      "`leaf`: the leaf with the largest gain next, up to `maxLeaves`. `depth`: level by level to `maxDepth`.",
    default: "leaf",
    choices: ["leaf", "depth"],
  },
  maxLeaves: { description: "Leaves of a tree when growing by leaf.", default: 31, min: 2, max: 4096, integer: true },
  maxDepth: {
    description: "Splits from the root to a leaf at most; 0: no limit by leaf, 6 by depth.",
    default: 0,
    min: 0,
    max: 12,
    integer: true,
  },
  minChildWeight: {
    description: "Sum of hessians a leaf must have: rows for squared loss, less for the others.",
    default: 1,
    min: 0,
    max: 1e9,
  },
  minSplitGain: { description: "Gain a split must exceed.", default: 0, min: 0, max: 1e9 },
  l2: { description: "Penalty on large leaf values, in hessians.", default: 1, min: 0, max: 1e9 },
  bins: {
    description: "Bins of a numeric column, one more holds missing values.",
    default: 255,
    min: 2,
    max: 255,
    integer: true,
  },
  rowShare: { description: "Share of the rows each round looks at.", default: 1, min: 0.01, max: 1 },
  columnShare: { description: "Share of the columns each tree may split on.", default: 1, min: 0.01, max: 1 },
  categorySmoothing: {
    description: "Hessians added to each category before categories are ordered, and to both sides of their splits.",
    default: 10,
    min: 0,
    max: 1e9,
  },
  loss: {
    description: "What a regression minimizes; classifiers have their own (`auto`, which for a number means squared).",
    default: "auto",
    choices: LOSSES,
  },
  quantile: { description: "The quantile of the loss `quantile`.", default: 0.5, min: 0.001, max: 0.999 },
  threads: {
    description:
      "Threads of a training; 0: all processors but one, at most 8, and one below 20,000 rows. The model has the same bits with any number.",
    default: 0,
    min: 0,
    max: 64,
    integer: true,
  },
  monotone: {
    description: "Numeric columns whose answer may only rise (1) or fall (-1) with the value.",
    default: {} as JsonObject,
    valueChoices: [-1, 0, 1],
  },
} as const satisfies ParameterTable;

export interface GbdtParams {
  readonly epochs: number;
  readonly patience: number;
  readonly learningRate: number;
  readonly grow: "leaf" | "depth";
  readonly maxLeaves: number;
  readonly maxDepth: number;
  readonly minChildWeight: number;
  readonly minSplitGain: number;
  readonly l2: number;
  readonly bins: number;
  readonly rowShare: number;
  readonly columnShare: number;
  readonly categorySmoothing: number;
  readonly loss: LossName;
  readonly quantile: number;
  readonly threads: number;
  readonly monotone: Readonly<Record<string, number>>;
}

/** Depth of level-wise trees where none is given: XGBoost's default. */
const DEFAULT_DEPTH = 6;

/** Resolved parameters as numbers ready for use. */
export function readParams(resolved: JsonObject): GbdtParams {
  const params = resolved as unknown as GbdtParams;
  return params.grow === "depth" && params.maxDepth === 0 ? { ...params, maxDepth: DEFAULT_DEPTH } : params;
}
