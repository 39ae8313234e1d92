/** What both implementations offer: see kernels/linear.ts for what each function does. */
export interface LinearKernels {
  readonly buffer: ArrayBuffer;
  shuffle(order: number, count: number, state: number): void;
  shuffleBlocks(order: number, count: number, blocks: number, blockRows: number, state: number): void;
  placeRows(
    rows: number,
    count: number,
    columns: number,
    targets: number,
    rowWeights: number,
    slots: number,
    values: number,
    bytes: number,
    total: number,
  ): number;
  passSingle: Pass;
  passSoftmax: Pass;
}
/** The last number is 1 for logistic and 0 for squared loss (`passSingle`), or the classes (`passSoftmax`). */
export type Pass = (
  values: number,
  bytes: number,
  order: number,
  from: number,
  to: number,
  weights: number,
  sums: number,
  singles: number,
  state: number,
  scratch: number,
  kind: number,
) => void;
