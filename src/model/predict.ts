/** A model in memory: prepared features → scores → decision. The whole prediction path of one row, without I/O. */
import type { Features, FeatureValue, LabelValue, Task } from "../core/index.ts";
import { createPreparedWriter } from "../data/index.ts";
import { findTrainer, gbdtContributions, linearContributions } from "../learn/index.ts";
import type { ScoreRows, TrainedWeights } from "../learn/index.ts";
import { createForecastPredictor } from "./forecast.ts";
import { backboneOf, behindBackbone } from "./onnx/embed.ts";
import { createLocalOnnxPredictor, isExternal } from "./onnx/predictor.ts";
import type { Prediction, PredictionTrace, Predictor, PredictorParts } from "./predictor.ts";
import { createRecommendPredictor } from "./recommend.ts";

/** Rows prepared at a time for batch scoring: 4,096 × 100 columns are 1.6 MB, which stays in the cache. */
const SCORE_BLOCK = 4096;

/** @throws CONFIG_INVALID when the trainer is not one of ours. */
export function createPredictor(parts: PredictorParts): Predictor {
  const { task, classes, preparation, weights } = parts;
  if (task === "forecast") return createForecastPredictor(weights, preparation);
  if (task === "recommend") return createRecommendPredictor(weights);
  if (isExternal(weights)) return createLocalOnnxPredictor(parts);
  const { embed, ...own } = preparation;
  if (embed !== undefined) {
    return behindBackbone(createPredictor({ ...parts, preparation: own }), embed, backboneOf(weights));
  }
  const writer = createPreparedWriter(preparation);
  const trainer = findTrainer(weights.trainer);
  const score = trainer.scorer(weights, task);
  const threshold = parts.threshold ?? 0.5;
  const prepared = new Float32Array(writer.width);
  const outputs = task === "regression" ? 1 : classes.length;
  const out = new Float64Array(outputs);
  const scoreAll: ScoreRows =
    trainer.rowsScorer?.(weights, task) ??
    ((x, rows, answers) => {
      for (let i = 0; i < rows; i++) {
        score(x, i * writer.width, out);
        answers.set(out, i * outputs);
      }
    });

  function decide(): LabelValue {
    if (task === "regression") return out[0] as number;
    if (task === "binary") return classes[(out[1] as number) >= threshold ? 1 : 0] as LabelValue;
    let best = 0;
    for (let i = 1; i < outputs; i++) if ((out[i] as number) > (out[best] as number)) best = i;
    return classes[best] as LabelValue;
  }

  function predictRow(features: Features): Prediction {
    writer.write(features, prepared, 0);
    score(prepared, 0, out);
    const scores = new Array<number>(outputs);
    for (let i = 0; i < outputs; i++) scores[i] = out[i] as number;
    return { scores, decision: decide() };
  }

  return {
    task,
    classes,
    ...(task === "binary" ? { threshold } : {}),
    predictRow,
    predictRows: (rows) => rows.map(predictRow),
    trace(features) {
      const answer = predictRow(features);
      return {
        ...explainScores(parts, writer.explain(features), prepared, answer),
        scores: answer.scores,
        ...(task === "binary" ? { threshold } : {}),
        decision: answer.decision,
      };
    },
    scoreFrame(frame, rows) {
      const width = task === "multiclass" ? outputs : 1;
      const scores = new Float64Array(rows.length * width);
      const answers = new Float64Array(Math.min(SCORE_BLOCK, rows.length) * outputs);
      for (let from = 0; from < rows.length; from += SCORE_BLOCK) {
        const block = rows.subarray(from, from + SCORE_BLOCK);
        scoreAll(writer.writeFrame(frame, block), block.length, answers);
        if (task === "multiclass") scores.set(answers.subarray(0, block.length * width), from * width);
        else for (let i = 0; i < block.length; i++) scores[from + i] = answers[(i + 1) * outputs - 1] as number;
      }
      return scores;
    },
  };
}

type Prepared = readonly {
  readonly column: string;
  readonly from: string;
  readonly raw: FeatureValue;
  readonly filled: number | string | boolean;
  readonly scaled: number;
  readonly columns?: number;
}[];

/** Trainers whose scores are sums over columns. */
const CONTRIBUTIONS: Readonly<Record<string, typeof linearContributions>> = {
  linear: linearContributions,
  gbdt: gbdtContributions,
};

function linkOf(task: Task, { shape }: TrainedWeights): NonNullable<PredictionTrace["link"]> {
  if (task === "regression") return shape["loss"] === "poisson" ? "exponential" : "identity";
  return task === "binary" ? "logistic" : "softmax";
}

function explainScores(
  parts: PredictorParts,
  lines: Prepared,
  prepared: Float32Array,
  answer: Prediction,
): Pick<PredictionTrace, "prepared" | "intercept" | "link" | "raw"> {
  const { task, classes, weights, preparation } = parts;
  const contributionsOf = CONTRIBUTIONS[weights.trainer];
  if (contributionsOf === undefined) return { prepared: lines };
  const outputs = task === "multiclass" ? classes.length : 1;
  const all = Array.from({ length: outputs }, (_, output) => contributionsOf(weights, prepared, output));
  // Several classes: the contributions to the class that won.
  const shown = task === "multiclass" ? classes.indexOf(answer.decision) : 0;
  const { contributions, intercept } = all[shown] as (typeof all)[number];
  const position = new Map(preparation.columns.map((name, i) => [name, i]));
  return {
    prepared: lines.map((line) => {
      const column = position.get(line.column);
      if (column === undefined) return { ...line, contribution: 0 };
      let contribution = 0;
      for (let i = column; i < column + (line.columns ?? 1); i++) contribution += contributions[i] as number;
      return { ...line, contribution };
    }),
    intercept,
    link: linkOf(task, weights),
    raw: all.map((one) => one.score),
  };
}
