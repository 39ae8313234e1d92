/** What an output must be before anybody compares or serves it. */
import { fail } from "../core/index.ts";
import type { Features, Task } from "../core/index.ts";
import type { Frame } from "../data/index.ts";
import { rowFeatures } from "../data/index.ts";
import { MAX_PROBES, sameScores } from "../model/index.ts";
import type { Predictor, Probe } from "../model/index.ts";

/** Whose answers are looked at, and what helps where they are none. */
export interface AnswerSource {
  /** As the subject of a sentence. */
  readonly who: string;
  readonly remedy: string;
}
export const trainedBy = (trainer: string): AnswerSource => ({
  who: `The model of trainer "${trainer}"`,
  remedy: "The version is not registered; look at the run's trace and data.",
});
export const IMPORTED: AnswerSource = {
  who: "The imported ONNX model",
  remedy:
    'Missing numbers arrive as NaN and missing texts as "": fill them inside the graph (an imputer before the model, exported with it), look for divisions by zero and logarithms, and import the model again.',
};

function invalid({ remedy }: AnswerSource, message: string) {
  return fail("OUTPUT_INVALID", { message, remedy });
}

/** Probabilities may miss a sum of 1 by this much: k roundings of 64-bit floats stay far below. */
const SUM_TOLERANCE = 1e-6;

/** @throws OUTPUT_INVALID for NaN, infinities, probabilities outside [0, 1] or not summing to 1. */
export function requireValidScores(task: Task, scores: Float64Array, width: number, source: AnswerSource): void {
  for (let row = 0; row < scores.length / width; row++) {
    let sum = 0;
    for (let i = 0; i < width; i++) {
      const score = scores[row * width + i] as number;
      sum += score;
      if (Number.isFinite(score) && (task === "regression" || (score >= 0 && score <= 1))) continue;
      throw invalid(
        source,
        `${source.who} answers ${score} for held-out row ${row + 1}; ${task === "regression" ? "a finite number" : "a probability"} is expected.`,
      );
    }
    if (task === "multiclass" && Math.abs(sum - 1) > SUM_TOLERANCE) {
      throw invalid(
        source,
        `${source.who} answers probabilities that sum to ${sum}, not to 1, for held-out row ${row + 1}.`,
      );
    }
  }
}

/**
 * Rows with their recorded answers: spread over the holdout, one with every feature missing, one with an unseen category. Each
 * is asked twice and once as a batch. @throws OUTPUT_INVALID when an answer is no number, or the answers differ.
 */
export function makeProbes(predictor: Predictor, frame: Frame, rows: Uint32Array, source: AnswerSource): Probe[] {
  const spread = MAX_PROBES - 2;
  const step = Math.max(1, Math.floor(rows.length / spread));
  const picked = rows.filter((_, i) => i % step === 0).slice(0, spread);
  const batch = predictor.scoreFrame(frame, picked);
  const features: Features[] = Array.from(picked, (row) => rowFeatures(frame, row));
  const blank = Object.fromEntries(frame.columns.map(({ name }) => [name, null]));
  const strange = Object.fromEntries(
    frame.columns.map(({ name, kind }) => [
      name,
      kind === "category" ? "never seen before" : kind === "number" ? 0 : true,
    ]),
  );
  const probes = [...features, blank, strange].map((row) => ({
    features: row,
    scores: predictor.predictRow(row).scores,
  }));
  const width = picked.length === 0 ? 1 : batch.length / picked.length;
  probes.forEach((probe, i) => {
    const again = predictor.predictRow(probe.features).scores;
    const asBatch = i < picked.length ? batch.subarray(i * width, (i + 1) * width) : undefined;
    const own = width === 1 ? probe.scores.slice(-1) : probe.scores;
    const { tolerance } = predictor;
    const broken = probe.scores.find((score) => !Number.isFinite(score));
    if (broken !== undefined) {
      const which =
        i < picked.length
          ? `held-out row ${(picked[i] as number) + 1}`
          : i === picked.length
            ? "a row whose every feature is missing"
            : "a row with categories it has never seen";
      throw invalid(source, `${source.who} answers ${broken} for ${which}; a finite number is expected.`);
    }
    const isEqual = sameScores(again, probe.scores, tolerance);
    if (isEqual && (asBatch === undefined || sameScores(own, asBatch, tolerance))) return;
    throw invalid(
      source,
      `${source.who} answers the same row with [${probe.scores.join(", ")}] and then with [${again.join(", ")}].`,
    );
  });
  return probes;
}
