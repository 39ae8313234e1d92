/**
 * Gradient boosting over histograms, after T. Chen and C. Guestrin, "XGBoost" (2016), and G. Ke et al., "LightGBM" (2017): bins
 * instead of values, leaves split by gain, categories by their gradients, a learned way for missing values. Expects the input
 * form `codes`. Sums are integers and the exponential is our own, so one seed gives one model on every machine and by either
 * kernel; 60 trees and 40 more are the bits of 100.
 */
import { createRandom, fail, seedFrom } from "../../core/index.ts";
import type { JsonObject } from "../../core/index.ts";
import { checkFitRequest, checkTwoClasses } from "../check.ts";
import { parameterDefaults, resolveParameters } from "../params.ts";
import type { ColumnInfo, FitRequest, TrainedWeights, TrainerKind } from "../trainer.ts";
import { takeTurn } from "../turn.ts";
import { binMatrix } from "./binning.ts";
import type { BinnedColumn } from "./binning.ts";
import { checkpointOf, NO_PROGRESS, readProgress, takeTrees } from "./checkpoint.ts";
import type { Progress } from "./checkpoint.ts";
import { countThreads, Crew } from "./crew.ts";
import { addToOthers, growTree } from "./grow.ts";
import type { KernelChoice } from "./kernels.ts";
import { chooseObjective, fixedPointScale, outputsOf, writeGradients, writeTargets } from "./loss.ts";
import type { GradientSums, Objective } from "./loss.ts";
import { measureScores, traceMetrics } from "./measure.ts";
import { gbdtCommittee } from "./committee.ts";
import { openMemory } from "./memory.ts";
import { PARAMETERS, readParams } from "./params.ts";
import type { GbdtParams } from "./params.ts";
import { gbdtRowsScorer, gbdtScorer, openRowsPath, packedTreesOf } from "./predict.ts";
import { NO_TREES, packTrees } from "./tree.ts";
import type { GrowingNode, PackedTrees } from "./tree.ts";

/** Rows of the training part measured per round: the log loss of 2,000 is within about ±3 % of that of all, for no time. */
const TRACE_ROWS = 2_000;

export const gbdt: TrainerKind = {
  name: "gbdt",
  tasks: ["binary", "multiclass", "regression"],
  strategies: ["full", "warm-start"],
  input: "codes",
  takesWeights: true,
  defaults: parameterDefaults(PARAMETERS),
  resolveParams: (params) => resolveParameters("gbdt", PARAMETERS, params),
  fit: (request) => fitGbdt(request),
  scorer: (trained, task) => gbdtScorer(trained, task),
  rowsScorer: (trained, task) => gbdtRowsScorer(trained, task),
  committee: gbdtCommittee,
};

interface Training {
  readonly request: FitRequest;
  readonly params: GbdtParams;
  readonly objective: Objective;
  readonly crew: Crew;
  readonly columns: readonly BinnedColumn[];
  readonly directions: Int8Array;
  /** The base's trees, and those of the checkpoint that is continued. */
  readonly base: PackedTrees;
  /** Rounds of the base alone. */
  readonly baseRounds: number;
  readonly progress: Progress;
  /** Scores of the validation rows, output by output. */
  readonly validationScores: Float32Array;
}

/** As `gbdt.fit`; `kernels` picks one implementation, which changes the time and never the bits. */
export async function fitGbdt(request: FitRequest, kernels: KernelChoice = "auto"): Promise<TrainedWeights> {
  checkFitRequest(request, true);
  if (request.base === undefined) checkTwoClasses(request.train.y);
  const params = readParams(gbdt.resolveParams(request.params));
  const crew = openCrew(request, params, kernels);
  try {
    return await boost(await prepareTraining(request, params, crew));
  } finally {
    await crew.close();
  }
}

function openCrew({ task, train, validation }: FitRequest, params: GbdtParams, kernels: KernelChoice): Crew {
  const memory = openMemory({
    rows: train.x.rows,
    columns: train.x.columns,
    outputs: outputsOf(task, train.y),
    validationRows: validation.x.rows,
    hasWeights: train.y.weights !== undefined,
    params,
    kernels,
    threads: countThreads(params.threads, train.x.rows),
  });
  return new Crew(memory);
}

