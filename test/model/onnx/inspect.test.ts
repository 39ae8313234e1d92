import { describe, expect, it } from "vitest";
import { GraphBuilder } from "../../../src/model/onnx/graph.ts";
import { inspectOnnx } from "../../../src/model/onnx/inspect.ts";
import {
  bytesField,
  concatBytes,
  intField,
  messageField,
  readFields,
  textField,
} from "../../../src/model/onnx/proto.ts";
import { bindSignature, type SignatureRequest } from "../../../src/model/onnx/signature.ts";
import { openSyncSession } from "../../../src/model/onnx/sync-session.ts";

const NOTES = { name: "g", producer: "test", notes: {} };

/** probabilities = softmax(x · w), as scikit-learn's exporter ends it: behind a ZipMap. */
function classifier({ zipMap }: { zipMap: boolean }): Uint8Array {
  const graph = new GraphBuilder();
  graph.input("X", "float", 2);
  const weights = graph.constant({ type: "float", dims: [2, 2], values: [1, 0, 0, 1] });
  graph.node(
    "Softmax",
    [graph.node("MatMul", ["X", weights])],
    { axis: { int: 1 } },
    { output: zipMap ? "plain" : "probabilities" },
  );
  if (zipMap) {
    graph.node(
      "ZipMap",
      ["plain"],
      { classlabels_int64s: { ints: [0, 1] } },
      { domain: "ai.onnx.ml", output: "probabilities" },
    );
  }
  graph.output("probabilities", "float", 2);
  return graph.encode(NOTES);
}

const binary: Omit<SignatureRequest, "file"> = {
  form: "raw",
  task: "binary",
  classes: 2,
  features: [
    { name: "a", kind: "number" },
    { name: "b", kind: "number" },
  ],
  width: 2,
};

describe("ONNX files", () => {
  it("are read: names, types and shapes of inputs and outputs", () => {
    const { inputs, outputs } = inspectOnnx(classifier({ zipMap: false }));
    expect(inputs).toEqual([{ name: "X", type: "float32", dims: [-1, 2] }]);
    expect(outputs).toEqual([{ name: "probabilities", type: "float32", dims: [-1, 2] }]);
  });

  it("lose their ZipMap, and then answer", () => {
    const file = inspectOnnx(classifier({ zipMap: true }));
    expect(file.outputs.map(({ name }) => name)).toEqual(["plain"]);
    const signature = bindSignature({ ...binary, file });
    const session = openSyncSession(file.bytes);
    const data = Float32Array.of(1, 1, 3, -3);
    const answer = session.run([{ name: "X", type: "float32", dims: [2, 2], data }], signature.output.name);
    expect(answer[0]).toBeCloseTo(0.5, 6);
    expect(answer[2]).toBeCloseTo(1 / (1 + Math.exp(-6)), 6);
  });

  it("with data in another file are refused, wherever the tensor is", () => {
    const tensor = [
      textField(8, "weights"),
      intField(14, 1),
      messageField(13, [textField(1, "location"), textField(2, "../../etc/passwd")]),
    ];
    const port = (field: number) => messageField(field, [textField(1, "x")]);
    const asInitializer = messageField(7, [port(11), port(12), messageField(5, tensor)]);
    const asAttribute = messageField(7, [
      port(11),
      port(12),
      messageField(1, [messageField(5, [messageField(5, tensor)])]),
    ]);
    const inSubgraph = messageField(7, [
      port(11),
      port(12),
      messageField(1, [messageField(5, [messageField(6, [messageField(5, tensor)])])]),
    ]);
    for (const bytes of [asInitializer, asAttribute, inSubgraph]) {
      expect(() => inspectOnnx(bytes)).toThrowError(expect.objectContaining({ code: "MODEL_INVALID" }));
      expect(() => inspectOnnx(bytes)).toThrowError(/"weights" keeps its numbers in another file/);
    }
  });

  it.each([
    ["text", new TextEncoder().encode("PK not a model at all")],
    ["nothing", new Uint8Array(0)],
    ["half a model", classifier({ zipMap: false }).subarray(0, 60)],
    ["a graph without ports", bytesField(7, textField(2, "g"))],
  ])("that are %s are refused as MODEL_INVALID", (_what, bytes) => {
    expect(() => inspectOnnx(bytes)).toThrowError(expect.objectContaining({ code: "MODEL_INVALID" }));
  });

  it("that do not load are refused with the runtime's own words", () => {
    const graph = new GraphBuilder();
    graph.input("X", "float", 2);
    graph.node("NoSuchOperator", ["X"], {}, { output: "y" });
    graph.output("y", "float", 1);
    const { bytes } = inspectOnnx(graph.encode(NOTES));
    expect(() => openSyncSession(bytes)).toThrowError(/does not load the model: .*NoSuchOperator/);
  });
});

describe("signatures", () => {
  const file = inspectOnnx(classifier({ zipMap: false }));

  it("of a matrix need the right number of columns and no raw categories", () => {
    expect(bindSignature({ ...binary, file })).toMatchObject({ form: "matrix", columns: 2 });
    expect(() => bindSignature({ ...binary, file, width: 3 })).toThrowError(/must be a float matrix of \? × 3/);
    const features = [...binary.features.slice(0, 1), { name: "b", kind: "category" as const }];
    expect(() => bindSignature({ ...binary, file, features })).toThrowError(/the feature "b" is a category/);
  });

  it("by name need known features and fitting types", () => {
    const graph = new GraphBuilder();
    graph.input("a", "float");
    graph.input("bb", "string");
    graph.node("Identity", ["a"], {}, { output: "probabilities" });
    graph.output("probabilities", "float", 1);
    const named = inspectOnnx(graph.encode(NOTES));
    expect(() => bindSignature({ ...binary, file: named })).toThrowError(/"bb" .*is no feature.*nearest is "b"/);
    const features = [...binary.features.slice(0, 1), { name: "bb", kind: "number" as const }];
    expect(() => bindSignature({ ...binary, file: named, features })).toThrowError(/"bb" .*stands for a number/);
  });

  it("need an answer of the task's shape", () => {
    expect(() => bindSignature({ ...binary, file, task: "multiclass", classes: 3 })).toThrowError(
      /3 probabilities per row/,
    );
  });
});

it("the wire format survives reading and writing", () => {
  const model = concatBytes([intField(1, 10), intField(3, -1), textField(2, "ä"), messageField(7, [intField(2, 300)])]);
  const fields = readFields(model);
  expect(fields.map(({ field }) => field)).toEqual([1, 3, 2, 7]);
  expect(fields[3] === undefined ? [] : readFields(fields[3].bytes)).toMatchObject([{ field: 2, int: 300 }]);
});
