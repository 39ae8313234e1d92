/**
 * Models that came from outside. Two kinds are kept: an ONNX file with its signature, and recorded predictions, which compare a
 * trainer that cannot export with the champion and can never be served.
 *
 * Here they answer in place, for training processes; `remote.ts` asks a process of their own, for servers.
 */
import { fail } from "../../core/index.ts";
import type { Features, JsonObject } from "../../core/index.ts";
import { createPreparedWriter, rowFeatures } from "../../data/index.ts";
import type { Frame } from "../../data/index.ts";
import type { TrainedWeights } from "../../learn/index.ts";
import { decideScores } from "../predictor.ts";
import type { Prediction, Predictor, PredictorParts } from "../predictor.ts";
import { feedOfMatrix, feedsOfRows, scoresOf } from "./feeds.ts";
import { signatureFromJson } from "./signature.ts";
import type { OnnxSignature } from "./signature.ts";
import { openSyncSession } from "./sync-session.ts";
import type { SyncSession } from "./sync-session.ts";

/** Sums of a batch and of one row run in different orders; single precision then differs by some 1e-6. */
export const ONNX_TOLERANCE = 1e-5;
/** Rows asked at a time: enough to hide the way to the session, few enough to stay in the cache. */
const BLOCK_ROWS = 4096;

export const isExternal = ({ trainer }: TrainedWeights): boolean => trainer === "command";
/** Whether the weights are an ONNX file, as those of external trainers and imports are. */
export const isOnnx = ({ arrays }: TrainedWeights): boolean => arrays["onnx"] instanceof Uint8Array;

export function externalOnnx(onnx: Uint8Array, signature: OnnxSignature, epochs: number): TrainedWeights {
  return {
    trainer: "command",
    shape: { signature: signature as unknown as JsonObject },
    arrays: { onnx },
    bestEpoch: epochs,
  };
}

/** @param rows dataset rows, ascending; @param scores rows × width (binary: width 1, p(true)) */
export function recordedPredictions(rows: Uint32Array, scores: Float64Array, epochs: number): TrainedWeights {
  return {
    trainer: "command",
    shape: { recorded: true },
    arrays: { rows: Int32Array.from(rows), scores },
    bestEpoch: epochs,
  };
}

/** Sessions by the array of their file: the steps of one evaluation open the same model several times. */
const sessions = new WeakMap<Uint8Array, SyncSession>();

function sessionOf(model: Uint8Array): SyncSession {
  const known = sessions.get(model);
  if (known !== undefined) return known;
  const opened = openSyncSession(model);
  sessions.set(model, opened);
  return opened;
}

/** A function from rows to scores (rows × max(1, classes)) and one from frames, both by way of `ask`. */
export function createEncoders(parts: PredictorParts) {
  const { preparation, weights } = parts;
  const signature = signatureFromJson(weights.shape["signature"] as JsonObject);
  const writer = createPreparedWriter(preparation);
  const names = preparation.features.map((feature) => feature.name);
  const isRaw = preparation.input === "none";
  return {
    output: signature.output.name,
    ofRows(rows: readonly Features[]) {
      if (isRaw) return feedsOfRows(signature, names, rows);
      const values = new Float32Array(rows.length * writer.width);
      rows.forEach((row, i) => writer.write(row, values, i * writer.width));
      return [feedOfMatrix(signature, values, rows.length)];
    },
    ofFrame(frame: Frame, rows: Uint32Array) {
      if (!isRaw) return [feedOfMatrix(signature, writer.writeFrame(frame, rows), rows.length)];
      return feedsOfRows(
        signature,
        names,
        Array.from(rows, (row) => rowFeatures(frame, row)),
      );
    },
    explain: (row: Features) => writer.explain(row),
  };
}

export function describeAnswers(parts: PredictorParts) {
  const { task, classes } = parts;
  const threshold = parts.threshold ?? 0.5;
  const width = task === "regression" ? 1 : classes.length;
  const toPrediction = (scores: Float64Array, row: number): Prediction => {
    const own = Array.from(scores.subarray(row * width, (row + 1) * width));
    return { scores: own, decision: decideScores(task, classes, threshold, own) };
  };
  return { threshold, width, toPrediction };
}

/** Answers in place; blocks this thread while the model works. @throws DEPENDENCY_MISSING, MODEL_INVALID, OUTPUT_INVALID */
export function createLocalOnnxPredictor(parts: PredictorParts): Predictor {
  const { task, classes, weights } = parts;
  if (!isOnnx(weights)) return createRecordedPredictor(parts);
  const encoders = createEncoders(parts);
  const { threshold, width, toPrediction } = describeAnswers(parts);
  const session = sessionOf(weights.arrays["onnx"] as Uint8Array);
  const predictRows = (rows: readonly Features[]): Prediction[] => {
    if (rows.length === 0) return [];
    const scores = scoresOf(task, width, rows.length, session.run(encoders.ofRows(rows), encoders.output));
    return rows.map((_, i) => toPrediction(scores, i));
  };
  const predictRow = (row: Features) => predictRows([row])[0] as Prediction;
  return {
    task,
    classes,
    ...(task === "binary" ? { threshold } : {}),
    tolerance: ONNX_TOLERANCE,
    predictRow,
    predictRows,
    trace: (row) => ({
      prepared: encoders.explain(row),
      ...predictRow(row),
      ...(task === "binary" ? { threshold } : {}),
    }),
    scoreFrame(frame, rows) {
      const kept = task === "multiclass" ? width : 1;
      const out = new Float64Array(rows.length * kept);
      for (let from = 0; from < rows.length; from += BLOCK_ROWS) {
        const block = rows.subarray(from, from + BLOCK_ROWS);
        const answer = session.run(encoders.ofFrame(frame, block), encoders.output);
        const scores = scoresOf(task, width, block.length, answer);
        if (task === "multiclass") out.set(scores, from * width);
        else for (let i = 0; i < block.length; i++) out[from + i] = scores[i * width + width - 1] as number;
      }
      return out;
    },
  };
}

function createRecordedPredictor({ task, classes, weights }: PredictorParts): Predictor {
  const rows = weights.arrays["rows"] as Int32Array;
  const scores = weights.arrays["scores"] as Float64Array;
  const width = task === "multiclass" ? classes.length : 1;
  const places = new Map(Array.from(rows, (row, place) => [row, place] as const));
  const refuse = (): never => {
    throw fail("PREDICTIONS_ONLY", {
      message:
        "This version is a list of predictions made by an external trainer, not a model: it cannot answer new rows.",
      remedy: "Let the trainer write out/model.onnx to make a version that can be served.",
    });
  };
  return {
    task,
    classes,
    isRecorded: true,
    predictRow: refuse,
    predictRows: refuse,
    trace: refuse,
    scoreFrame(_frame, wanted) {
      const out = new Float64Array(wanted.length * width);
      wanted.forEach((row, i) => {
        const place = places.get(row);
        if (place === undefined) return refuse();
        out.set(scores.subarray(place * width, (place + 1) * width), i * width);
      });
      return out;
    },
  };
}