async function boost(training: Training): Promise<TrainedWeights> {
  const { request, params } = training;
  const rounds: (readonly GrowingNode[])[][] = [];
  let { best } = training.progress;
  let last = training.progress.epoch;
  const isOver = (epoch: number) => canStop(training) && epoch - best.epoch >= params.patience;
  for (let epoch = last + 1; epoch <= params.epochs && !isOver(epoch - 1); epoch++) {
    const trees = await boostOnce(training, epoch);
    rounds.push(trees);
    addToValidation(training, trees);
    const point = measureRound(training);
    if (!Number.isFinite(point.loss)) throw diverged(epoch);
    if (point.loss < best.loss) best = { epoch, loss: point.loss };
    last = epoch;
    await request.onPoint({ epoch, metrics: point.metrics });
    await request.onCheckpoint?.(() => {
      const { start } = training.objective;
      return checkpointOf(packTrees(training.base, rounds.flat()), start, shapeOf(training), { epoch, best });
    });
    await takeTurn(request.signal);
  }
  // Without a validation part nothing says which round is best: the last one was asked for.
  return assemble(training, rounds.flat(), canStop(training) ? best.epoch : last);
}

function canStop({ params, request }: Training): boolean {
  return params.patience > 0 && request.validation.x.rows > 0;
}

async function prepareTraining(request: FitRequest, params: GbdtParams, crew: Crew): Promise<Training> {
  const { memory } = crew;
  const { task, train, validation, base, signal } = request;
  const infos = request.columns ?? defaultColumns(train.x.columns);
  const objective = chooseObjective(task, train.y, params, base);
  const directions = readDirections(params, infos);
  const baseTrees = base === undefined ? NO_TREES : checkBase(base, objective, train.x.columns);
  const { resume } = request;
  const columns = await binMatrix({
    crew,
    x: train.x,
    weights: train.y.weights,
    kinds: infos.map((info) => info.kind),
    maxBins: params.bins,
    signal,
  });
  writeTargets(memory, train.y, objective);
  const { layout, floats } = memory;
  const from = layout.validationScores >>> 2;
  const validationScores = floats.subarray(from, from + validation.x.rows * objective.outputs);
  floats.set(validation.y.values, layout.validationLabels >>> 2);
  const training: Training = {
    request,
    params,
    objective,
    crew,
    columns,
    directions: Int8Array.from(columns, ({ source }) => directions[source] as number),
    base: resume === undefined ? baseTrees : checkBase(resume, objective, train.x.columns),
    baseRounds: baseTrees.roots.length / objective.outputs,
    progress: resume === undefined ? NO_PROGRESS : readProgress(resume),
    validationScores,
  };
  await startScores(training, request.train.x, floats.subarray(layout.scores >>> 2), layout.paddedRows);
  await startScores(training, request.validation.x, validationScores, validation.x.rows);
  return training;
}

function defaultColumns(count: number): ColumnInfo[] {
  return Array.from({ length: count }, (_, i) => ({ name: `column ${i}`, kind: "number" }));
}

/** @throws CONFIG_INVALID for a constraint on a column that is not there or has no order. */
function readDirections(params: GbdtParams, infos: readonly ColumnInfo[]): Int8Array {
  const directions = new Int8Array(infos.length);
  for (const [name, direction] of Object.entries(params.monotone)) {
    const column = infos.findIndex((info) => info.name === name);
    if (infos[column]?.kind !== "number") {
      throw fail("CONFIG_INVALID", {
        message: `\`trainer.gbdt.monotone\` names "${name}", which is ${column < 0 ? "no feature of the model" : "a category and has no order"}.`,
        remedy: "Name numeric features only.",
      });
    }
    directions[column] = direction;
  }
  return directions;
}

/** @throws TRAINER_FAILED when the base is of another trainer, width, loss or number of classes. */
function checkBase(base: TrainedWeights, objective: Objective, columns: number): PackedTrees {
  const { shape } = base;
  const fits =
    base.trainer === "gbdt" &&
    shape["columns"] === columns &&
    shape["loss"] === objective.loss &&
    shape["outputs"] === objective.outputs;
  if (fits) return packedTreesOf(base);
  throw fail("TRAINER_FAILED", {
    message: `The base model is a ${base.trainer} with the shape ${JSON.stringify(shape)}; this run has ${columns} columns, ${objective.outputs} outputs and the loss ${objective.loss}.`,
    remedy: "Run a full training: features, classes, loss or trainer have changed since the base.",
  });
}

/** Rows predicted between two turns: a base of 1,000 trees takes 20 ms for them by the kernel, 100 ms by walking. */
const START_ROWS = 4096;

async function startScores(training: Training, x: FitRequest["train"]["x"], scores: Float32Array, stride: number) {
  const { objective, base, request } = training;
  const { outputs, start } = objective;
  for (let output = 0; output < outputs; output++) {
    scores.fill(start[output] as number, output * stride, output * stride + x.rows);
  }
  if (base.roots.length === 0) return;
  const add = openRowsPath(base, outputs, x.columns);
  for (let from = 0; from < x.rows; from += START_ROWS) {
    const rows = Math.min(START_ROWS, x.rows - from);
    const values = x.values.subarray(from * x.columns);
    add(values, { rows, columns: x.columns }, scores.subarray(from), stride);
    await takeTurn(request.signal);
  }
}

