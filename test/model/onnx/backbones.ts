/** Small frozen models with fixed weights, and pictures that they see something in. */
import { createRandom } from "../../../src/core/index.ts";
import { GraphBuilder } from "../../../src/model/onnx/graph.ts";

type Random = ReturnType<typeof createRandom>;
const weights = (random: Random, count: number, scale: number) =>
  Float32Array.from({ length: count }, () => (random.nextFloat() * 2 - 1) * scale);

/** pixels [rows, channels, size, size] → convolution 3 × 3, ReLU, pool 2 × 2 → features [rows, filters × ((size − 2) / 2)²] */
export function convolution(options: {
  readonly channels: number;
  readonly size: number;
  readonly filters: number;
  readonly seed?: number;
}): Uint8Array {
  const { channels, size, filters, seed = 1 } = options;
  const random = createRandom(seed);
  const graph = new GraphBuilder();
  const input = graph.input("pixels", "float", [channels, size, size]);
  const kernel = graph.constant({
    type: "float",
    dims: [filters, channels, 3, 3],
    values: weights(random, filters * channels * 9, 0.6),
  });
  const bias = graph.constant({ type: "float", dims: [filters], values: weights(random, filters, 0.1) });
  const seen = graph.node("Relu", [graph.node("Conv", [input, kernel, bias], { kernel_shape: { ints: [3, 3] } })]);
  const pooled = graph.node("MaxPool", [seen], { kernel_shape: { ints: [2, 2] }, strides: { ints: [2, 2] } });
  graph.node("Flatten", [pooled], { axis: { int: 1 } }, { output: "features" });
  const side = Math.floor((size - 2) / 2);
  graph.output("features", "float", filters * side * side);
  return graph.encode({ name: "convolution", producer: "test", notes: {} });
}

/** x [rows, columns] → tanh(x · W) [rows, outputs]; a missing number makes the row NaN. */
export function dense(columns: number, outputs: number, name = "x"): Uint8Array {
  const random = createRandom(2);
  const graph = new GraphBuilder();
  const input = graph.input(name, "float", columns);
  const matrix = graph.constant({
    type: "float",
    dims: [columns, outputs],
    values: weights(random, columns * outputs, 1),
  });
  graph.node("Tanh", [graph.node("MatMul", [input, matrix])], {}, { output: "vector" });
  graph.output("vector", "float", outputs);
  return graph.encode({ name: "dense", producer: "test", notes: {} });
}

/** Texts [rows, 1] → one place per known word: what a text embedder with its tokenizer inside looks like from outside. */
export function words(known: readonly string[]): Uint8Array {
  const graph = new GraphBuilder();
  const input = graph.input("sentence", "string");
  const columns = known.map((word) => {
    const same = graph.node("Equal", [input, graph.constant({ type: "string", dims: [1], values: [word] })]);
    return graph.node("Cast", [same], { to: { int: 1 } });
  });
  graph.node("Concat", columns, { axis: { int: 1 } }, { output: "places" });
  graph.output("places", "float", known.length);
  return graph.encode({ name: "words", producer: "test", notes: {} });
}

export const SHAPES = ["bar", "cross", "ring"] as const;

/** A bar, a cross or a ring of random place and brightness on noise: 8 × 8 gray pixels. */
export function picture(shape: (typeof SHAPES)[number], random: Random): Uint8Array {
  const pixels = Uint8Array.from({ length: 64 }, () => random.nextInt(60));
  const bright = 150 + random.nextInt(100);
  const [left, top] = [1 + random.nextInt(3), 1 + random.nextInt(3)];
  for (let y = 0; y < 5; y++) {
    for (let x = 0; x < 5; x++) {
      const isOn =
        shape === "bar"
          ? x === 2
          : shape === "cross"
            ? x === y || x + y === 4
            : x === 0 || y === 0 || x === 4 || y === 4;
      if (isOn && left + x < 8 && top + y < 8) pixels[(top + y) * 8 + left + x] = bright;
    }
  }
  return pixels;
}
