/**
 * `queue`: chooses the examples people are asked about, out of a pool file. Scores every row with the live version (and the
 * members of a committee), turns scores into what a label would tell, and spreads the picks. Runs in the training process: a
 * pool of 100,000 × 50 takes about a second, which the serving event loop never sees.
 */
import { fail, systemClock } from "../core/index.ts";
import type { Json, JsonObject } from "../core/index.ts";
import type { JobHandler } from "../core/job-child.ts";
import type { ModelSpec } from "../config/spec.ts";
import { createPreparedWriter, fitPreparation } from "../data/index.ts";
import type { DataSchema, Frame } from "../data/index.ts";
import type { LabelingSpec } from "../feedback/spec.ts";
import { selectBatch } from "../feedback/select-batch.ts";
import { findTrainer } from "../learn/index.ts";
import type { ScoreRow } from "../learn/index.ts";
import { backboneOf, createPredictor, embedFrame } from "../model/index.ts";
import type { Artifact } from "../model/index.ts";
import { expectedErrors, parseCalibration, quantileWidths } from "../monitor/index.ts";
import { committeeUncertainty, rowUncertainty, type ScoreMatrix } from "../stats/index.ts";
import { readArtifactFolder } from "./folder.ts";
import { type Pool, readPoolFile } from "./pool-file.ts";

export interface QueueJob {
  /** Path of the pool file. */
  readonly pool: string;
  readonly spec: ModelSpec;
  readonly policy: LabelingSpec;
  readonly count: number;
  /** A batch takes at most this share of the pool, so that there is something to choose from. */
  readonly mostShare: number;
  readonly seed: number;
  /** Examples that were asked about before. */
  readonly asked: readonly string[];
  /** The live version first; older ones, or a challenger, join its committee. Empty: cold start. */
  readonly versions: readonly string[];
  /** Why nothing is known of the pool, though there is a version. */
  readonly coldStart?: string;
}
export interface QueuePick {
  readonly exampleId: string;
  readonly predictionId: string | null;
  readonly origin: "strategy" | "random";
  readonly acquisition: number | null;
  readonly probability: number;
}
export interface QueueResult {
  readonly poolSize: number;
  readonly strategy: string;
  readonly note?: string;
  readonly picks: readonly QueuePick[];
  readonly durationMs: number;
}

/** Rows that a scaling of the columns is fitted on: its medians and deviations need no more. */
const SCALING_ROWS = 20_000;
/** Rows scored at a time: their prepared matrix stays in the cache. */
const SCORE_BLOCK = 4_096;

export const queue: JobHandler = async (raw) => {
  const job = raw as unknown as QueueJob;
  const started = systemClock.monotonicMs();
  const pool = await readPoolFile(job.pool, job.spec.schema);
  const asked = new Set(job.asked);
  const rows = Uint32Array.from({ length: pool.frame.rows }, (_, row) => row).filter(
    (row) => !asked.has(pool.exampleIds[row] as string),
  );
  const artifacts = job.coldStart === undefined ? await Promise.all(job.versions.map(readArtifactFolder)) : [];
  const known = acquisitionOf(job, pool.frame, rows, artifacts);
  const picks = selectBatch(
    {
      rows: rows.length,
      ...(known.values === undefined ? {} : { acquisition: known.values }),
      embed: embedding(pool, rows, job.spec.schema.features),
    },
    {
      ...job.policy,
      count: Math.min(job.count, Math.floor(job.mostShare * rows.length)),
      randomShare: known.onlyRandom ? 1 : job.policy.random,
      seed: job.seed,
    },
  );
  const result: QueueResult = {
    poolSize: rows.length,
    strategy: known.strategy,
    ...(known.note === undefined ? {} : { note: known.note }),
    picks: picks.map(({ row, ...pick }) => ({
      ...pick,
      exampleId: pool.exampleIds[rows[row] as number] as string,
      predictionId: pool.predictionIds[rows[row] as number] as string | null,
    })),
    durationMs: systemClock.monotonicMs() - started,
  };
  return result as unknown as JsonObject & { readonly picks: Json };
};

