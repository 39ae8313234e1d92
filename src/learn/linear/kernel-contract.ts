/** What both implementations offer: see kernels/linear.ts for what each function does. */
export interface LinearKernels {
  readonly buffer: ArrayBuffer;
  shuffle(order: number, count: number, state: number): void;
  passSingle: Pass;
  passSoftmax: Pass;
}
/** The last number is 1 for logistic and 0 for squared loss (`passSingle`), or the classes (`passSoftmax`). */
export type Pass = (
  values: number,
  bytes: number,
  rowWeights: number,
  order: number,
  from: number,
  to: number,
  weights: number,
  sums: number,
  state: number,
  scratch: number,
  kind: number,
) => void;
