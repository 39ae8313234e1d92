/**
 * A model from outside as the server has it: the file runs in a process of its own, which may hang or crash, and answers come
 * with a promise. Load and probes are passed there before the version is offered.
 */
import { fail } from "../../core/index.ts";
import type { Features, HostedModel, ModelHost } from "../../core/index.ts";
import { compareProbe } from "../probe.ts";
import type { Probe } from "../probe.ts";
import type { Prediction, Predictor, PredictorParts } from "../predictor.ts";
import { scoresOf } from "./feeds.ts";
import { createEncoders, createLocalOnnxPredictor, describeAnswers, isOnnx, ONNX_TOLERANCE } from "./predictor.ts";

/** Rows one request to the host carries at most. */
const BATCH_ROWS = 256;

interface Waiting {
  readonly row: Features;
  resolve(prediction: Prediction): void;
  reject(error: Error): void;
}

export interface RemoteScorer {
  /** @throws MODEL_HOST_FAILED, OUTPUT_INVALID */
  predictRows(rows: readonly Features[]): Promise<Prediction[]>;
  explain(row: Features): ReturnType<ReturnType<typeof createEncoders>["explain"]>;
}

/**
 * Asks the hosted model, in batches without a timer: what arrived while the last batch was under way, or in the same turn of the
 * event loop, is the next batch. A single caller waits for nothing; many share the cost of the way.
 */
export function createRemoteScorer(parts: PredictorParts, hosted: HostedModel): RemoteScorer {
  const encoders = createEncoders(parts);
  const { width, toPrediction } = describeAnswers(parts);
  let waiting: Waiting[] = [];
  let busy = false;
  const work = async () => {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH_ROWS);
      waiting = waiting.slice(BATCH_ROWS);
      try {
        const answer = await hosted.run(encoders.ofRows(batch.map(({ row }) => row)), encoders.output);
        const scores = scoresOf(parts.task, width, batch.length, answer);
        refuseNonFinite(scores);
        batch.forEach((one, i) => one.resolve(toPrediction(scores, i)));
      } catch (error) {
        for (const one of batch) one.reject(error as Error);
      }
    }
    busy = false;
  };
  const ask = (row: Features) =>
    new Promise<Prediction>((resolve, reject) => {
      waiting.push({ row, resolve, reject });
      if (busy) return;
      busy = true;
      queueMicrotask(() => void work());
    });
  return { predictRows: (rows) => Promise.all(rows.map(ask)), explain: encoders.explain };
}

function refuseNonFinite(scores: Float64Array): void {
  const bad = scores.findIndex((score) => !Number.isFinite(score));
  if (bad < 0) return;
  throw fail("OUTPUT_INVALID", {
    message: `The ONNX model answered ${String(scores[bad])}, which is no score.`,
    remedy: "Roll back to the version before; its probes did not hold such a row.",
  });
}

const notInPlace = (): never => {
  throw fail("INTERNAL", {
    message: "A model in another process was asked for an answer in place.",
    remedy: "Report it: callers await `remote.predictRows` where it is there.",
  });
};

/** @throws DEPENDENCY_MISSING, MODEL_INVALID, MODEL_HOST_FAILED, PROBE_MISMATCH, PREDICTIONS_ONLY */
export async function openRemotePredictor(
  parts: PredictorParts,
  host: ModelHost,
  probes: readonly Probe[],
): Promise<Predictor & { readonly remote: RemoteScorer; close(): void }> {
  const { task, classes, weights } = parts;
  // Recorded predictions refuse by themselves.
  if (!isOnnx(weights)) createLocalOnnxPredictor(parts).predictRow({});
  const hosted = await host.open(weights.arrays["onnx"] as Uint8Array);
  const remote = createRemoteScorer(parts, hosted);
  try {
    const answers = await remote.predictRows(probes.map(({ features }) => features));
    probes.forEach((probe, row) => compareProbe(row, probe, (answers[row] as Prediction).scores, ONNX_TOLERANCE));
  } catch (error) {
    hosted.close();
    throw error;
  }
  return {
    task,
    classes,
    ...(task === "binary" ? { threshold: parts.threshold ?? 0.5 } : {}),
    tolerance: ONNX_TOLERANCE,
    predictRow: notInPlace,
    predictRows: notInPlace,
    trace: notInPlace,
    scoreFrame: notInPlace,
    remote,
    close: () => hosted.close(),
  };
}
