/** Trainers as a user names them. Their parameters are checked by the trainers' own tables in `learn/`. */
import {
  choiceField,
  type Field,
  type JsonObject,
  objectField,
  optional,
  jsonField,
  RetrainError,
  fail,
  type Task,
} from "../core/index.ts";
import { ALL_TRAINERS, describeTrainer } from "../learn/index.ts";
import type { CommandParams } from "../learn/index.ts";
import type { TrainerSpec } from "../train/spec.ts";
import { type BackboneConfig, readEmbed } from "./backbone.ts";

/** Parameters of `linear`; a test compares their names with the trainer's table. */
export interface LinearParams {
  /** Passes over the training rows. */
  readonly epochs?: number;
  /** Epochs without a lower validation loss after which training stops. */
  readonly patience?: number;
  /** Strength of the penalty on large weights. */
  readonly l2?: number;
  /** Strength of the penalty on absolute weights; weights that earn less become 0. */
  readonly l1?: number;
  /** Whether every class counts alike, whatever its share of the rows. */
  readonly classWeights?: "none" | "balanced";
  /** First step as a share of the largest safe step. */
  readonly learningRate?: number;
  /** The same for warm starts. */
  readonly warmRate?: number;
}
/** A frozen model in front of the trainer: `embed: onnx("backbone.onnx")`. */
export interface Embedded {
  readonly embed?: BackboneConfig;
}
/** Parameters of `mlp`; a test compares their names with the trainer's table. */
export interface MlpParams {
  /** Units of each hidden layer, one to three layers; default [64]. */
  readonly hidden?: readonly [number] | readonly [number, number] | readonly [number, number, number];
  readonly activation?: "relu" | "tanh";
  /** Passes over the training rows at most; validation may stop earlier. */
  readonly epochs?: number;
  /** Epochs without a lower validation loss after which training stops. */
  readonly patience?: number;
  /** Rows of a step, at most. */
  readonly batch?: number;
  /** Step of Adam. */
  readonly learningRate?: number;
  /** Share of the learning rate for warm starts and reused layers. */
  readonly warmRate?: number;
  /** Strength of the penalty on large weights. */
  readonly l2?: number;
  /** Share of the hidden units left out at each step. */
  readonly dropout?: number;
  /** Whether every class counts alike, whatever its share of the rows. */
  readonly classWeights?: "none" | "balanced";
}
/** Parameters of `gbdt`; a test compares their names with the trainer's table. */
export interface GbdtParams {
  /** Rounds of boosting at most; validation may stop earlier. */
  readonly epochs?: number;
  /** Rounds without a lower validation loss after which training stops; 0: never. */
  readonly patience?: number;
  /** Share of each tree's answer that is added. */
  readonly learningRate?: number;
  /** Which leaf is split next: the one with the largest gain, or level by level. */
  readonly grow?: "leaf" | "depth";
  readonly maxLeaves?: number;
  /** Splits from the root to a leaf at most; 0: no limit by leaf, 6 by depth. */
  readonly maxDepth?: number;
  /** Sum of hessians a leaf must have. */
  readonly minChildWeight?: number;
  /** Gain a split must exceed. */
  readonly minSplitGain?: number;
  /** Penalty on large leaf values. */
  readonly l2?: number;
  /** Bins of a numeric column, at most 255. */
  readonly bins?: number;
  /** Share of the rows each round looks at. */
  readonly rowShare?: number;
  /** Share of the columns each tree may split on. */
  readonly columnShare?: number;
  /** Hessians added to each category before categories are ordered. */
  readonly categorySmoothing?: number;
  /** What a regression minimizes; classifiers have their own. */
  readonly loss?: "auto" | "squared" | "absolute" | "quantile" | "poisson";
  /** The quantile of the loss `quantile`. */
  readonly quantile?: number;
  /** Threads of a training; 0: all processors but one. The model has the same bits with any number. */
  readonly threads?: number;
  /** Numeric features whose answer may only rise (1) or fall (-1). */
  readonly monotone?: Readonly<Record<string, 1 | 0 | -1>>;
}
/** An external trainer; see docs/external-trainers.md. */
export type CommandOptions = Pick<CommandParams, "run"> & Partial<CommandParams>;
/** Parameters of `forecast`; a test compares their names with the trainer's table. */
export interface ForecastParams {
  /** `auto` takes the one that forecasts the validation periods best. */
  readonly method?: "auto" | "seasonal-naive" | "smoothing" | "gbdt" | "combined";
  /** Share of targets that an interval should hold. */
  readonly level?: number;
  /** Trees at most; validation may stop earlier. */
  readonly epochs?: number;
  readonly patience?: number;
  readonly learningRate?: number;
  readonly maxLeaves?: number;
  readonly minChildWeight?: number;
  /** Steps ahead from which each training target is looked at. */
  readonly stepsPerTarget?: number;
}
/** Parameters of `matrixFactorization`; a test compares their names with the trainer's table. */
export interface MatrixFactorizationParams {
  /** `als` (default): least squares on confidences; `bpr`: pairwise ranking. */
  readonly method?: "als" | "bpr";
  /** Numbers that describe each user and item. */
  readonly factors?: number;
  /** Rounds over users and items (als), or over the interactions (bpr). */
  readonly epochs?: number;
  /** als: strength of the penalty on large factors, in units of the root of users × items. */
  readonly l2?: number;
  /** als: how much more an interaction of mean strength counts than none. */
  readonly confidence?: number;
  /** als: steps of conjugate gradients a round takes for each user and item. */
  readonly steps?: number;
  /** Step of bpr. */
  readonly learningRate?: number;
  /** bpr: strength of the penalty on large factors. */
  readonly rankL2?: number;
}
type RowTrainer<T extends Task> =
  | { readonly name: "linear"; readonly params?: LinearParams & Embedded }
  | { readonly name: "mlp"; readonly params?: MlpParams & Embedded }
  | { readonly name: "gbdt"; readonly params?: GbdtParams }
  | { readonly name: "command"; readonly params: CommandOptions }
  | (T extends "regression" ? { readonly name: "mean" | "last-value" } : { readonly name: "majority" });
