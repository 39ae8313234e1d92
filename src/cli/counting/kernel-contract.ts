/** What both implementations offer: see kernels/profile.ts for what each function does. */
export interface ProfileKernels {
  readonly buffer: ArrayBuffer;
  /** Where there is WebAssembly: see kernels/parquet/. */
  readonly pages?: PageKernels;
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

export interface PageKernels {
  unsnappy(from: number, length: number, to: number, capacity: number): number;
  unpack(from: number, length: number, width: number, count: number, to: number, sought: number): number;
  lookUp(places: number, count: number, dictionary: number, size: number, to: number): number;
  spread(levels: number, count: number, present: number, at: number): void;
  narrow(from: number, to: number, count: number): void;
  copyFloats(from: number, to: number, count: number): void;
  fromInt32(from: number, to: number, count: number, isUnsigned: number): void;
  fromInt64(from: number, to: number, count: number, isUnsigned: number): void;
}
