/**
 * Multi-layer perceptrons: one to three dense hidden layers, learned by Adam over shuffled batches. Expects the dense prepared
 * matrix. Keeps the epoch with the lowest validation loss and stops when it has not improved for `patience` epochs. One seed
 * gives one model on every machine and by either kernel; a checkpoint goes on to the same bits.
 */
import { createRandom, fail, seedFrom } from "../../core/index.ts";
import type { JsonObject } from "../../core/index.ts";
import { checkFitRequest, checkTwoClasses } from "../check.ts";
import { BestEpoch, epochMetrics } from "../epochs.ts";
import { measurePart, TRACE_ROWS } from "../losses.ts";
import { parameterDefaults, resolveParameters } from "../params.ts";
import { balanceClasses, NO_SCALE, standardize, targetScale } from "../targets.ts";
import type { TargetScale } from "../targets.ts";
import type { FitRequest, TrainedWeights, TrainerKind } from "../trainer.ts";
import { takeTurn } from "../turn.ts";
import type { KernelChoice } from "../wasm.ts";
import { mlpCommittee } from "./committee.ts";
import { continueLayers, startLayers, storeLayers } from "./layers.ts";
import type { Layer } from "./layers.ts";
import { transferLayers } from "./transfer.ts";
import { openNetwork } from "./network.ts";
import type { Network } from "./network.ts";
import { mlpOnline } from "./online.ts";
import { PARAMETERS } from "./params.ts";
import type { MlpParameters } from "./params.ts";
import { finishScores, mlpScorer } from "./score.ts";

/** Multiplications between two turns of the event loop: about 10 ms, so a cancel is seen at once. */
const WORK_PER_TURN = 60_000_000;
/** Steps an epoch has at least: Adam needs some hundreds to get anywhere, and early stopping counts epochs. */
const LEAST_STEPS = 20;
const LEAST_BATCH = 8;

export const mlp: TrainerKind = {
  name: "mlp",
  tasks: ["binary", "multiclass", "regression"],
  strategies: ["full", "warm-start", "incremental", "transfer"],
  input: "dense",
  takesWeights: true,
  takesEmbedding: true,
  defaults: parameterDefaults(PARAMETERS),
  resolveParams: (params) => resolveParameters("mlp", PARAMETERS, params),
  fit: (request) => fitMlp(request),
  scorer: mlpScorer,
  online: mlpOnline,
  committee: mlpCommittee,
};

function noColumns() {
  return fail("TRAINER_FAILED", {
    message: "The prepared matrix has no columns, so the network has no inputs.",
    remedy: "Add a feature, or choose `linear()`, which then answers with what is most common.",
  });
}

/** As `mlp.fit`; `kernels` picks one implementation, which changes the time and never the bits. */
export async function fitMlp(given: FitRequest, kernels: KernelChoice = "auto"): Promise<TrainedWeights> {
  checkFitRequest(given, false);
  if (given.train.x.columns === 0) throw noColumns();
  if (given.base === undefined || given.freeze !== undefined) checkTwoClasses(given.train.y);
  const params = mlp.resolveParams(given.params) as unknown as MlpParameters;
  const request = params.classWeights === "balanced" ? balanceClasses(given) : given;
  const { task, train, resume } = request;
  const scale =
    task === "regression" ? targetScale(train.y, request.freeze === undefined ? request.base : undefined) : NO_SCALE;
  const { layers, rates } = chooseLayers(request, params);
  const batch = Math.min(params.batch, Math.max(LEAST_BATCH, Math.ceil(train.x.rows / LEAST_STEPS)));
  const network = openNetwork({
    task,
    x: train.x,
    target: task === "regression" ? standardize(train.y.values, scale) : train.y.values,
    rowWeights: train.y.weights,
    layers,
    rates,
    isTanh: params.activation === "tanh",
    batch,
    dropout: params.dropout,
    l2: params.l2,
    kernels,
  });
  const best = new BestEpoch<readonly Layer[]>(params.patience);
  const kept = resume === undefined ? undefined : restore(network, best, resume, layers);
  for (let epoch = (kept ?? 0) + 1; epoch <= params.epochs; epoch++) {
    network.shuffle(createRandom(seedFrom(request.seed, "shuffle", epoch)).state());
    network.seedDropout(createRandom(seedFrom(request.seed, "dropout", epoch)).state());
    await runEpoch(network, { rows: train.x.rows, batch, work: workPerRow(layers), signal: request.signal });
    const point = measure(request, network, assemble(request, params, { layers: [], scale, bestEpoch: epoch }));
    const stop = best.offer(epoch, point.loss, () => network.layers());
    await request.onPoint({ epoch, metrics: point.metrics });
    await takeTurn(request.signal);
    if (stop) break;
    await request.onCheckpoint?.(() => checkpoint(network, best, epoch));
  }
  return assemble(request, params, { layers: best.weights, scale, bestEpoch: best.epoch });
}

