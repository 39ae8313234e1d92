/** What both implementations of the kernels offer: see kernels/gbdt.ts and kernels/gbdt/ for what each function does. */
export interface Kernels {
  readonly kind: "wasm" | "twin";
  readonly buffer: ArrayBufferLike;
  sortFloats(values: number, scratch: number, counts: number, count: number): void;
  binColumn(
    values: number,
    rows: number,
    valueStride: number,
    edges: number,
    byRow: number,
    stride: number,
    byColumn: number,
  ): void;
  logisticGradients(
    scores: number,
    labels: number,
    weights: number,
    gradients: number,
    hessians: number,
    rows: number,
    sums: number,
  ): void;
  quantize(gradients: number, hessians: number, packed: number, rows: number, scaleG: number, scaleH: number): void;
  histogramRows(
    histogram: number,
    bins: number,
    stride: number,
    packed: number,
    index: number,
    begin: number,
    end: number,
  ): void;
  histogramAll(histogram: number, bins: number, stride: number, packed: number, rows: number): void;
  addHistogram(histogram: number, other: number, stride: number): void;
  subtractHistogram(histogram: number, other: number, stride: number): void;
  scanColumns(
    histogram: number,
    binCounts: number,
    columns: number,
    sumG: number,
    sumH: number,
    inverseG: number,
    inverseH: number,
    l2: number,
    minChild: number,
    leastScore: number,
    scratch: number,
    out: number,
  ): number;
  countUp(index: number, begin: number, end: number): void;
  partition(index: number, begin: number, end: number, columnBins: number, goesLeft: number, scratch: number): number;
  addLeaves(scores: number, index: number, ranges: number, rangeStride: number, values: number, leaves: number): void;
  logisticLosses(scores: number, labels: number, step: number, count: number, out: number): number;
  /** Absent from the twin: grow.ts, step by step, is the twin of this one. */
  growTree?(plan: number): number;
}
