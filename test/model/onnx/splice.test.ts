/** A model inside another graph: its names, and the graphs inside its nodes, which use values from outside. */
import { describe, expect, it } from "vitest";
import { GraphBuilder } from "../../../src/model/onnx/graph.ts";
import { intField, messageField, textField } from "../../../src/model/onnx/proto.ts";
import { loadRuntime } from "../../../src/model/onnx/runtime.ts";
import { spliceModel } from "../../../src/model/onnx/splice.ts";

/** x → 2x where `isOn`, else −2x: a branch that uses a value from outside. */
function branching(isOn: boolean): Uint8Array {
  const graph = new GraphBuilder();
  const doubled = graph.node("Add", [graph.input("x", "float", 2), "x"]);
  const condition = graph.constant({ type: "bool", dims: [], values: [isOn ? 1 : 0] });
  const dim = messageField(1, [textField(2, "rows")]);
  const type = messageField(2, [
    messageField(1, [intField(1, 1), messageField(2, [dim, messageField(1, [intField(1, 2)])])]),
  ]);
  const branch = (name: string, operator: string) =>
    messageField(5, [
      textField(1, name),
      messageField(6, [
        messageField(1, [textField(1, doubled), textField(2, `${name}_out`), textField(4, operator)]),
        textField(2, name),
        messageField(12, [textField(1, `${name}_out`), type]),
      ]),
      intField(20, 5),
    ]);
  const node = messageField(1, [
    textField(1, condition),
    textField(2, "y"),
    textField(4, "If"),
    branch("then_branch", "Identity"),
    branch("else_branch", "Neg"),
  ]);
  graph.adopt({ parts: [node], functions: [], opsets: new Map(), irVersion: 0 });
  graph.output("y", "float", 2);
  return graph.encode({ name: "branching", producer: "test", notes: {} });
}

describe("a model inside another graph", () => {
  it.each([
    [true, 2],
    [false, -2],
  ] as const)("keeps its branches and their values from outside (%s)", async (isOn, factor) => {
    const graph = new GraphBuilder();
    // The names of both graphs overlap on purpose.
    const shifted = graph.node("Add", [graph.input("x", "float", 2), graph.scalar("float", 1)]);
    const inner = spliceModel(graph, branching(isOn), new Map([["x", shifted]]), "y");
    graph.node("Add", [inner, "x"], {}, { output: "y" });
    graph.output("y", "float", 2);
    const bytes = graph.encode({ name: "outer", producer: "test", notes: {} });
    const { Tensor, InferenceSession } = await loadRuntime();
    const session = await InferenceSession.create(bytes, {});
    const x = new Tensor("float32", Float32Array.of(1, 2, 3, -4), [2, 2]);
    const { y } = await session.run({ x }, ["y"]);
    expect(y?.data).toEqual(Float32Array.of(...[1, 2, 3, -4].map((one) => factor * (one + 1) + one)));
  });
});