/** Starting weights and the learning rate of each layer: afresh, the base's with a careful rate, or the base's under a new head. */
function chooseLayers(request: FitRequest, params: MlpParameters) {
  const { task, train, base, freeze } = request;
  const fresh = startLayers(request, params, task === "multiclass" ? train.y.classCount : 1);
  const rate = params.learningRate;
  if (base === undefined) return { layers: fresh, rates: fresh.map(() => rate) };
  if (freeze !== undefined) return transferLayers({ base, fresh, freeze, rate, reusedRate: rate * params.warmRate });
  return { layers: continueLayers(base, fresh), rates: fresh.map(() => rate * params.warmRate) };
}

function workPerRow(layers: readonly Layer[]): number {
  return layers.reduce((sum, { inputs, outputs }) => sum + 3 * inputs * outputs, 64);
}

async function runEpoch(
  network: Network,
  options: { readonly rows: number; readonly batch: number; readonly work: number; readonly signal: AbortSignal },
): Promise<void> {
  const { rows, batch, work, signal } = options;
  let done = 0;
  for (let from = 0; from < rows; from += batch) {
    const to = Math.min(rows, from + batch);
    network.step(from, to);
    done += (to - from) * work;
    if (done < WORK_PER_TURN || to === rows) continue;
    done = 0;
    await takeTurn(signal);
  }
}

/** The trace point of an epoch: the kernels run the rows forward, the rest is as for every trainer. */
function measure(request: FitRequest, network: Network, trained: TrainedWeights) {
  const outputs = Number(trained.shape["outputs"]);
  const finish = finishScores(trained, request.task);
  const part = (data: FitRequest["train"], maxRows: number) => {
    const stride = Math.max(1, Math.ceil(data.x.rows / maxRows));
    const scores = network.scores(data.x, Math.ceil(data.x.rows / stride), stride);
    const score = (_x: Float32Array, offset: number, out: Float64Array) => {
      const row = offset / data.x.columns / stride;
      finish(scores.subarray(row * outputs, (row + 1) * outputs), out);
    };
    return measurePart(request.task, data, score, maxRows);
  };
  return epochMetrics(request, part(request.train, TRACE_ROWS), part(request.validation, Infinity));
}

function assemble(
  request: FitRequest,
  params: MlpParameters,
  result: { readonly layers: readonly Layer[]; readonly scale: TargetScale; readonly bestEpoch: number },
): TrainedWeights {
  const { task, train } = request;
  const shape: JsonObject = {
    task,
    columns: train.x.columns,
    hidden: [...params.hidden],
    outputs: task === "multiclass" ? train.y.classCount : 1,
    activation: params.activation,
    ...(params.dropout > 0 ? { dropout: params.dropout } : {}),
    ...(task === "regression" ? { targetMean: result.scale.mean, targetDeviation: result.scale.deviation } : {}),
  };
  return { trainer: "mlp", shape, arrays: storeLayers(result.layers), bestEpoch: result.bestEpoch };
}

function checkpoint(network: Network, best: BestEpoch<readonly Layer[]>, epoch: number): TrainedWeights {
  const { parameters, first, second } = network.state;
  return {
    trainer: "mlp",
    shape: { epoch, steps: network.steps, ...best.state() },
    arrays: { parameters, first, second, ...storeLayers(best.weights) },
    bestEpoch: best.epoch,
  };
}

/** Puts a checkpoint back. @returns its epoch */
function restore(
  network: Network,
  best: BestEpoch<readonly Layer[]>,
  { shape, arrays }: TrainedWeights,
  layers: readonly Layer[],
): number {
  const array = (name: string) => arrays[name] as Float32Array;
  network.restore(
    { parameters: array("parameters"), first: array("first"), second: array("second") },
    Number(shape["steps"]),
  );
  best.restore(
    shape,
    layers.map((layer) => ({
      ...layer,
      weights: array(`${layer.name}.weights`),
      biases: array(`${layer.name}.biases`),
    })),
  );
  return Number(shape["epoch"]);
}