/** One round: gradients of all outputs, then a tree for each. */
async function boostOnce(training: Training, epoch: number): Promise<(readonly GrowingNode[])[]> {
  const { request, params, objective, crew, columns, directions, baseRounds } = training;
  const { layout } = crew.memory;
  // Rounds are counted from the first tree of the base, so a resumed training draws what an uninterrupted one would.
  const round = baseRounds + epoch;
  const sums = writeGradients(crew, objective);
  const sample = sampleRows(layout.rows, params.rowShare, seedFrom(request.seed, "rows", round));
  const trees: (readonly GrowingNode[])[] = [];
  for (let output = 0; output < objective.outputs; output++) {
    const offset = output * layout.paddedRows * 4;
    const { g, h } = sums[output] as GradientSums;
    const tree = await growTree({
      crew,
      columns,
      directions,
      allowed: sampleColumns(columns.length, params.columnShare, seedFrom(request.seed, "columns", round, output)),
      params,
      scaleG: fixedPointScale(g),
      scaleH: fixedPointScale(h),
      sample: sample?.rows,
      offset,
      leafQuantile: objective.leafQuantile,
      signal: request.signal,
    });
    if (sample !== undefined) addToOthers(crew.memory, tree, sample.mask, layout.scores + offset);
    trees.push(tree);
  }
  return trees;
}

/** Each row by a draw of its own; undefined: all of them, also where the draws leave none. */
function sampleRows(rows: number, share: number, seed: number) {
  if (share >= 1) return undefined;
  const random = createRandom(seed);
  const limit = share * 4_294_967_296;
  const mask = new Uint8Array(rows);
  const drawn = new Int32Array(rows);
  let count = 0;
  for (let row = 0; row < rows; row++) {
    if (random.nextUint32() >= limit) continue;
    mask[row] = 1;
    drawn[count++] = row;
  }
  return count === 0 ? undefined : { rows: drawn.subarray(0, count), mask };
}

/** At least one column of the share, by a partial shuffle. */
function sampleColumns(columns: number, share: number, seed: number): Uint8Array {
  if (share >= 1) return new Uint8Array(columns).fill(1);
  const allowed = new Uint8Array(columns);
  const random = createRandom(seed);
  const rest = Array.from({ length: columns }, (_, c) => c);
  for (let count = Math.max(1, Math.round(columns * share)); count > 0 && rest.length > 0; count--) {
    const [column] = rest.splice(random.nextInt(rest.length), 1);
    allowed[column as number] = 1;
  }
  return allowed;
}

function addToValidation({ request, objective, validationScores }: Training, trees: (readonly GrowingNode[])[]): void {
  const { x } = request.validation;
  const { outputs } = objective;
  if (x.rows === 0) return;
  // A tree or two: walking them is done before a kernel has its tables.
  const add = openRowsPath(packTrees(NO_TREES, trees), outputs, x.columns, "walk");
  add(x.values, x, validationScores, x.rows);
}

function measureRound({ request, objective, crew: { memory } }: Training) {
  const { layout } = memory;
  const ofTrain = { scores: layout.scores, labels: layout.labels, stride: layout.paddedRows, y: request.train.y };
  const train = measureScores(memory, objective, ofTrain, TRACE_ROWS);
  const { x, y } = request.validation;
  const ofValidation = { scores: layout.validationScores, labels: layout.validationLabels, stride: x.rows, y };
  const validation = measureScores(memory, objective, ofValidation, Infinity);
  return {
    metrics: traceMetrics(request.task, train, validation),
    loss: x.rows === 0 ? train.loss : validation.loss,
  };
}

function diverged(epoch: number) {
  return fail("TRAINER_DIVERGED", {
    message: `The validation loss of round ${epoch} is not a number: the targets or weights are too large, or the rate is.`,
    remedy: "Rescale the label, or lower `learningRate`.",
  });
}

function shapeOf({ request, objective }: Training): JsonObject {
  const { loss, outputs, mean, deviation } = objective;
  return {
    task: request.task,
    loss,
    columns: request.train.x.columns,
    outputs,
    targetMean: mean,
    targetDeviation: deviation,
  };
}

function assemble(training: Training, trees: (readonly GrowingNode[])[], bestEpoch: number): TrainedWeights {
  const { objective, base, baseRounds } = training;
  const kept = takeTrees(packTrees(base, trees), (baseRounds + bestEpoch) * objective.outputs);
  return { trainer: "gbdt", shape: shapeOf(training), arrays: { start: objective.start, ...kept }, bestEpoch };
}
