/** What both implementations of the kernels offer: see kernels/mlp.ts for what each function does. */
export interface MlpKernels {
  readonly buffer: ArrayBuffer;
  shuffle(order: number, count: number, state: number): void;
  gather(order: number, from: number, count: number, values: number, rowBytes: number, out: number): void;
  fillRows(out: number, count: number, row: number, rowBytes: number): void;
  multiply(
    m: number,
    n: number,
    k: number,
    a: number,
    aRow: number,
    aColumn: number,
    b: number,
    bRow: number,
    c: number,
    cRow: number,
    panel: number,
  ): void;
  multiplyOne(
    m: number,
    k: number,
    x: number,
    xRow: number,
    w: number,
    wStep: number,
    out: number,
    outRow: number,
  ): void;
  outer(errors: number, errorRow: number, rows: number, w: number, n: number, out: number): void;
  weightedSums(
    values: number,
    errors: number,
    errorRow: number,
    rows: number,
    n: number,
    out: number,
    outStep: number,
    scratch: number,
  ): void;
  transpose(from: number, m: number, n: number, to: number): void;
  activate(values: number, count: number, isTanh: number): void;
  activationGradient(gradients: number, values: number, count: number, isTanh: number): void;
  drawMask(mask: number, count: number, threshold: number, scale: number, state: number): void;
  scaleBy(left: number, right: number, out: number, count: number): void;
  lossGradient(
    scores: number,
    rowBytes: number,
    outputs: number,
    kind: number,
    order: number,
    from: number,
    count: number,
    target: number,
    weights: number,
    scale: number,
  ): void;
  columnSums(values: number, rows: number, n: number, out: number): void;
  adam(
    weights: number,
    gradients: number,
    first: number,
    second: number,
    count: number,
    rate: number,
    l2: number,
    firstBound: number,
    secondBound: number,
  ): void;
}
