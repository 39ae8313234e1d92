/** The kernels of matrix factorization: kernels/recommend.ts as WebAssembly, or its twin. */
import { openWasm } from "../wasm.ts";
import type { KernelChoice } from "../wasm.ts";
import type { RecommendKernels } from "./kernel-contract.ts";
import { createTwin } from "./twin.ts";

/** The number `kernelVersion` of kernels/recommend.ts must give. */
export const RECOMMEND_KERNEL_VERSION = 1;

/** Kernels over a fresh, zeroed memory of at least `bytes` bytes. */
export function openRecommendKernels(bytes: number, choice: KernelChoice): RecommendKernels {
  const wasm = choice === "twin" ? undefined : openWasm<RecommendKernels>("recommend", RECOMMEND_KERNEL_VERSION, bytes);
  return wasm ?? createTwin(Math.ceil(bytes / 8) * 8);
}
