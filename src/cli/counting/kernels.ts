/** The kernels of counting a file's numbers: kernels/profile.ts as WebAssembly, or its twin. Arguments are byte offsets into one memory. */
import { type KernelChoice, openWasm } from "../../learn/wasm.ts";
import { createTwin } from "./twin.ts";

/** The number `kernelVersion` of kernels/profile.ts must give. */
export const PROFILE_KERNEL_VERSION = 1;

/** What both implementations offer: see kernels/profile.ts for what each function does. */
export interface ProfileKernels {
  readonly buffer: ArrayBuffer;
  narrow(from: number, to: number, count: number): void;
  range(values: number, count: number, out: number): void;
  countCells: CountCells;
}
export type CountCells = (
  values: number,
  count: number,
  slots: number,
  edges: number,
  counts: number,
  cells: number,
  isByValue: number,
  min: number,
  max: number,
  slotsPerUnit: number,
) => void;

/** Kernels over a fresh, zeroed memory of at least `bytes` bytes. */
export function openProfileKernels(bytes: number, choice: KernelChoice): ProfileKernels {
  const wasm = choice === "twin" ? undefined : openWasm<ProfileKernels>("profile", PROFILE_KERNEL_VERSION, bytes);
  return wasm ?? createTwin(Math.ceil(bytes / 8) * 8);
}
