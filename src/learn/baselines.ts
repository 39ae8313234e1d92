/**
 * Baselines: what a model must beat to be worth running. `majority` answers the class shares of training, `mean` the mean
 * target, `last-value` the newest training target (the no-change forecast, hard to beat on slow series).
 */
import type { Task } from "../core/index.ts";
import { checkFitRequest } from "./check.ts";
import { measurePart } from "./losses.ts";
import { resolveParameters } from "./params.ts";
import type { FitRequest, ScoreRow, TrainedWeights, TrainerKind } from "./trainer.ts";
import { throwIfCanceled } from "./turn.ts";

function constantScorer(trained: TrainedWeights): ScoreRow {
  const answer = trained.arrays["answer"] as Float64Array;
  return (_x, _offset, out) => {
    for (let i = 0; i < answer.length; i++) out[i] = answer[i] as number;
  };
}

function baseline(name: string, tasks: readonly Task[], answerOf: (request: FitRequest) => Float64Array): TrainerKind {
  return {
    name,
    tasks,
    strategies: ["full"],
    input: "none",
    // The last value is one row, whatever it weighs.
    takesWeights: name !== "last-value",
    defaults: {},
    resolveParams: (params) => resolveParameters(name, {}, params),
    async fit(request) {
      checkFitRequest(request, true);
      throwIfCanceled(request.signal);
      const answer = answerOf(request);
      const trained: TrainedWeights = {
        trainer: name,
        shape: { task: request.task, outputs: answer.length },
        arrays: { answer },
        bestEpoch: 1,
      };
      const score = constantScorer(trained);
      await request.onPoint({
        epoch: 1,
        metrics: {
          trainLoss: measurePart(request.task, request.train, score).loss,
          validationLoss: measurePart(request.task, request.validation, score).loss,
        },
      });
      throwIfCanceled(request.signal);
      return trained;
    },
    scorer: constantScorer,
  };
}

function weightOf(request: FitRequest, row: number): number {
  return request.train.y.weights === undefined ? 1 : (request.train.y.weights[row] as number);
}

export const majority: TrainerKind = baseline("majority", ["binary", "multiclass"], ({ train, ...rest }) => {
  const shares = new Float64Array(train.y.classCount);
  let total = 0;
  for (let i = 0; i < train.y.values.length; i++) {
    const weight = weightOf({ train, ...rest }, i);
    const label = train.y.values[i] as number;
    shares[label] = (shares[label] as number) + weight;
    total += weight;
  }
  return shares.map((value) => value / total);
});

export const mean: TrainerKind = baseline("mean", ["regression"], (request) => {
  let sum = 0;
  let total = 0;
  for (let i = 0; i < request.train.y.values.length; i++) {
    const weight = weightOf(request, i);
    sum += weight * (request.train.y.values[i] as number);
    total += weight;
  }
  return Float64Array.of(sum / total);
});

export const lastValue: TrainerKind = baseline("last-value", ["regression"], (request) =>
  Float64Array.of(request.train.y.values[request.train.y.values.length - 1] as number),
);

/** The baseline a model of the task is compared with. */
export function baselineFor(task: Task): TrainerKind {
  return task === "regression" ? mean : majority;
}
