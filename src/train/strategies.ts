/**
 * Training strategies as pure selections: which rows train, from which weights, with which parameters. `full` starts afresh on
 * all training rows. `warm-start` and `incremental` start from a base version and train on what it has not seen, plus a replayed
 * part of what it has, so that learning the new does not forget the old. `transfer` trains on all rows from another model's
 * hidden layers.
 */
import { createRandom, fail, seedFrom, shuffleInPlace } from "../core/index.ts";
import type { Instant, JsonObject, TrainingStrategy } from "../core/index.ts";
import type { TrainerDescription } from "../learn/index.ts";

/** Warm start: this many old rows for each new one; a fine-tune mostly remembers. */
const WARM_REPLAY = 4;
/** Incremental: this share of old rows for each new one; it follows, cheaply. */
const INCREMENTAL_REPLAY = 0.2;
/** Old rows replayed at least: below that a handful of new rows would tear the weights away. */
const REPLAY_MIN_ROWS = 1000;
const INCREMENTAL_MIN_ROWS = 200;
/** Passes of an incremental training at most. */
const INCREMENTAL_EPOCHS = 3;

/** What the base version was trained on. */
export interface BaseLineage {
  readonly asOf: Instant;
  /** Latest event time that trained it; null where the split had no time. */
  readonly trainTo: Instant | null;
}

export interface Selection {
  /** Ascending rows of the dataset. */
  readonly rows: Uint32Array;
  readonly newRows: number;
  readonly replayedRows: number;
}

/**
 * @param train ascending training rows of the split
 * @param at event times, used where the base's split was by time; else `knownAt` decides what is new
 */
export function selectTrainingRows(options: {
  readonly strategy: TrainingStrategy;
  readonly train: Uint32Array;
  readonly at: Float64Array;
  readonly knownAt: Float64Array;
  readonly timeOrdered: boolean;
  readonly base: BaseLineage | undefined;
  readonly seed: number;
}): Selection {
  const { strategy, train, base } = options;
  if (strategy === "full" || strategy === "transfer" || base === undefined)
    return { rows: train, newRows: train.length, replayedRows: 0 };
  const trainTo = base.trainTo;
  const isNew =
    options.timeOrdered && trainTo !== null
      ? (row: number) => (options.at[row] as number) > trainTo
      : (row: number) => (options.knownAt[row] as number) > base.asOf;
  const fresh = train.filter(isNew);
  const old = train.filter((row) => !isNew(row));
  const wanted =
    strategy === "warm-start"
      ? Math.max(WARM_REPLAY * fresh.length, REPLAY_MIN_ROWS)
      : Math.max(Math.ceil(INCREMENTAL_REPLAY * fresh.length), INCREMENTAL_MIN_ROWS);
  const replayed = sampleRows(old, Math.min(old.length, wanted), seedFrom(options.seed, "replay"));
  const rows = new Uint32Array(fresh.length + replayed.length);
  rows.set(fresh);
  rows.set(replayed, fresh.length);
  return { rows: rows.sort(), newRows: fresh.length, replayedRows: replayed.length };
}

function sampleRows(rows: Uint32Array, count: number, seed: number): Uint32Array {
  if (count >= rows.length) return rows;
  const shuffled = Uint32Array.from(rows);
  shuffleInPlace(shuffled, createRandom(seed));
  return shuffled.slice(0, count);
}

/**
 * The trainer's parameters under a strategy.
 * @throws CONFIG_INVALID when the trainer does not offer the strategy.
 */
export function strategyParams(
  trainer: TrainerDescription,
  strategy: TrainingStrategy,
  params: JsonObject,
): JsonObject {
  if (strategy === "best" || !trainer.strategies.includes(strategy)) {
    throw fail("CONFIG_INVALID", {
      message: `The trainer "${trainer.name}" cannot do "${strategy}"; it offers ${trainer.strategies.join(", ")}.`,
      remedy: "Set `retrain.how` to one of these.",
    });
  }
  const resolved = trainer.resolveParams(params);
  const epochs = resolved["epochs"];
  if (strategy !== "incremental" || typeof epochs !== "number") return resolved;
  return { ...resolved, epochs: Math.min(epochs, INCREMENTAL_EPOCHS) };
}
