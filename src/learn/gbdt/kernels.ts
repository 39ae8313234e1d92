/**
 * The kernels of the trainer: the WebAssembly file built from kernels/gbdt.ts where it is there, the TypeScript twin where it
 * is not. Both work on one block of memory that the driver lays out; arguments are byte offsets into it.
 */
import { hasWasm, joinWasm, openSharedWasm, openWasm } from "../wasm.ts";
import type { KernelChoice, SharedWasm } from "../wasm.ts";
import type { Kernels } from "./kernel-contract.ts";
import { createTwin } from "./twin.ts";

export type { KernelChoice } from "../wasm.ts";

/** The number `kernelVersion` of kernels/gbdt.ts must give: a file built from other sources is passed over, never trusted. */
const KERNEL_VERSION = 3;

type WasmKernels = Omit<Kernels, "kind">;

/** Whether the WebAssembly file was found and fits. */
export function hasWasmKernels(): boolean {
  return hasWasm("gbdt", KERNEL_VERSION);
}

/** Kernels over a fresh, zeroed memory of at least `bytes` bytes. */
export function openKernels(bytes: number, choice: KernelChoice = "auto"): Kernels {
  const wasm = choice === "twin" ? undefined : openWasm<WasmKernels>("gbdt", KERNEL_VERSION, bytes);
  return wasm === undefined ? createTwin(Math.ceil(bytes / 8) * 8) : { ...wasm, kind: "wasm" };
}

/** Whether several threads can work on one training. */
export function hasSharedKernels(choice: KernelChoice): boolean {
  return choice !== "twin" && hasWasm("gbdt-shared", KERNEL_VERSION);
}

/** The same over a memory that other threads can join; undefined where there is no WebAssembly for it. */
export function openSharedKernels(
  bytes: number,
  choice: KernelChoice = "auto",
): { readonly kernels: Kernels; readonly shared: SharedWasm } | undefined {
  const opened = choice === "twin" ? undefined : openSharedWasm<WasmKernels>("gbdt-shared", KERNEL_VERSION, bytes);
  return opened === undefined ? undefined : { kernels: { ...opened.functions, kind: "wasm" }, shared: opened.shared };
}

/** The kernels of a thread that was handed a shared memory. */
export function joinKernels(shared: SharedWasm): Kernels {
  return { ...joinWasm<WasmKernels>(shared), kind: "wasm" };
}
