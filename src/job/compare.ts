/** Candidate, champion and baseline answer the same held-out rows; what `evaluate` and the second look at a held version share. */
import { asRetrainError, systemClock } from "../core/index.ts";
import type { EvaluationReport, LatencyEvidence } from "../core/index.ts";
import type { Dataset } from "../data/index.ts";
import { rowFeatures } from "../data/index.ts";
import { countLooks, evaluateCandidate } from "../evaluate/index.ts";
import { baselineFor } from "../learn/index.ts";
import { predictorOf } from "../model/index.ts";
import type { Artifact, Predictor } from "../model/index.ts";
import { type AnswerSource, requireValidScores, trainedBy } from "./checks.ts";
import { fitOnDataset } from "./fit.ts";
import { readArtifactFolder } from "./folder.ts";
import type { JobInput } from "./input.ts";
import { tryProbes } from "./gate-probes.ts";
import { sliceRows, slicesToJudge } from "./slices.ts";

export interface Champion {
  readonly artifact?: Artifact;
  readonly predictor?: Predictor;
  /** Why the champion cannot answer these rows: another definition, or a broken artifact. */
  readonly skipped?: string;
}

/** A champion that cannot answer (its features are gone) does not fail the run: the gate then cannot tell, and says so. */
export async function readChampion(input: JobInput, dataset: Dataset): Promise<Champion | undefined> {
  if (input.championFolder === undefined) return undefined;
  try {
    const artifact = await readArtifactFolder(input.championFolder);
    const predictor = predictorOf(artifact);
    predictor.scoreFrame(dataset.frame, Uint32Array.of(0));
    return { artifact, predictor };
  } catch (error) {
    return { skipped: asRetrainError(error).message };
  }
}

/** Fewer rows than this compare nothing; the whole holdout is then used although the champion knows part of it: that favors the champion, the safe side. */
const MIN_UNSEEN_ROWS = 100;

/**
 * Held-out rows the champion did not train on. It knows some when it was refitted on all rows of its time, or when older rows
 * arrived since and moved the border of the holdout back; judged on rows it has seen it would beat any honest candidate. Without
 * event times only a refit can have seen held-out rows: the hash never moves a row from training into the holdout.
 */
export function unseenByChampion(
  holdout: Uint32Array,
  champion: Artifact | undefined,
  dataset: Dataset,
  input: JobInput,
): Uint32Array {
  if (champion === undefined) return holdout;
  const { trainTo, asOf } = champion.manifest.dataset;
  const isTimed = input.spec.schema.time !== undefined && trainTo !== null;
  if (!isTimed && !champion.manifest.refit) return holdout;
  const unseen = holdout.filter((row) =>
    isTimed ? (dataset.at[row] as number) > trainTo : (dataset.knownAt[row] as number) > asOf,
  );
  return unseen.length >= MIN_UNSEEN_ROWS ? unseen : holdout;
}

export interface Comparison {
  readonly input: JobInput;
  readonly dataset: Dataset;
  /** What the baseline learns from. */
  readonly train: Uint32Array;
  readonly validation: Uint32Array;
  readonly holdout: Uint32Array;
  readonly candidate: Predictor;
  readonly champion: Champion | undefined;
  readonly threshold: number | undefined;
  /** Whose the candidate is; default the trainer of the definition. */
  readonly source?: AnswerSource;
  readonly signal: AbortSignal;
}

export async function compare(options: Comparison): Promise<EvaluationReport> {
  const { input, dataset, holdout, candidate, champion, threshold } = options;
  const { task } = input.spec.schema;
  const width = task === "multiclass" ? dataset.classes.length : 1;
  const scores = alignedScores(candidate, dataset, holdout, width);
  requireValidScores(task, scores, width, options.source ?? trainedBy(input.spec.trainer.name));
  const championScores =
    champion?.predictor === undefined ? undefined : alignedScores(champion.predictor, dataset, holdout, width);
  const report = evaluateCandidate({
    task,
    classCount: width,
    labels: targetsOf(dataset, holdout),
    candidate: scores,
    ...(championScores === undefined ? {} : { champion: championScores }),
    ...(championScores === undefined || input.championVersion === undefined
      ? {}
      : { championVersion: input.championVersion }),
    baseline: await scoreBaseline(options, width),
    ...(threshold === undefined ? {} : { threshold }),
    ...(champion?.artifact?.manifest.threshold === undefined
      ? {}
      : { championThreshold: champion.artifact.manifest.threshold }),
    gatedMetrics: input.gatedMetrics,
    slices: sliceRows(dataset.frame, holdout, input.spec.slices),
    slicesToJudge: slicesToJudge(input.spec.gates, dataset.frame, holdout),
    judgeCalibration: input.spec.gates.some(({ kind }) => kind === "calibration"),
    classes: dataset.classes,
    ...(input.spec.schema.time === undefined
      ? {}
      : { at: Float64Array.from(holdout, (row) => dataset.at[row] as number) }),
    seed: input.seed,
  });
  const looks = countLooks(seenShares(input.earlierLooks, dataset, holdout));
  // Recorded predictions answer no new row, so there is no latency to measure and no behavior to probe.
  if (candidate.isRecorded === true) return { ...report, looks };
  const latency = measurePrediction(candidate, dataset, holdout);
  const probes = tryProbes(input.spec.gates, candidate, dataset.frame, holdout);
  return {
    ...report,
    ...(probes.length === 0 ? {} : { probes }),
    latency,
    predictMicroseconds: latency.p50Us,
    looks,
  };
}

