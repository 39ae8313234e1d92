/**
 * A candidate that learned example by example. Its weights are the fold's; it is judged by what it answered before it learned each
 * held-out row, because it has learned them all since. That is how the learner did, not quite how these weights will: they know more.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { asRetrainError, fail, plural } from "../core/index.ts";
import type { Instant, JsonObject } from "../core/index.ts";
import { hashExampleId } from "../data/index.ts";
import type { Dataset } from "../data/index.ts";
import { findTrainer } from "../learn/index.ts";
import type { TrainedWeights, TrainingPoint } from "../learn/index.ts";
import type { Artifact, Predictor } from "../model/index.ts";
import { type JudgedExample, parseFold } from "../train/index.ts";
import { readArtifactFolder } from "./folder.ts";
import type { JobInput } from "./input.ts";

/** Points of the curve of losses. */
const CURVE_POINTS = 40;

export interface Frozen {
  readonly base: Artifact;
  readonly weights: TrainedWeights;
  readonly learned: { readonly basis: string; readonly rows: number; readonly through: Instant };
  readonly judged: readonly JudgedExample[];
}

/** What the run froze; undefined where it froze nothing and trains as ever. @throws FILE_INVALID */
export async function readFrozen(input: JobInput, strategy: string): Promise<Frozen | undefined> {
  if (strategy !== "incremental" || input.baseFolder === undefined) return undefined;
  const content = await readFile(join(input.folder, "frozen.json")).catch(() => undefined);
  if (content === undefined) return undefined;
  const base = await readArtifactFolder(input.baseFolder);
  try {
    const { basisArtifact, learned, through, judged, learner } = parseFold(content);
    const { trainer, task, params } = base.manifest;
    const online = findTrainer(trainer).online?.(learner, task, params);
    if (online === undefined || through === null) throw new Error(`${trainer} learned nothing`);
    return { base, weights: online.freeze(), learned: { basis: basisArtifact, rows: learned, through }, judged };
  } catch (error) {
    throw fail("FILE_INVALID", {
      message: `frozen.json of the job folder cannot be read: ${asRetrainError(error).message}`,
      remedy: "Start the run again; it freezes the state anew.",
      cause: error,
    });
  }
}

/** Mean losses before learning, in blocks of examples, as the training curve. */
export function frozenCurve({ judged }: Frozen): TrainingPoint[] {
  const size = Math.max(1, Math.ceil(judged.length / CURVE_POINTS));
  const points: TrainingPoint[] = [];
  for (let from = 0; from < judged.length; from += size) {
    const block = judged.slice(from, from + size);
    const mean = block.reduce((sum, { loss }) => sum + loss, 0) / block.length;
    points.push({ epoch: points.length + 1, metrics: { validationLoss: mean } });
  }
  return points;
}

/** The candidate as it is judged: answers to rows of the dataset are those it gave before it learned them. */
export function judgedAsLearned(
  frozen: Frozen,
  dataset: Dataset,
  candidate: Predictor,
  holdout: Uint32Array,
): { readonly candidate: Predictor; readonly holdout: Uint32Array } {
  const key = (low: number, high: number) => `${low}/${high}`;
  const scoresOf = new Map(
    frozen.judged.map(({ exampleId, scores }) => {
      const [low, high] = hashExampleId(exampleId);
      return [key(low, high), scores];
    }),
  );
  const answered = (row: number) =>
    scoresOf.get(key(dataset.idHash[row * 2] as number, dataset.idHash[row * 2 + 1] as number));
  const rows = holdout.filter((row) => answered(row) !== undefined);
  if (rows.length === 0) {
    throw fail("DATASET_TOO_SMALL", {
      message: `None of the ${plural(holdout.length, "held-out row")} was answered before it was learned.`,
      remedy: "Wait for labels of newer rows, or run a full training.",
    });
  }
  return {
    holdout: rows,
    candidate: {
      ...candidate,
      scoreFrame(frame, wanted) {
        const known = frame === dataset.frame ? Array.from(wanted, answered) : [undefined];
        if (known.some((scores) => scores === undefined)) return candidate.scoreFrame(frame, wanted);
        // Two classes: the probability of the second alone, as frames are scored.
        const served = candidate.task === "binary" ? known.map((scores) => [scores?.[1] as number]) : known;
        return Float64Array.from(served.flatMap((scores) => [...(scores as readonly number[])]));
      },
    },
  };
}

export function frozenResult(points: readonly TrainingPoint[]): JsonObject {
  return {
    bestEpoch: points.length,
    epochs: points.length,
    stoppedEarly: false,
    metrics: { ...points.at(-1)?.metrics },
  };
}
