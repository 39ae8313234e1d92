/**
 * The contract every built-in trainer honors: a pure function of (prepared matrix, parameters, seed, starting weights).
 * Same inputs, same bits. Registered in `learn/index.ts`; one contract suite runs over the registry.
 */
import type { Json, JsonObject, Task } from "../core/index.ts";

/** A prepared matrix: `rows × columns` float32, row-major, no missing values unless the trainer takes them. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}

/** Targets: binary 0/1, multiclass class index, regression the value. Weights default to 1. */
export interface Targets {
  readonly values: Float64Array;
  readonly weights?: Float64Array;
  /** 2 for binary, k for multiclass, 0 for regression. */
  readonly classCount: number;
}

export interface TrainingPoint {
  readonly epoch: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** How far it is, in [0, 1], where the trainer itself knows. */
  readonly share?: number;
}

/** What a column of the matrix holds: a number (booleans are 0 and 1), or category codes 1..255 (255: other and unseen). */
export interface ColumnInfo {
  readonly name: string;
  readonly kind: "number" | "category";
}

export interface FitRequest {
  readonly task: Task;
  /** One per column of the matrices; absent: all numbers, named by their place. Trainers with the input "codes" look at it. */
  readonly columns?: readonly ColumnInfo[];
  readonly train: { readonly x: Matrix; readonly y: Targets };
  readonly validation: { readonly x: Matrix; readonly y: Targets };
  readonly params: JsonObject;
  /** Integer in [0, 2^32). */
  readonly seed: number;
  /** Weights of an earlier model, for warm-start and incremental. */
  readonly base?: TrainedWeights;
  /** Transfer: the base's hidden layers are reused under a new head, and the layers named here never learn. */
  readonly freeze?: readonly string[];
  readonly signal: AbortSignal;
  /** Called once an epoch (or block of trees); awaited, so that cancel and streaming get their turn. */
  readonly onPoint: (point: TrainingPoint) => Promise<void>;
  /** A checkpoint of the very same request: training goes on after it and ends in the same bits as if it had never stopped. */
  readonly resume?: TrainedWeights;
  /** Offered after epochs, awaited. `state` builds the checkpoint; not calling it costs nothing. */
  readonly onCheckpoint?: (state: () => TrainedWeights) => Promise<void>;
}

/** What a trainer learned: typed arrays by name plus JSON, both serialized bit for bit. */
export interface TrainedWeights {
  readonly trainer: string;
  readonly shape: JsonObject;
  readonly arrays: Readonly<Record<string, Float32Array | Float64Array | Int32Array | Uint8Array>>;
  readonly bestEpoch: number;
}

/** Scores a row of a prepared matrix: `out` gets classCount probabilities, or one value for regression. */
export type ScoreRow = (x: Float32Array, offset: number, out: Float64Array) => void;

/** Scores `rows` rows of a prepared matrix that follow one another: `out` gets what `ScoreRow` gives, row by row. */
export type ScoreRows = (x: Float32Array, rows: number, out: Float64Array) => void;

/** Learning one row at a time. What a learner knows after a row depends on the rows alone, in their order: the same rows, the same bits. */
export interface OnlineLearner {
  /**
   * Learns one row of the prepared matrix.
   * @param x holds the row's columns from `offset` on
   * @param target binary 0/1, multiclass class index, regression the value
   */
  partialFit(x: Float32Array, offset: number, target: number): void;
  /** Answers with what it knows now, to the bit as a version frozen now would. */
  readonly score: ScoreRow;
  /** Weights a version can have; a copy. */
  freeze(): TrainedWeights;
  /** Everything it knows, to go on from; a copy. */
  state(): TrainedWeights;
}

/** What a definition must know of a trainer. */
export interface TrainerDescription {
  readonly name: string;
  readonly tasks: readonly Task[];
  readonly strategies: readonly ("full" | "warm-start" | "incremental" | "transfer")[];
  /** Whether rows can weigh differently; absent: it counts them alike. */
  readonly takesWeights?: boolean;
  /** Whether a frozen model from outside may stand in front of it; absent: no. */
  readonly takesEmbedding?: boolean;
  readonly defaults: JsonObject;
  /** Throws CONFIG_INVALID naming the key, its range and the nearest known key. Returns the complete parameters. */
  resolveParams(params: Json): JsonObject;
}

/** A trainer of rows. */
export interface TrainerKind extends TrainerDescription {
  /** How `data/prepare` shapes its input: dense = imputed, scaled, one-hot; codes = raw numbers and category codes with NaN. */
  readonly input: "dense" | "codes" | "none";
  /** Where the input depends on the parameters. */
  inputFor?(params: JsonObject): "dense" | "codes" | "none";
  fit(request: FitRequest): Promise<TrainedWeights>;
  scorer(weights: TrainedWeights, task: Task): ScoreRow;
  /** The same answers, bit for bit, for many rows at once; absent where there is no faster way than one after the other. */
  rowsScorer?(weights: TrainedWeights, task: Task): ScoreRows;
  /** Learns one row at a time, from the weights or the state given; absent where the trainer cannot. */
  online?(from: TrainedWeights, task: Task, params: JsonObject): OnlineLearner;
  /** Several opinions out of one model, whose disagreement says what it does not know; absent where there is only one. */
  committee?(weights: TrainedWeights, task: Task): readonly ScoreRow[];
}

/** How `data/prepare` shapes the input of a trainer with these parameters. */
export function inputOf(trainer: TrainerKind, params: JsonObject): "dense" | "codes" | "none" {
  return trainer.inputFor?.(params) ?? trainer.input;
}
