/**
 * Linear models by averaged stochastic gradient descent: logistic for two classes, softmax for several, least squares for
 * numbers (on a standardized target, so the same rates fit every unit), with L1, L2 or both (elastic net). Expects the dense
 * prepared matrix. Keeps the epoch with the lowest validation loss and stops when it has not improved for `patience` epochs.
 */
import { fail, seedFrom } from "../../core/index.ts";
import type { JsonObject, Task } from "../../core/index.ts";
import { logDeterministic } from "../../stats/index.ts";
import { checkFitRequest, checkTwoClasses } from "../check.ts";
import { BestEpoch, measureEpoch } from "../epochs.ts";
import { parameterDefaults, resolveParameters } from "../params.ts";
import { balanceClasses, classTotals, NO_SCALE, standardize, targetScale } from "../targets.ts";
import type { TargetScale } from "../targets.ts";
import type { FitRequest, TrainedWeights, TrainerKind } from "../trainer.ts";
import { takeTurn } from "../turn.ts";
import type { KernelChoice } from "../wasm.ts";
import { openLinearMemory } from "./memory.ts";
import type { LinearMemory } from "./memory.ts";
import { linearOnline } from "./online.ts";
import { PARAMETERS } from "./params.ts";
import type { LinearParameters } from "./params.ts";
import { linearScorer } from "./score.ts";

export const linear: TrainerKind = {
  name: "linear",
  tasks: ["binary", "multiclass", "regression"],
  strategies: ["full", "warm-start", "incremental"],
  input: "dense",
  takesWeights: true,
  takesEmbedding: true,
  defaults: parameterDefaults(PARAMETERS),
  resolveParams: (params) => resolveParameters("linear", PARAMETERS, params),
  fit: (request) => fitLinear(request),
  scorer: linearScorer,
  online: linearOnline,
};

/** As `linear.fit`; `kernels` picks one implementation, which changes the time and never the bits. */
export async function fitLinear(given: FitRequest, kernels: KernelChoice = "auto"): Promise<TrainedWeights> {
  checkFitRequest(given, false);
  if (given.base === undefined) checkTwoClasses(given.train.y);
  const params = linear.resolveParams(given.params) as unknown as LinearParameters;
  const request = params.classWeights === "balanced" ? balanceClasses(given) : given;
  const { task, train, resume } = request;
  const outputs = task === "multiclass" ? train.y.classCount : 1;
  const scale = task === "regression" ? targetScale(train.y, request.base) : NO_SCALE;
  const memory = openLinearMemory({
    task,
    x: train.x,
    target: task === "regression" ? standardize(train.y.values, scale) : train.y.values,
    rowWeights: train.y.weights,
    outputs,
    weights: (resume?.arrays["iterate"] as Float64Array | undefined) ?? startWeights(request, outputs),
    step: Number(resume?.shape["step"] ?? 0),
    seed: seedFrom(request.seed, "place"),
    rate: params.learningRate * (request.base === undefined ? 1 : params.warmRate),
    l1: params.l1,
    l2: params.l2,
    kernels,
  });
  const assemble = (weights: Float64Array, epoch: number) =>
    assembleWeights(request, { weights, outputs, scale, bestEpoch: epoch });

  const best = new BestEpoch<Float64Array>(params.patience);
  if (resume !== undefined) best.restore(resume.shape, resume.arrays["best"] as Float64Array);
  for (let epoch = Number(resume?.shape["epoch"] ?? 0) + 1; epoch <= params.epochs; epoch++) {
    await memory.runEpoch(seedFrom(request.seed, "shuffle", epoch), request.signal);
    const averaged = memory.average();
    const point = measureEpoch(request, linearScorer(assemble(averaged, epoch), task));
    const stop = best.offer(epoch, point.loss, () => averaged);
    await request.onPoint({ epoch, metrics: point.metrics });
    await takeTurn(request.signal);
    if (stop) break;
    await request.onCheckpoint?.(() => checkpoint(memory, best, epoch));
  }
  return assemble(best.weights, best.epoch);
}

function checkpoint(memory: LinearMemory, best: BestEpoch<Float64Array>, epoch: number): TrainedWeights {
  return {
    trainer: "linear",
    shape: { epoch, step: memory.step, ...best.state() },
    arrays: { iterate: memory.iterate(), best: best.weights },
    bestEpoch: best.epoch,
  };
}

/** The base's weights, or zeros with intercepts at the class shares, so that a rare class is calibrated from the first step. */
function startWeights(request: FitRequest, outputs: number): Float64Array {
  const { task, train, base } = request;
  const { columns } = train.x;
  const size = outputs * (columns + 1);
  if (base !== undefined) {
    const weights = base.arrays["weights"];
    if (!(weights instanceof Float64Array) || weights.length !== size || base.trainer !== "linear") {
      throw fail("TRAINER_FAILED", {
        message: `The base model is a ${base.trainer} of ${weights?.length ?? 0} weights; this run needs ${size} (${outputs} × ${columns + 1}).`,
        remedy: "Run a full training: features, classes or trainer have changed since the base.",
      });
    }
    return Float64Array.from(weights);
  }
  const weights = new Float64Array(size);
  if (task === "regression") return weights;
  const shares = classTotals(train.y);
  // Half a row for each class keeps the logarithm finite where validation alone has a class.
  if (task === "binary") {
    weights[columns] = logDeterministic(((shares[1] as number) + 0.5) / ((shares[0] as number) + 0.5));
  } else {
    for (let c = 0; c < outputs; c++)
      weights[c * (columns + 1) + columns] = logDeterministic((shares[c] as number) + 0.5);
  }
  return weights;
}

function assembleWeights(
  request: FitRequest,
  parts: {
    readonly weights: Float64Array;
    readonly outputs: number;
    readonly scale: TargetScale;
    readonly bestEpoch: number;
  },
): TrainedWeights {
  const task: Task = request.task;
  const { weights, outputs, scale, bestEpoch } = parts;
  const shape: JsonObject = {
    task,
    columns: request.train.x.columns,
    outputs,
    ...(task === "regression" ? { targetMean: scale.mean, targetDeviation: scale.deviation } : {}),
  };
  return { trainer: "linear", shape, arrays: { weights }, bestEpoch };
}