export type TrainerConfig<T extends Task = Task> = T extends "forecast"
  ? { readonly name: "forecast"; readonly params?: ForecastParams } | { readonly name: "seasonal-naive" }
  : T extends "recommend"
    ?
        | { readonly name: "matrixFactorization"; readonly params?: MatrixFactorizationParams }
        | { readonly name: "popularity" }
    : RowTrainer<T>;

/** Logistic, softmax or linear regression by averaged gradient descent on scaled, one-hot columns. */
export const linear = (params: LinearParams & Embedded = {}) => ({ name: "linear", params }) as const;
/** A neural network of one to three hidden layers, by Adam, on scaled, one-hot columns, vectors and images. */
export const mlp = (params: MlpParams & Embedded = {}) => ({ name: "mlp", params }) as const;
/** Gradient-boosted trees on raw numbers and categories: the strongest start for most tables. */
export const gbdt = (params: GbdtParams = {}) => ({ name: "gbdt", params }) as const;
/**
 * A program of your own, in any language: it reads a job folder and leaves `out/model.onnx` there.
 * `command({ run: ["python3", "train.py"], input: "raw" })`. Started in the server's folder; its limits are the model's.
 */
export const command = (params: CommandOptions) => ({ name: "command", params }) as const;
/** Seasonal naive, exponential smoothing, trees on lags and calendar, or what forecasts best, with intervals. */
export const forecast = (params: ForecastParams = {}) => ({ name: "forecast", params }) as const;
/** Users and items as vectors whose product ranks what a user may like; users follow their events without retraining. */
export const matrixFactorization = (params: MatrixFactorizationParams = {}) =>
  ({ name: "matrixFactorization", params }) as const;
/** Recommends to everybody what most users took. */
export const popularity = () => ({ name: "popularity" }) as const;
/** Always forecasts the value of the same place in the last season. */
export const seasonalNaive = () => ({ name: "seasonal-naive" }) as const;
/** Always answers the class shares of the training rows. */
export const majority = () => ({ name: "majority" }) as const;
/** Always answers the mean of the training labels. */
export const mean = () => ({ name: "mean" }) as const;
/** Always answers the newest training label. */
export const lastValue = () => ({ name: "last-value" }) as const;

/** Reads a trainer that fits the task, parameters complete. */
export function trainerField(task: Task): Field<TrainerSpec> {
  const fitting = ALL_TRAINERS.filter((trainer) => trainer.tasks.includes(task)).map((trainer) => trainer.name);
  const outer = objectField("How the model learns.", {
    name: choiceField(`The trainer; these fit the task "${task}".`, fitting),
    params: optional(jsonField("Parameters of the trainer.")),
  });
  return {
    info: outer.info,
    read(value, place) {
      const { name, params } = outer.read(value, { ...place, record: () => {} });
      const { params: own, embed } = readEmbed(name, params, place);
      const given = (own ?? {}) as JsonObject;
      const resolved = resolveParams(name, given, place.path);
      place.record(`${place.path}.name`, place.originOf(place.path));
      for (const key of Object.keys(resolved)) {
        const path = `${place.path}.params.${key}`;
        place.record(path, Object.hasOwn(given, key) ? place.originOf(path) : "default");
      }
      return { name, params: resolved, ...(embed === undefined ? {} : { embed }) };
    },
  };
}

/** The trainer's own error does not know where in the configuration it stands. */
function resolveParams(name: string, given: JsonObject, path: string): JsonObject {
  try {
    return describeTrainer(name).resolveParams(given);
  } catch (error) {
    if (!(error instanceof RetrainError)) throw error;
    const { code, message, remedy, details } = error;
    throw fail(code, { message: `In \`${path}\`: ${message}`, remedy, details: { path, ...details }, cause: error });
  }
}
