/** The kernels of counting a file's numbers: kernels/profile.ts as WebAssembly, or its twin. Arguments are byte offsets into one memory. */
import { type KernelChoice, openWasm } from "../../learn/wasm.ts";
import type { PageKernels, ProfileKernels } from "./kernel-contract.ts";
import { createTwin } from "./twin.ts";

/** The number `kernelVersion` of kernels/profile.ts must give. */
export const PROFILE_KERNEL_VERSION = 2;

/** Kernels over a fresh, zeroed memory of at least `bytes` bytes. */
export function openProfileKernels(bytes: number, choice: KernelChoice): ProfileKernels {
  if (choice === "twin") return createTwin(Math.ceil(bytes / 8) * 8);
  const wasm = openWasm<ProfileKernels & PageKernels>("profile", PROFILE_KERNEL_VERSION, bytes);
  return wasm === undefined ? createTwin(Math.ceil(bytes / 8) * 8) : { ...wasm, pages: wasm };
}
