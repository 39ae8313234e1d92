/**
 * A built-in model as one ONNX file, preparation included: raw features in, answer and decision out. Classifiers have the outputs
 * `probabilities` (float32, rows × classes) and `decision`; regressions `value` (float64, rows × 1). Forecasters and recommenders have
 * inputs and outputs of their own (export-forecast.ts, export-recommend.ts). Opset 21, ai.onnx.ml 5.
 *
 * Adding a trainer is one entry of `EXPORTERS`, or of `WHOLE_EXPORTERS`.
 */
import { canonicalJson, fail } from "../../core/index.ts";
import type { LabelValue, Task } from "../../core/index.ts";
import type { Preparation } from "../../data/index.ts";
import type { TrainedWeights } from "../../learn/index.ts";
import { readLayers } from "../../learn/mlp/layers.ts";
import { INPUT_LIMIT } from "../../learn/mlp/score.ts";
import type { Artifact } from "../artifact.ts";
import type { Manifest } from "../manifest.ts";
import { addForecaster } from "./export-forecast.ts";
import { addCodes, addConstantRows, addDense, addInputs } from "./export-preparation.ts";
import { addRecommender } from "./export-recommend.ts";
import { addTreeEnsemble } from "./export-trees.ts";
import { GraphBuilder, ML_DOMAIN } from "./graph.ts";

interface ExportRequest {
  readonly graph: GraphBuilder;
  readonly task: Task;
  readonly weights: TrainedWeights;
  readonly preparation: Preparation;
  readonly inputs: readonly string[];
}

/** Adds the model; the answer is float64, rows × classes (probabilities) or rows × 1 (the value). */
type Exporter = (request: ExportRequest) => string;

const numberOf = (weights: TrainedWeights, key: string, otherwise: number) => Number(weights.shape[key] ?? otherwise);

/** Raw scores to probabilities: one logit, or one score per class. */
function link(graph: GraphBuilder, task: Task, scores: string): string {
  if (task === "multiclass") return graph.node("Softmax", [scores], { axis: { int: 1 } });
  const positive = graph.node("Sigmoid", [scores]);
  const negative = graph.node("Sub", [graph.scalar("double", 1), positive]);
  return graph.node("Concat", [negative, positive], { axis: { int: 1 } });
}

/** The standardization of a regression's target undone. */
function unscale(graph: GraphBuilder, weights: TrainedWeights, scores: string): string {
  const scaled = graph.node("Mul", [scores, graph.scalar("double", numberOf(weights, "targetDeviation", 1))]);
  return graph.node("Add", [scaled, graph.scalar("double", numberOf(weights, "targetMean", 0))]);
}

const exportTrees: Exporter = ({ graph, task, weights, preparation, inputs }) => {
  const scores = addTreeEnsemble(graph, weights, addCodes(graph, preparation, inputs));
  if (task !== "regression") return link(graph, task, scores);
  return weights.shape["loss"] === "poisson" ? graph.node("Exp", [scores]) : unscale(graph, weights, scores);
};

const exportLinear: Exporter = ({ graph, task, weights, preparation, inputs }) => {
  const stored = weights.arrays["weights"] as Float64Array;
  const width = numberOf(weights, "columns", 0) + 1;
  const outputs = stored.length / width;
  const columns = width - 1;
  const matrix = new Float64Array(columns * outputs);
  const intercepts = new Float64Array(outputs);
  for (let output = 0; output < outputs; output++) {
    for (let j = 0; j < columns; j++) matrix[j * outputs + output] = stored[output * width + j] as number;
    intercepts[output] = stored[output * width + columns] as number;
  }
  const wide = graph.node("Cast", [addDense(graph, preparation, inputs)], { to: { int: 11 } });
  const product = graph.node("MatMul", [
    wide,
    graph.constant({ type: "double", dims: [columns, outputs], values: matrix }),
  ]);
  const scores = graph.node("Add", [
    product,
    graph.constant({ type: "double", dims: [1, outputs], values: intercepts }),
  ]);
  return task === "regression" ? unscale(graph, weights, scores) : link(graph, task, scores);
};

const exportNetwork: Exporter = ({ graph, task, weights, preparation, inputs }) => {
  const limits = [graph.scalar("double", -INPUT_LIMIT), graph.scalar("double", INPUT_LIMIT)];
  const wide = graph.node("Cast", [addDense(graph, preparation, inputs)], { to: { int: 11 } });
  const layers = readLayers(weights);
  let values = graph.node("Clip", [wide, ...limits]);
  layers.forEach((layer, i) => {
    const { inputs: rows, outputs } = layer;
    const matrix = graph.constant({ type: "double", dims: [rows, outputs], values: Float64Array.from(layer.weights) });
    const biases = graph.constant({ type: "double", dims: [1, outputs], values: Float64Array.from(layer.biases) });
    values = graph.node("Add", [graph.node("MatMul", [values, matrix]), biases]);
    if (i + 1 === layers.length) return;
    values = graph.node(weights.shape["activation"] === "relu" ? "Relu" : "Tanh", [values]);
  });
  return task === "regression" ? unscale(graph, weights, values) : link(graph, task, values);
};

const exportConstant: Exporter = ({ graph, weights, inputs }) =>
  addConstantRows(graph, inputs[0] as string, weights.arrays["answer"] as Float64Array);

