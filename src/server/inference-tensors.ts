/**
 * Tensors of the Open Inference Protocol v2: one input per feature, one row per entry, in JSON or as little-endian bytes behind
 * the JSON (binary extension). Numbers and dates are FP64, categories BYTES, booleans BOOL; any integer or float type is taken
 * for a number. A missing value is null in JSON and NaN in bytes.
 */
import { fail, plural, type Task } from "../core/index.ts";
import type { PredictedRow } from "../loop/contract.ts";

export interface TensorInfo {
  readonly name: string;
  readonly datatype: string;
  /** -1: as many as rows are sent. */
  readonly shape: readonly number[];
}
type Parameters = Readonly<Record<string, unknown>>;
interface InputTensor {
  readonly name?: unknown;
  readonly shape?: unknown;
  readonly datatype?: unknown;
  readonly parameters?: Parameters;
  readonly data?: unknown;
}
export interface InferRequest {
  readonly id?: string;
  readonly parameters: Parameters;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** Names of the outputs wanted; undefined: all. */
  readonly outputs: ReadonlyMap<string, { readonly binary: boolean }> | undefined;
  readonly binaryByDefault: boolean;
}

export function badTensor(message: string) {
  return fail("BODY_INVALID", {
    message,
    remedy: "GET /v2/models/<model> lists the inputs with their types and shapes.",
  });
}

const WIDTHS: Readonly<Record<string, number>> = {
  BOOL: 1,
  UINT8: 1,
  INT8: 1,
  UINT16: 2,
  INT16: 2,
  UINT32: 4,
  INT32: 4,
  FP32: 4,
  UINT64: 8,
  INT64: 8,
  FP64: 8,
};

const READERS: Readonly<Record<string, (view: DataView, at: number) => unknown>> = {
  BOOL: (view, at) => view.getUint8(at) !== 0,
  UINT8: (view, at) => view.getUint8(at),
  INT8: (view, at) => view.getInt8(at),
  UINT16: (view, at) => view.getUint16(at, true),
  INT16: (view, at) => view.getInt16(at, true),
  UINT32: (view, at) => view.getUint32(at, true),
  INT32: (view, at) => view.getInt32(at, true),
  UINT64: (view, at) => Number(view.getBigUint64(at, true)),
  INT64: (view, at) => Number(view.getBigInt64(at, true)),
  FP32: (view, at) => finiteOrMissing(view.getFloat32(at, true)),
  FP64: (view, at) => finiteOrMissing(view.getFloat64(at, true)),
};
const finiteOrMissing = (value: number) => (Number.isNaN(value) ? null : value);

