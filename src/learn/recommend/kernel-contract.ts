/** What both implementations offer: see kernels/recommend.ts for what each function does. Arguments are byte offsets and counts. */
export interface RecommendKernels {
  readonly buffer: ArrayBuffer;
  gram(rows: number, from: number, to: number, factors: number, out: number, scratch: number): void;
  solveRows(
    x: number,
    y: number,
    gram: number,
    starts: number,
    indices: number,
    extra: number,
    from: number,
    to: number,
    factors: number,
    steps: number,
    scratch: number,
    loss: number,
  ): void;
  scoreRows(x: number, rows: number, count: number, factors: number, out: number): void;
  rankPairs(
    users: number,
    items: number,
    itemCount: number,
    userOf: number,
    starts: number,
    indices: number,
    count: number,
    factors: number,
    samples: number,
    rate: number,
    l2: number,
    state: number,
    loss: number,
  ): void;
}