interface Acquisition {
  readonly strategy: string;
  readonly note?: string;
  readonly values?: Float64Array;
  readonly onlyRandom: boolean;
}

function acquisitionOf(job: QueueJob, frame: Frame, rows: Uint32Array, artifacts: readonly Artifact[]): Acquisition {
  const { strategy } = job.policy;
  if (strategy === "random") return { strategy, onlyRandom: true };
  const [live, ...others] = artifacts;
  if (live === undefined)
    return spreadOut(job.coldStart ?? "There is no live version yet: examples are spread over the data.");
  const asked = { job, frame, rows, live, others };
  if (job.spec.schema.task === "regression") return ofNumbers(asked);
  const scores = scoresOf(live, frame, rows);
  if (strategy === "committee") return committeeOf(asked) ?? withoutCommittee(live, scores);
  if (strategy === "slices") {
    const errors = rowUncertainty("least-confidence", scores);
    return { strategy, values: sliceUncertainty(job, frame, rows, errors), onlyRandom: false };
  }
  // Numbers have an interval; asked of classes the word is refused before, and means the default here.
  const measure = strategy === "quantile-width" ? "margin" : strategy;
  return { strategy: measure, values: rowUncertainty(measure, scores), onlyRandom: false };
}

const spreadOut = (note: string): Acquisition => ({ strategy: "spread", note, onlyRandom: false });

interface Asked {
  readonly job: QueueJob;
  readonly frame: Frame;
  readonly rows: Uint32Array;
  readonly live: Artifact;
  readonly others: readonly Artifact[];
}

/** Numbers: how wide the interval of the label is, or what error to expect in the row's slices; else a committee's spread. */
function ofNumbers(asked: Asked): Acquisition {
  const { job, frame, rows, live } = asked;
  const { strategy } = job.policy;
  const alone =
    "and its trainer has one opinion: there is no disagreement to go by, and examples are spread over the data.";
  if (strategy === "committee") return committeeOf(asked) ?? spreadOut(`There is one version ${alone}`);
  const { errors } = parseCalibration(live.calibration) ?? {};
  const answered = () => ({ frame, rows, answers: scoresOf(live, frame, rows).values });
  if (errors !== undefined && strategy === "slices") {
    const values = sliceUncertainty(job, frame, rows, expectedErrors(errors, answered()));
    return { strategy, values, onlyRandom: false };
  }
  const widths = errors?.quantiles === undefined ? undefined : quantileWidths(errors, answered());
  if (widths !== undefined) return { strategy: "quantile-width", values: widths, onlyRandom: false };
  const why =
    errors === undefined
      ? "The live version held too few rows out to know the width of its intervals (200 are enough)"
      : "The live version was made before versions knew the width of their intervals";
  const committee = committeeOf(asked);
  if (committee === undefined) return spreadOut(`${why}, ${alone}`);
  return { ...committee, note: `${why}: a committee is used instead. The next version may know it.` };
}

/** What the version's own members, older versions and a challenger disagree about; undefined where there is one opinion. */
function committeeOf({ job, frame, rows, live, others }: Asked): Acquisition | undefined {
  const scorers = findTrainer(live.manifest.trainer).committee?.(live.weights, job.spec.schema.task) ?? [];
  const own =
    scorers.length > 1 ? scorers.map((score) => scoreRows(live, score, frame, rows)) : [scoresOf(live, frame, rows)];
  const same = others.filter((one) => JSON.stringify(one.manifest.classes) === JSON.stringify(live.manifest.classes));
  const members = [...own, ...same.map((one) => scoresOf(one, frame, rows))];
  if (members.length < 2) return undefined;
  return { strategy: "committee", values: committeeUncertainty(members), onlyRandom: false };
}