function readBinary(name: string, datatype: string, bytes: Buffer): unknown[] {
  if (datatype === "BYTES") {
    const texts: string[] = [];
    for (let at = 0; at < bytes.length; ) {
      const length = at + 4 <= bytes.length ? bytes.readUInt32LE(at) : Infinity;
      if (at + 4 + length > bytes.length) throw badTensor(`The bytes of input "${name}" end inside a text.`);
      texts.push(bytes.toString("utf8", at + 4, at + 4 + length));
      at += 4 + length;
    }
    return texts;
  }
  const width = WIDTHS[datatype] as number;
  if (bytes.length % width !== 0)
    throw badTensor(`Input "${name}" has ${plural(bytes.length, "byte")}, no multiple of ${width}.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = READERS[datatype] as (view: DataView, at: number) => unknown;
  return Array.from({ length: bytes.length / width }, (_, i) => read(view, i * width));
}

/** Splits a body into its JSON and the bytes behind it. @throws BODY_INVALID */
export function parseInfer(body: Buffer, headerLength: string | undefined): InferRequest {
  const length = headerLength === undefined ? body.length : Number(headerLength);
  if (!Number.isInteger(length) || length < 0 || length > body.length) {
    throw badTensor(`Inference-Header-Content-Length is ${headerLength}; the body has ${plural(body.length, "byte")}.`);
  }
  let json: unknown;
  try {
    json = JSON.parse(body.toString("utf8", 0, length));
  } catch {
    throw badTensor("The request is no JSON object.");
  }
  const { inputs, id, parameters, outputs } = (json ?? {}) as Readonly<Record<string, unknown>>;
  if (!Array.isArray(inputs) || inputs.length === 0) throw badTensor('The request has no list "inputs".');
  const given = (parameters ?? {}) as Parameters;
  return {
    ...(typeof id === "string" && id !== "" ? { id } : {}),
    parameters: given,
    rows: rowsOf(inputs as readonly InputTensor[], body.subarray(length)),
    outputs: wantedOutputs(outputs),
    binaryByDefault: given["binary_data_output"] === true,
  };
}

function wantedOutputs(outputs: unknown): InferRequest["outputs"] {
  if (outputs === undefined || !Array.isArray(outputs) || outputs.length === 0) return undefined;
  return new Map(
    (outputs as readonly { name?: unknown; parameters?: Parameters }[]).map(({ name, parameters }) => [
      String(name),
      { binary: parameters?.["binary_data"] === true },
    ]),
  );
}

function rowsOf(inputs: readonly InputTensor[], bytes: Buffer): Record<string, unknown>[] {
  let rows: Record<string, unknown>[] | undefined;
  let offset = 0;
  for (const { name, shape, datatype, parameters, data } of inputs) {
    if (typeof name !== "string" || name === "__proto__") throw badTensor("An input has no name.");
    if (typeof datatype !== "string" || (datatype !== "BYTES" && WIDTHS[datatype] === undefined)) {
      throw badTensor(
        `Input "${name}" has the type ${String(datatype)}; ${[...Object.keys(WIDTHS), "BYTES"].join(", ")} are read.`,
      );
    }
    const size = parameters?.["binary_data_size"];
    let values: unknown[];
    if (size === undefined) {
      if (!Array.isArray(data)) throw badTensor(`Input "${name}" has no data.`);
      values = data.flat(8) as unknown[];
    } else {
      const end = offset + Number(size);
      if (!Number.isInteger(size) || end > bytes.length)
        throw badTensor(`Input "${name}" states ${JSON.stringify(size)} bytes; ${bytes.length - offset} are left.`);
      values = readBinary(name, datatype, bytes.subarray(offset, end));
      offset = end;
    }
    checkShape(name, shape, values.length);
    rows ??= values.map(() => ({}));
    if (values.length !== rows.length) {
      throw badTensor(`Input "${name}" has ${plural(values.length, "row")}, an earlier one has ${rows.length}.`);
    }
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      (rows[i] as Record<string, unknown>)[name] = typeof value === "number" && Number.isNaN(value) ? null : value;
    }
  }
  return rows as Record<string, unknown>[];
}

/** [n] or [n, 1]: a row has one value per input. */
function checkShape(name: string, shape: unknown, count: number): void {
  const dimensions = Array.isArray(shape) ? (shape as unknown[]).map(Number) : [];
  const isColumn = dimensions.length === 1 || (dimensions.length === 2 && dimensions[1] === 1);
  if (isColumn && dimensions[0] === count) return;
  throw badTensor(
    `Input "${name}" has the shape [${dimensions.join(", ")}] and ${plural(count, "value")}; it must be [rows] or [rows, 1].`,
  );
}

// -- answers ---------------------------------------------------------------------------------------------------------------------

export interface OutputTensor {
  readonly name: string;
  readonly datatype: "BOOL" | "FP64" | "BYTES";
  readonly shape: readonly number[];
  readonly data: readonly (string | number | boolean)[];
}

export function outputInfos(task: Task, classes: number): readonly TensorInfo[] {
  const ids: TensorInfo = { name: "prediction_id", datatype: "BYTES", shape: [-1] };
  if (task === "regression" || task === "forecast") return [{ name: "value", datatype: "FP64", shape: [-1] }, ids];
  if (task === "recommend") return [{ name: "items", datatype: "BYTES", shape: [-1, -1] }, ids];
  if (task === "binary") {
    return [{ name: "decision", datatype: "BOOL", shape: [-1] }, { name: "score", datatype: "FP64", shape: [-1] }, ids];
  }
  return [
    { name: "decision", datatype: "BYTES", shape: [-1] },
    { name: "probabilities", datatype: "FP64", shape: [-1, classes] },
    ids,
  ];
}

export function outputTensors(infos: readonly TensorInfo[], rows: readonly PredictedRow[]): readonly OutputTensor[] {
  const n = rows.length;
  return infos.map(({ name, datatype, shape }) => {
    const data = rows.flatMap((row): readonly (string | number | boolean)[] => {
      if (name === "prediction_id") return [row.predictionId ?? ""];
      if (name === "items") return slateTexts(row, rows);
      if (name === "decision") return [datatype === "BOOL" ? row.decision === true : String(row.decision)];
      if (name === "probabilities") return Object.values(row.probabilities ?? {});
      return [row.score as number];
    });
    const own = shape.length === 1 ? [n] : [n, n === 0 ? 0 : data.length / n];
    return { name, datatype: datatype as OutputTensor["datatype"], shape: own, data };
  });
}

/** The items of a slate; shorter ones end in empty texts, for a tensor has one width. */
function slateTexts(row: PredictedRow, rows: readonly PredictedRow[]): readonly string[] {
  const width = Math.max(...rows.map(({ recommend }) => recommend?.items.length ?? 0));
  return Array.from({ length: width }, (_, place) => row.recommend?.items[place]?.item ?? "");
}

export function writeBinary({ datatype, data }: OutputTensor): Buffer {
  if (datatype === "BOOL") return Buffer.from(data.map((value) => (value === true ? 1 : 0)));
  if (datatype === "FP64") {
    const bytes = Buffer.alloc(data.length * 8);
    data.forEach((value, i) => bytes.writeDoubleLE(value as number, i * 8));
    return bytes;
  }
  return Buffer.concat(
    data.map((value) => {
      const text = Buffer.from(String(value), "utf8");
      const length = Buffer.alloc(4);
      length.writeUInt32LE(text.length);
      return Buffer.concat([length, text]);
    }),
  );
}
