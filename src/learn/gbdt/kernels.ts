/**
 * The kernels of the trainer: the WebAssembly file built from kernels/gbdt.ts where it is there, the TypeScript twin where it
 * is not. Both work on one block of memory that the driver lays out; arguments are byte offsets into it.
 */
import { readFileSync } from "node:fs";
import type { Kernels } from "./kernel-contract.ts";
import { createTwin } from "./twin.ts";

export type KernelChoice = "auto" | "wasm" | "twin";

/** The number `kernelVersion` of kernels/gbdt.ts must give: a file built from other sources is passed over, never trusted. */
const KERNEL_VERSION = 1;
const PAGE_BYTES = 65_536;

/** What of WebAssembly is used here; the compiler's library of ECMAScript alone does not describe it. */
interface WasmModules {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: WasmExports };
}
type WasmExports = Omit<Kernels, "kind" | "buffer"> & {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  kernelVersion(): number;
};

/** Beside the built server first, then where the build puts it as seen from the sources. */
const PLACES = ["../../../kernels/gbdt.wasm", "../../../dist/kernels/gbdt.wasm"];
let compiled: object | null | undefined;

function compile(): object | null {
  const { WebAssembly: wasm } = globalThis as { readonly WebAssembly?: WasmModules };
  if (wasm === undefined) return null;
  for (const place of PLACES) {
    try {
      const module = new wasm.Module(readFileSync(new URL(place, import.meta.url)));
      if (new wasm.Instance(module).exports.kernelVersion() === KERNEL_VERSION) return module;
    } catch {
      // Not built, or an engine without the instructions: the twin gives the same bits, only slower.
    }
  }
  return null;
}

/** Whether the WebAssembly file was found and fits. */
export function hasWasmKernels(): boolean {
  compiled ??= compile();
  return compiled !== null;
}

/** Kernels over a fresh, zeroed memory of at least `bytes` bytes. */
export function openKernels(bytes: number, choice: KernelChoice = "auto"): Kernels {
  if (choice === "twin" || !hasWasmKernels()) return createTwin(Math.ceil(bytes / 8) * 8);
  const { WebAssembly: wasm } = globalThis as unknown as { readonly WebAssembly: WasmModules };
  const { exports } = new wasm.Instance(compiled as object);
  exports.memory.grow(Math.ceil(bytes / PAGE_BYTES));
  return { ...exports, kind: "wasm", buffer: exports.memory.buffer };
}
