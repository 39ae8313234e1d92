/**
 * A model from outside as the server has it: the file runs in a process of its own, which may hang or crash, and answers come
 * with a promise. Load and probes are passed there before the version is offered.
 */
import { fail } from "../../core/index.ts";
import type { Features, HostedModel, ModelHost } from "../../core/index.ts";
import { askEmbedding, embeddingBlock, embedRows, readEmbedding, rowsOfFeatures } from "../../data/index.ts";
import { compareProbe } from "../probe.ts";
import type { Probe } from "../probe.ts";
import type { Prediction, PredictionTrace, Predictor, PredictorParts } from "../predictor.ts";
import { backboneOf, EMBEDDED_TOLERANCE } from "./embed.ts";
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
  /** How an answer of `predictRows` came about. */
  trace(row: Features, answer: Prediction): PredictionTrace;
}

/**
 * Asks a hosted model, in batches without a timer: what arrived while the last batch was under way, or in the same turn of the
 * event loop, is the next batch. A single caller waits for nothing; many share the cost of the way.
 */
function inBatches(
  most: number,
  askAll: (rows: readonly Features[]) => Promise<readonly Prediction[]>,
): RemoteScorer["predictRows"] {
  let waiting: Waiting[] = [];
  let busy = false;
  const work = async () => {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, most);
      waiting = waiting.slice(most);
      try {
        const answers = await askAll(batch.map(({ row }) => row));
        batch.forEach((one, i) => one.resolve(answers[i] as Prediction));
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
  return (rows) => Promise.all(rows.map(ask));
}

export function createRemoteScorer(parts: PredictorParts, hosted: HostedModel): RemoteScorer {
  const encoders = createEncoders(parts);
  const { width, toPrediction, threshold } = describeAnswers(parts);
  return {
    predictRows: inBatches(BATCH_ROWS, async (rows) => {
      const answer = await hosted.run(encoders.ofRows(rows), encoders.output);
      const scores = scoresOf(parts.task, width, rows.length, answer);
      refuseNonFinite(scores);
      return rows.map((_, i) => toPrediction(scores, i));
    }),
    trace: (row, answer) => ({
      prepared: encoders.explain(row),
      ...answer,
      ...(parts.task === "binary" ? { threshold } : {}),
    }),
  };
}

/** The hosted backbone makes the vectors, the head answers them here. */
function createEmbeddedScorer(
  head: Predictor,
  embedding: NonNullable<PredictorParts["preparation"]["embed"]>,
  hosted: HostedModel,
): RemoteScorer {
  /** What each answer was given to: asked again only for a trace. */
  const embedded = new WeakMap<Prediction, Features>();
  return {
    predictRows: inBatches(embeddingBlock(embedding), async (rows) => {
      const source = rowsOfFeatures(embedding, rows);
      const question = askEmbedding(embedding, source);
      const answer = question.asked.length === 0 ? [] : await hosted.run(question.feeds, embedding.output);
      const vectors = readEmbedding(embedding, source, question, answer);
      return embedRows(embedding, rows, vectors).map((row) => {
        const prediction = head.predictRow(row);
        embedded.set(prediction, row);
        return prediction;
      });
    }),
    trace(row, answer) {
      const given = embedded.get(answer);
      const { threshold } = head;
      return given === undefined
        ? { prepared: [], ...answer, ...(threshold === undefined ? {} : { threshold }) }
        : head.trace(given);
    },
  };
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

type RemotePredictor = Predictor & { readonly remote: RemoteScorer; close(): void };

/** @throws DEPENDENCY_MISSING, MODEL_INVALID, MODEL_HOST_FAILED, PROBE_MISMATCH, PREDICTIONS_ONLY */
export async function openRemotePredictor(
  parts: PredictorParts,
  host: ModelHost,
  probes: readonly Probe[],
): Promise<RemotePredictor> {
  const { weights } = parts;
  // Recorded predictions refuse by themselves.
  if (!isOnnx(weights)) createLocalOnnxPredictor(parts).predictRow({});
  const hosted = await host.open(weights.arrays["onnx"] as Uint8Array);
  return await probed(parts, hosted, createRemoteScorer(parts, hosted), { probes, tolerance: ONNX_TOLERANCE });
}

/** A head of ours behind a hosted backbone. @throws DEPENDENCY_MISSING, MODEL_INVALID, MODEL_HOST_FAILED, PROBE_MISMATCH */
export async function openEmbeddedPredictor(
  parts: PredictorParts & { readonly head: Predictor },
  host: ModelHost,
  probes: readonly Probe[],
): Promise<RemotePredictor> {
  const embedding = parts.preparation.embed as NonNullable<PredictorParts["preparation"]["embed"]>;
  const hosted = await host.open(backboneOf(parts.weights));
  const remote = createEmbeddedScorer(parts.head, embedding, hosted);
  return await probed(parts, hosted, remote, { probes, tolerance: EMBEDDED_TOLERANCE });
}

/** Asks the probes before anybody sees the version. */
async function probed(
  { task, classes, threshold }: PredictorParts,
  hosted: HostedModel,
  remote: RemoteScorer,
  { probes, tolerance }: { readonly probes: readonly Probe[]; readonly tolerance: number },
): Promise<RemotePredictor> {
  try {
    const answers = await remote.predictRows(probes.map(({ features }) => features));
    probes.forEach((probe, row) => compareProbe(row, probe, (answers[row] as Prediction).scores, tolerance));
  } catch (error) {
    hosted.close();
    throw error;
  }
  return {
    task,
    classes,
    ...(task === "binary" ? { threshold: threshold ?? 0.5 } : {}),
    tolerance,
    predictRow: notInPlace,
    predictRows: notInPlace,
    trace: notInPlace,
    scoreFrame: notInPlace,
    remote,
    close: () => hosted.close(),
  };
}