function withoutCommittee(live: Artifact, scores: ScoreMatrix): Acquisition {
  const note = `There is one version and the trainer ${live.manifest.trainer} has one opinion: the margin is used instead.`;
  return { strategy: "margin", note, values: rowUncertainty("margin", scores), onlyRandom: false };
}

/** The served scores of the rows, one column per class. */
function scoresOf(artifact: Artifact, frame: Frame, rows: Uint32Array): ScoreMatrix {
  const { manifest, preparation, weights } = artifact;
  const { task, classes, threshold } = manifest;
  const predictor = createPredictor({
    task,
    classes,
    preparation,
    weights,
    ...(threshold === undefined ? {} : { threshold }),
  });
  const values = predictor.scoreFrame(frame, rows);
  if (task !== "binary") return { values, width: task === "regression" ? 1 : classes.length };
  return {
    values: Float64Array.from({ length: values.length * 2 }, (_, i) =>
      i % 2 === 1 ? (values[i >> 1] as number) : 1 - (values[i >> 1] as number),
    ),
    width: 2,
  };
}

function scoreRows(artifact: Artifact, score: ScoreRow, frame: Frame, rows: Uint32Array): ScoreMatrix {
  const { task, classes } = artifact.manifest;
  const width = task === "regression" ? 1 : classes.length;
  const { embed, ...own } = artifact.preparation;
  const embedded = embed === undefined ? frame : embedFrame(frame, embed, backboneOf(artifact.weights), rows);
  const writer = createPreparedWriter(own);
  const values = new Float64Array(rows.length * width);
  const out = new Float64Array(width);
  for (let from = 0; from < rows.length; from += SCORE_BLOCK) {
    const block = rows.subarray(from, from + SCORE_BLOCK);
    const x = writer.writeFrame(embedded, block);
    for (let i = 0; i < block.length; i++) {
      score(x, i * writer.width, out);
      values.set(out, (from + i) * width);
    }
  }
  return { values, width };
}

/** The error to expect of each row, weighted by how wrong the model expects to be in the row's slices. */
function sliceUncertainty(job: QueueJob, frame: Frame, rows: Uint32Array, errors: Float64Array): Float64Array {
  const overall = errors.reduce((sum, one) => sum + one, 0) / Math.max(1, errors.length);
  const values = errors.slice();
  if (!(overall > 0)) return values;
  for (const name of job.spec.slices) {
    const column = frame.columns.find((one) => one.name === name);
    if (column === undefined) throw sliceUnknown(name);
    const keyOf = (row: number) => (column.kind === "category" ? column.codes[row] : column.values[row]) as number;
    const sums = new Map<number, { sum: number; count: number }>();
    rows.forEach((row, i) => {
      const sum = sums.get(keyOf(row)) ?? { sum: 0, count: 0 };
      sum.sum += errors[i] as number;
      sum.count++;
      sums.set(keyOf(row), sum);
    });
    rows.forEach((row, i) => {
      const { sum, count } = sums.get(keyOf(row)) as { sum: number; count: number };
      values[i] = ((values[i] as number) * (sum / count)) / overall;
    });
  }
  return values;
}

function sliceUnknown(name: string) {
  return fail("INTERNAL", { message: `The pool has no column "${name}".`, remedy: "Ask for the batch again." });
}

/** Dense, scaled columns of the pool itself: what the rows look like, whatever the model makes of them. */
function embedding(pool: Pool, rows: Uint32Array, features: DataSchema["features"]) {
  const step = Math.max(1, Math.ceil(rows.length / SCALING_ROWS));
  const sample = rows.filter((_, i) => i % step === 0);
  const preparation = fitPreparation({ frame: pool.frame, rows: sample, input: "dense", classes: [], wide: features });
  const writer = createPreparedWriter(preparation);
  return (wanted: Uint32Array) => ({
    values: writer.writeFrame(
      pool.frame,
      wanted.map((row) => rows[row] as number),
    ),
    dimension: Math.max(1, writer.width),
  });
}
