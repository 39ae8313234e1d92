/** The kernels of counting a file's numbers: kernels/profile.ts as WebAssembly, or its twin. Arguments are byte offsets into one memory. */
import { type KernelChoice, openWasm } from "../../learn/wasm.ts";
import type { ProfileKernels } from "./kernel-contract.ts";
import { createTwin } from "./twin.ts";

/** The number `kernelVersion` of kernels/profile.ts must give. */
export const PROFILE_KERNEL_VERSION = 1;

/** Kernels over a fresh, zeroed memory of at least `bytes` bytes. */
export function openProfileKernels(bytes: number, choice: KernelChoice): ProfileKernels {
  const wasm = choice === "twin" ? undefined : openWasm<ProfileKernels>("profile", PROFILE_KERNEL_VERSION, bytes);
  return wasm ?? createTwin(Math.ceil(bytes / 8) * 8);
}
