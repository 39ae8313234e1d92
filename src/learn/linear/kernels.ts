/** The kernels of the trainer: kernels/linear.ts as WebAssembly, or its twin. Arguments are byte offsets into one memory. */
import { openWasm } from "../wasm.ts";
import type { KernelChoice } from "../wasm.ts";
import type { LinearKernels } from "./kernel-contract.ts";
import { createTwin } from "./twin.ts";

/** The number `kernelVersion` of kernels/linear.ts must give. */
export const LINEAR_KERNEL_VERSION = 2;

/** Kernels over a fresh, zeroed memory of at least `bytes` bytes. */
export function openLinearKernels(bytes: number, choice: KernelChoice): LinearKernels {
  const wasm = choice === "twin" ? undefined : openWasm<LinearKernels>("linear", LINEAR_KERNEL_VERSION, bytes);
  return wasm ?? createTwin(Math.ceil(bytes / 8) * 8);
}
