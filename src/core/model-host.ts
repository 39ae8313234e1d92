/** The port behind which models from outside run: a process of their own that may hang or crash without taking the server along. */

/** A tensor as plain data, ready to cross a process border. */
export interface TensorFeed {
  readonly name: string;
  /** float32, float64, int32, int64, bool, string */
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array | readonly string[];
}

export interface HostedModel {
  /** The numbers of one output. @throws MODEL_HOST_FAILED when the process hangs or dies, OUTPUT_INVALID when it refuses the rows */
  run(feeds: readonly TensorFeed[], output: string): Promise<ArrayLike<number>>;
  /** Ends its process. */
  close(): void;
}

/** Where object storage keeps the backbones of trainers: `<sha256>.onnx`, and `paths.json` from the written path to the hash. */
export const KEPT_BACKBONES = "backbones";

export interface ModelHost {
  /** Loads the file in a process of its own. @throws DEPENDENCY_MISSING, MODEL_INVALID, MODEL_HOST_FAILED */
  open(onnx: Uint8Array): Promise<HostedModel>;
  close(): Promise<void>;
}