const EXPORTERS: Readonly<Record<string, Exporter>> = {
  gbdt: exportTrees,
  linear: exportLinear,
  mlp: exportNetwork,
  majority: exportConstant,
  mean: exportConstant,
  "last-value": exportConstant,
};

/** Models whose questions are no rows of features: each has inputs and outputs of its own, and what a reader of the file may want to know. */
type WholeExporter = (
  graph: GraphBuilder,
  weights: TrainedWeights,
  preparation: Preparation,
) => Readonly<Record<string, string>>;

const exportForecast: WholeExporter = (graph, weights, preparation) => {
  addForecaster(graph, weights, preparation);
  return namedValues(weights, ["method", "frequency", "horizon", "level"]);
};

const exportRecommend: WholeExporter = (graph, weights) => {
  addRecommender(graph, weights);
  return namedValues(weights, ["method"]);
};

/** Settings of a model as text: texts and numbers by their nature. */
function namedValues({ shape }: TrainedWeights, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, String(shape[name] as string | number)]));
}

const WHOLE_EXPORTERS: Readonly<Record<string, WholeExporter>> = {
  forecast: exportForecast,
  matrixFactorization: exportRecommend,
  popularity: exportRecommend,
};

/** What the artifact's model decides, as `predict.ts` does. */
function addDecision(graph: GraphBuilder, classes: readonly LabelValue[], threshold: number, answer: string): void {
  if (classes.length === 2 && typeof classes[0] === "boolean") {
    const indices = graph.constant({ type: "int64", dims: [1], values: [1] });
    const positive = graph.node("Gather", [answer, indices], { axis: { int: 1 } });
    graph.node("GreaterOrEqual", [positive, graph.scalar("double", threshold)], {}, { output: "decision" });
    graph.output("decision", "bool", 1);
    return;
  }
  const best = graph.node("ArgMax", [answer], { axis: { int: 1 }, keepdims: { int: 1 } });
  graph.node(
    "LabelEncoder",
    [best],
    {
      keys_int64s: { ints: classes.map((_, i) => i) },
      values_strings: { texts: classes.map(String) },
      default_string: { text: "" },
    },
    { domain: ML_DOMAIN, output: "decision" },
  );
  graph.output("decision", "string", 1);
}

/**
 * The ONNX file of a version. Vectors and images are inputs of rows × size float32, NaN in the first place where they are missing;
 * an image is given as its pixels at the model's size, 0 to 255, row by row, channels last. A backbone stands inside the
 * graph, which then has its opset. Answers equal those of our own predictor within 1e-5 (the branches of trees exactly).
 * @param options.texts `counts`: texts are inputs of rows × buckets, their counted terms (`countTerms`)
 * @throws EXPORT_UNSUPPORTED for a trainer whose models cannot be written as ONNX. Cost: linear in the size of the model.
 */
export function exportOnnx(
  artifact: Pick<Artifact, "manifest" | "preparation" | "weights">,
  options: { readonly texts?: "refuse" | "counts" } = {},
): Uint8Array {
  const { manifest, preparation, weights } = artifact;
  // A model that came as ONNX leaves as it came.
  const imported = weights.arrays["onnx"];
  if (imported instanceof Uint8Array) return imported;
  const graph = new GraphBuilder();
  const { task, classes } = manifest;
  const whole = WHOLE_EXPORTERS[weights.trainer];
  if (whole !== undefined) return encode(graph, manifest, whole(graph, weights, preparation));
  const exporter = EXPORTERS[weights.trainer];
  if (exporter === undefined) {
    const known = [...Object.keys(EXPORTERS), ...Object.keys(WHOLE_EXPORTERS)];
    throw fail("EXPORT_UNSUPPORTED", {
      message: `Models of the trainer "${weights.trainer}" cannot be written as ONNX; those of ${known.join(", ")} can.`,
      remedy: "Export the version as an archive instead.",
    });
  }
  const text = preparation.wide?.find(({ kind }) => kind === "text");
  if (text !== undefined && options.texts !== "counts") {
    throw fail("EXPORT_UNSUPPORTED", {
      message: `The feature "${text.name}" is a text, whose words are folded and hashed into columns; ONNX has operators for neither.`,
      remedy:
        "Export it in the format `onnx-counts` (`--format onnx-counts`, over HTTP `?format=onnx-counts`), which takes the counts of hashed words in the place of each text (docs/trainers.md), or as an archive.",
    });
  }
  const inputs = addInputs(graph, preparation, weights);
  const answer = exporter({ graph, task, weights, preparation, inputs });
  if (task === "regression") {
    graph.node("Identity", [answer], {}, { output: "value" });
    graph.output("value", "double", 1);
  } else {
    addDecision(graph, classes, manifest.threshold ?? 0.5, answer);
    graph.node("Cast", [answer], { to: { int: 1 } }, { output: "probabilities" });
    graph.output("probabilities", "float", classes.length);
  }
  const { threshold } = manifest;
  return encode(graph, manifest, threshold === undefined ? {} : { threshold: String(threshold) });
}

function encode(graph: GraphBuilder, manifest: Manifest, notes: Readonly<Record<string, string>>): Uint8Array {
  const { model, modelHash, task, classes, engine } = manifest;
  return graph.encode({
    name: model,
    producer: engine.retrain,
    notes: { model, modelHash, task, classes: canonicalJson(classes), ...notes },
  });
}
