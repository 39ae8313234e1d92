/** Builds an ONNX graph node by node and encodes it. Opset 21, machine-learning operators 5, IR 10. */
import {
  bytesField,
  concatBytes,
  floatField,
  intField,
  messageField,
  packedFloats,
  packedInts,
  textField,
} from "./proto.ts";

export const OPSET = 21;
export const ML_OPSET = 5;
const IR_VERSION = 10;
export const ML_DOMAIN = "ai.onnx.ml";

/** Element types of tensors, by their numbers in onnx.proto. */
export const ELEMENT = { float: 1, uint8: 2, int32: 6, int64: 7, string: 8, bool: 9, double: 11 } as const;
export type ElementName = keyof typeof ELEMENT;

export interface TensorValue {
  readonly type: ElementName;
  readonly dims: readonly number[];
  readonly values: ArrayLike<number> | readonly string[];
}

export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly text: string }
  | { readonly ints: ArrayLike<number> }
  | { readonly floats: ArrayLike<number> }
  | { readonly texts: readonly string[] }
  | { readonly tensor: TensorValue }
  | { readonly graph: GraphBuilder };

function rawBytes(type: ElementName, values: ArrayLike<number>): Uint8Array {
  const of = () => {
    switch (type) {
      case "float":
        return Float32Array.from(values);
      case "double":
        return Float64Array.from(values);
      case "int32":
        return Int32Array.from(values);
      case "int64":
        return BigInt64Array.from(Array.from(values, BigInt));
      default:
        return Uint8Array.from(values);
    }
  };
  return new Uint8Array(of().buffer);
}

function encodeTensor({ type, dims, values }: TensorValue, name: string): Uint8Array[] {
  return [
    packedInts(1, dims),
    intField(2, ELEMENT[type]),
    ...(type === "string"
      ? (values as readonly string[]).map((text) => textField(6, text))
      : [bytesField(9, rawBytes(type, values as ArrayLike<number>))]),
    textField(8, name),
  ];
}

function encodeAttribute(name: string, value: Attribute): Uint8Array {
  const parts = [textField(1, name)];
  if ("int" in value) parts.push(intField(3, value.int), intField(20, 2));
  else if ("float" in value) parts.push(floatField(2, value.float), intField(20, 1));
  else if ("text" in value) parts.push(textField(4, value.text), intField(20, 3));
  else if ("ints" in value) parts.push(packedInts(8, value.ints), intField(20, 7));
  else if ("floats" in value) parts.push(packedFloats(7, value.floats), intField(20, 6));
  else if ("texts" in value) parts.push(...value.texts.map((text) => textField(9, text)), intField(20, 8));
  else if ("graph" in value) parts.push(messageField(6, value.graph.body(name)), intField(20, 5));
  else parts.push(messageField(5, encodeTensor(value.tensor, name)), intField(20, 4));
  return messageField(5, parts);
}

/** Numbers per row: one dimension, or several, each a size, −1 for any, or a name; without rows: one number, or a shape left open. */
type Width = number | readonly (number | string)[] | "scalar" | "open";

function shapeOf(width: Width): readonly Uint8Array[] {
  if (width === "open") return [];
  const dim = (size: number | string) => {
    if (typeof size === "string") return messageField(1, [textField(2, size)]);
    return messageField(1, [size < 0 ? textField(2, "any") : intField(1, size)]);
  };
  const dims = width === "scalar" ? [] : ["rows", ...(typeof width === "number" ? [width] : width)];
  return [messageField(2, dims.map(dim))];
}

function valueInfo(field: number, name: string, type: ElementName, width: Width): Uint8Array {
  return messageField(field, [
    textField(1, name),
    messageField(2, [messageField(1, [intField(1, ELEMENT[type]), ...shapeOf(width)])]),
  ]);
}

