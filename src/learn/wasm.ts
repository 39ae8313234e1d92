/**
 * WebAssembly files built from kernels/: found beside the built server or where the build puts them as seen from the sources.
 * A trainer that finds none, or one of another version, uses its TypeScript twin: the same bits, only slower.
 */
import { readFileSync } from "node:fs";

export type KernelChoice = "auto" | "wasm" | "twin";
const PAGE_BYTES = 65_536;
/** A wasm memory addresses 32 bits. */
export const MAX_KERNEL_BYTES = 4_294_901_760;

/** What of WebAssembly is used here; the compiler's library of ECMAScript alone does not describe it. */
interface WasmModules {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: WasmExports };
}
interface WasmExports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  kernelVersion(): number;
}

const PLACES = ["../../kernels/", "../../dist/kernels/"];
const compiled = new Map<string, object | null>();

function webAssembly(): WasmModules | undefined {
  return (globalThis as { readonly WebAssembly?: WasmModules }).WebAssembly;
}

function compile(name: string, version: number): object | null {
  const wasm = webAssembly();
  if (wasm === undefined) return null;
  for (const place of PLACES) {
    try {
      const module = new wasm.Module(readFileSync(new URL(`${place}${name}.wasm`, import.meta.url)));
      if (new wasm.Instance(module).exports.kernelVersion() === version) return module;
    } catch {
      // Not built, or an engine without the instructions.
    }
  }
  return null;
}

/** Whether the file was found and gives this version; looked for once per process. */
export function hasWasm(name: string, version: number): boolean {
  const key = `${name}/${version}`;
  if (!compiled.has(key)) compiled.set(key, compile(name, version));
  return compiled.get(key) !== null;
}

/** The functions of `kernels/NAME.ts` over a fresh, zeroed memory of at least `bytes` bytes; undefined where there is no file. */
export function openWasm<T>(
  name: string,
  version: number,
  bytes: number,
): (T & { readonly buffer: ArrayBuffer }) | undefined {
  const wasm = webAssembly();
  if (wasm === undefined || !hasWasm(name, version)) return undefined;
  const { exports } = new wasm.Instance(compiled.get(`${name}/${version}`) as object);
  exports.memory.grow(Math.ceil(bytes / PAGE_BYTES));
  return { ...(exports as unknown as T), buffer: exports.memory.buffer };
}

/** Lays out a block of memory, everything aligned to 16 bytes; offset 0 stays free: it means "none". */
export class MemoryPlan {
  used = 16;

  reserve(bytes: number): number {
    const at = this.used;
    this.used += Math.ceil(bytes / 16) * 16;
    return at;
  }
}
