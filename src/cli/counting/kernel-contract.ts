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
