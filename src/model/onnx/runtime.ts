/**
 * The ONNX runtime, which is not installed with Retrain: `onnxruntime-node` where it is there, else `onnxruntime-web`. Both offer
 * the same interface; what of it is used here is written down, so that the sources compile without either.
 *
 * A session is opened inside a process that may be killed, never in the server: `run` blocks its event loop, and a hostile model
 * may never return.
 */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { fail } from "../../core/index.ts";

/** Data of a tensor: numbers as typed arrays, texts as an array. */
export type TensorData = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array | readonly string[];
export interface OnnxTensor {
  /** float32, float64, int32, int64, bool, string */
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: TensorData;
}
export interface RuntimeSession {
  run(feeds: Readonly<Record<string, unknown>>, outputs: readonly string[]): Promise<Record<string, OnnxTensor>>;
}
export interface Runtime {
  readonly env: { readonly wasm: { numThreads?: number }; logLevel?: string };
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => OnnxTensor;
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<RuntimeSession> };
}

const PACKAGES = ["onnxruntime-node", "onnxruntime-web"] as const;

/** Where the runtime lies, so that a worker can load the same one. @throws DEPENDENCY_MISSING naming the commands that install one. */
export function findRuntime(): string {
  const require = createRequire(import.meta.url);
  for (const name of PACKAGES) {
    try {
      return require.resolve(name);
    } catch {
      // Not installed: the next one.
    }
  }
  throw fail("DEPENDENCY_MISSING", {
    message: "This model is an ONNX file, and no ONNX runtime is installed.",
    remedy:
      "Run `npm install onnxruntime-node --onnxruntime-node-install=skip` (native), or `npm install onnxruntime-web` (WebAssembly), and try again.",
  });
}

/** One thread: tabular models are small, and a spinning thread pool starves the server on the same machine. */
export const SESSION_OPTIONS = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 };

/** @throws DEPENDENCY_MISSING */
export async function loadRuntime(): Promise<Runtime> {
  const path = findRuntime();
  const loaded = (await import(/* @vite-ignore */ pathToFileURL(path).href)) as Runtime & {
    readonly default?: Runtime;
  };
  const runtime = loaded.default ?? loaded;
  runtime.env.wasm.numThreads = 1;
  return runtime;
}
