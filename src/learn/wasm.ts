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
  readonly Instance: new (module: object, imports?: object) => { readonly exports: WasmExports };
  readonly Memory: new (size: {
    readonly initial: number;
    readonly maximum: number;
    readonly shared: true;
  }) => {
    readonly buffer: SharedArrayBuffer;
  };
}
interface WasmExports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  kernelVersion(): number;
}

/** What another thread needs to run the same functions over the same memory; it can be sent to one. */
export interface SharedWasm {
  readonly module: object;
  readonly memory: { readonly buffer: SharedArrayBuffer };
}

const PLACES = ["../../kernels/", "../../dist/kernels/"];
/** The build makes two files of a kernel that threads share: `NAME.wasm` with a memory of its own, and this one. */
const SHARED_SUFFIX = "-shared";
const compiled = new Map<string, object | null>();

function webAssembly(): WasmModules | undefined {
  return (globalThis as { readonly WebAssembly?: WasmModules }).WebAssembly;
}

/** Files built for a shared memory import it; any will do to ask for their version. */
function probeImports(wasm: WasmModules, name: string): object {
  if (!name.endsWith(SHARED_SUFFIX)) return {};
  return { env: { memory: new wasm.Memory({ initial: 1, maximum: 1, shared: true }) } };
}

function compile(name: string, version: number): object | null {
  const wasm = webAssembly();
  if (wasm === undefined) return null;
  for (const place of PLACES) {
    try {
      const module = new wasm.Module(readFileSync(new URL(`${place}${name}.wasm`, import.meta.url)));
      if (new wasm.Instance(module, probeImports(wasm, name)).exports.kernelVersion() === version) return module;
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

/**
 * The functions of a file built for a shared memory, over a fresh, zeroed one, and what other threads need to join it; undefined
 * where there is no file.
 */
export function openSharedWasm<T>(
  name: string,
  version: number,
  bytes: number,
): { readonly functions: T & { readonly buffer: SharedArrayBuffer }; readonly shared: SharedWasm } | undefined {
  const wasm = webAssembly();
  if (wasm === undefined || !hasWasm(name, version)) return undefined;
  const pages = Math.ceil(bytes / PAGE_BYTES) + 1;
  const memory = new wasm.Memory({ initial: pages, maximum: pages, shared: true });
  const shared = { module: compiled.get(`${name}/${version}`) as object, memory };
  return { functions: joinWasm<T>(shared), shared };
}

/** The functions over a memory that another thread has opened. */
export function joinWasm<T>({ module, memory }: SharedWasm): T & { readonly buffer: SharedArrayBuffer } {
  const wasm = webAssembly() as WasmModules;
  const { exports } = new wasm.Instance(module, { env: { memory } });
  return { ...(exports as unknown as T), buffer: memory.buffer };
}

/** Lays out a block of memory, everything aligned to 16 bytes or more; offset 0 stays free: it means "none". */
export class MemoryPlan {
  used = 16;

  /** @param alignment bytes, a multiple of 16 */
  reserve(bytes: number, alignment = 16): number {
    const at = Math.ceil(this.used / alignment) * alignment;
    this.used = at + Math.ceil(bytes / 16) * 16;
    return at;
  }
}