/** Of another model, encoded as fields of a graph and of a model. */
export interface AdoptedParts {
  readonly parts: readonly Uint8Array[];
  readonly functions: readonly Uint8Array[];
  /** By domain; "" is the standard one. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly irVersion: number;
}

export class GraphBuilder {
  #opsets = new Map([
    ["", OPSET],
    [ML_DOMAIN, ML_OPSET],
  ]);
  #irVersion = IR_VERSION;
  readonly #functions: Uint8Array[] = [];
  readonly #nodes: Uint8Array[] = [];
  readonly #constants: Uint8Array[] = [];
  readonly #inputs: Uint8Array[] = [];
  readonly #outputs: Uint8Array[] = [];
  /** Shared with the graphs inside: no two values of a model may have one name. */
  readonly #numbers: { next: number };

  constructor(numbers = { next: 0 }) {
    this.#numbers = numbers;
  }

  /** The body of a Loop or Scan; it sees the values outside. */
  subgraph(): GraphBuilder {
    return new GraphBuilder(this.#numbers);
  }

  /** A name that no other value has. */
  name(kind = "value"): string {
    return `${kind}_${this.#numbers.next++}`;
  }

  input(name: string, type: ElementName, width: Width = 1): string {
    this.#inputs.push(valueInfo(11, name, type, width));
    return name;
  }

  constant(value: TensorValue): string {
    const name = this.name("constant");
    this.#constants.push(messageField(5, encodeTensor(value, name)));
    return name;
  }

  /** A number by itself, which broadcasts. */
  scalar(type: ElementName, value: number): string {
    return this.constant({ type, dims: [], values: [value] });
  }

  /** Adds a node with one output and returns the output's name. */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    options: { readonly domain?: string; readonly output?: string } = {},
  ): string {
    const output = options.output ?? this.name();
    this.#add(operator, inputs, attributes, [output], options.domain);
    return output;
  }

  /** Adds a node with several outputs and returns their names. */
  split(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
    count: number,
  ): string[] {
    const outputs = Array.from({ length: count }, () => this.name());
    this.#add(operator, inputs, attributes, outputs);
    return outputs;
  }

  #add(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
    outputs: readonly string[],
    domain?: string,
  ): void {
    this.#nodes.push(
      messageField(1, [
        ...inputs.map((name) => textField(1, name)),
        ...outputs.map((name) => textField(2, name)),
        textField(3, `${operator}_${outputs[0]}`),
        textField(4, operator),
        ...Object.entries(attributes).map(([name, value]) => encodeAttribute(name, value)),
        ...(domain === undefined ? [] : [textField(7, domain)]),
      ]),
    );
  }

  /** Adds nodes and constants of another model, whose versions of the operators then hold for all. */
  adopt({ parts, functions, opsets, irVersion }: AdoptedParts): void {
    this.#nodes.push(...parts);
    this.#functions.push(...functions);
    for (const [domain, version] of opsets) this.#opsets.set(domain === "ai.onnx" ? "" : domain, version);
    this.#irVersion = Math.max(IR_VERSION, irVersion);
  }

  output(name: string, type: ElementName, width: Width): void {
    this.#outputs.push(valueInfo(12, name, type, width));
  }

  /** The graph itself, without what a model says around it. */
  body(name: string): Uint8Array[] {
    return [...this.#nodes, textField(2, name), ...this.#constants, ...this.#inputs, ...this.#outputs];
  }

  encode(options: {
    readonly name: string;
    readonly producer: string;
    readonly notes: Readonly<Record<string, string>>;
  }) {
    return concatBytes([
      intField(1, this.#irVersion),
      textField(2, "retrain"),
      textField(3, options.producer),
      messageField(7, this.body(options.name)),
      ...[...this.#opsets].map(([domain, version]) => messageField(8, [textField(1, domain), intField(2, version)])),
      ...this.#functions,
      ...Object.entries(options.notes).map(([key, value]) =>
        messageField(14, [textField(1, key), textField(2, value)]),
      ),
    ]);
  }
}
