/** What both implementations of the kernels offer: see kernels/gbdt.ts for what each function does. */
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
    out: number,
  ): number;
  countUp(index: number, begin: number, end: number): void;
  partition(index: number, begin: number, end: number, columnBins: number, goesLeft: number, scratch: number): number;
  addValue(scores: number, index: number, begin: number, end: number, value: number): void;
}