/** Of each earlier look the share of these rows that it could have held out: those known at its instant. */
export function seenShares(earlier: readonly number[], dataset: Dataset, holdout: Uint32Array): number[] {
  return earlier.map((asOf) => {
    let seen = 0;
    for (const row of holdout) if ((dataset.knownAt[row] as number) <= asOf) seen++;
    return holdout.length === 0 ? 0 : seen / holdout.length;
  });
}

/** Scores in the class order of the rows; a class the version does not know gets probability 0. */
function alignedScores(predictor: Predictor, dataset: Dataset, holdout: Uint32Array, width: number): Float64Array {
  const scores = predictor.scoreFrame(dataset.frame, holdout);
  const own = predictor.classes;
  if (width === 1 || JSON.stringify(own) === JSON.stringify(dataset.classes)) return scores;
  const aligned = new Float64Array(holdout.length * width);
  dataset.classes.forEach((value, column) => {
    const from = own.indexOf(value);
    if (from === -1) return;
    for (let i = 0; i < holdout.length; i++) aligned[i * width + column] = scores[i * own.length + from] as number;
  });
  return aligned;
}

async function scoreBaseline(options: Comparison, width: number) {
  const { input, dataset, train, validation, holdout, signal } = options;
  const { task } = input.spec.schema;
  const trainer = baselineFor(task);
  const preparation = { format: 1, input: "none", features: [], columns: [], classes: dataset.classes } as const;
  const weights = await fitOnDataset({
    task,
    trainer,
    params: {},
    seed: input.seed,
    dataset,
    preparation,
    train,
    validation,
    folder: input.folder,
    signal,
    onPoint: async () => {},
  });
  const out = new Float64Array(Math.max(1, dataset.classes.length));
  trainer.scorer(weights, task)(new Float32Array(0), 0, out);
  const scores = new Float64Array(holdout.length * width);
  for (let i = 0; i < holdout.length; i++) {
    if (width === 1) scores[i] = out[out.length - 1] as number;
    else scores.set(out, i * width);
  }
  return { trainer: trainer.name, scores };
}

/** Predictions timed one by one: enough for an upper bound of the 99 % quantile, and a few ms at most. */
const TIMED_PREDICTIONS = 1000;
/** Of a model behind a session, whose answers take a hundred times as long and need no warming up. */
const TIMED_SESSION_PREDICTIONS = 50;
/** Index of the 996th fastest of 1,000: at least 5 calls are slower than the 99 % quantile with probability 0.97. */
const UPPER_RANK = 995;

function measurePrediction(predictor: Predictor, dataset: Dataset, holdout: Uint32Array): LatencyEvidence {
  const rows = Array.from(holdout.subarray(0, 100), (row) => rowFeatures(dataset.frame, row));
  const isSession = predictor.tolerance !== undefined;
  const calls = isSession ? TIMED_SESSION_PREDICTIONS : TIMED_PREDICTIONS;
  const ask = (i: number) => predictor.predictRow(rows[i % rows.length] as (typeof rows)[number]);
  // Past the first, uncompiled calls.
  for (let i = 0; i < (isSession ? 5 : TIMED_PREDICTIONS); i++) ask(i);
  const times = new Float64Array(calls);
  for (let i = 0; i < calls; i++) {
    const started = systemClock.monotonicMs();
    ask(i);
    times[i] = (systemClock.monotonicMs() - started) * 1000;
  }
  times.sort();
  const quantile = (share: number) => times[Math.ceil(share * calls) - 1] as number;
  return {
    calls,
    p50Us: quantile(0.5),
    p95Us: quantile(0.95),
    p99Us: quantile(0.99),
    // Fifty calls bound no 99 % quantile; their slowest is the best there is.
    p99UpperUs: times[isSession ? calls - 1 : UPPER_RANK] as number,
  };
}

export function targetsOf(dataset: Dataset, rows: Uint32Array): Float64Array {
  return Float64Array.from(rows, (row) => dataset.target[row] as number);
}
