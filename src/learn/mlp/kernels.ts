/** The kernels of the trainer: kernels/mlp.ts as WebAssembly, or its twin. Arguments are byte offsets into one memory. */
import { openWasm } from "../wasm.ts";
import type { KernelChoice } from "../wasm.ts";
import type { MlpKernels } from "./kernel-contract.ts";
import { createTwin } from "./twin.ts";

/** The number `kernelVersion` of kernels/mlp.ts must give. */
export const MLP_KERNEL_VERSION = 2;

/** Kernels over a fresh, zeroed memory of at least `bytes` bytes. */
export function openMlpKernels(bytes: number, choice: KernelChoice): MlpKernels {
  const wasm = choice === "twin" ? undefined : openWasm<MlpKernels>("mlp", MLP_KERNEL_VERSION, bytes);
  return wasm ?? createTwin(Math.ceil(bytes / 8) * 8);
}
