/** Seeded tables for the trainer's tests. */
import { createRandom, sha256Hex, type Task } from "../../../src/core/index.ts";
import type { ColumnInfo, FitRequest, TrainedWeights } from "../../../src/learn/index.ts";
import { gbdt } from "../../../src/learn/gbdt/gbdt.ts";
import { encodeWeights } from "../../../src/model/index.ts";

export interface TableOptions {
  readonly rows: number;
  readonly seed: number;
  readonly task?: Task;
  readonly missing?: number;
  readonly weights?: boolean;
}

/** x0..x3 numbers, x4 with few values, x5 a category of 12 codes whose effect has no order. */
export const COLUMNS: readonly ColumnInfo[] = ["x0", "x1", "x2", "x3", "x4", "x5"].map((name) => ({
  name,
  kind: name === "x5" ? "category" : "number",
}));

export function table({ rows, seed, task = "binary", missing = 0, weights = false }: TableOptions) {
  const random = createRandom(seed);
  const columns = COLUMNS.length;
  const values = new Float32Array(rows * columns);
  const target = new Float64Array(rows);
  const rowWeights = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const x = [0, 1, 2, 3].map(() => random.nextFloat() + random.nextFloat() - 1);
    x.push(random.nextInt(4), 1 + random.nextInt(12));
    const effect = [3, 7, 8, 11].includes(x[5] as number) ? 1 : -0.5;
    const score = 3 * (x[0] as number) - 2 * (x[1] as number) * (x[2] as number) + effect + 0.2 * (x[4] as number);
    x.forEach((value, j) => {
      values[i * columns + j] = random.nextFloat() < missing ? Number.NaN : value;
    });
    const noise = random.nextFloat() - 0.5;
    if (task === "regression") target[i] = 100 + 20 * score + 10 * noise;
    else if (task === "binary") target[i] = score + 2 * noise > 0 ? 1 : 0;
    else target[i] = score + noise < -0.7 ? 0 : score < 0.7 ? 1 : 2;
    rowWeights[i] = 0.5 + random.nextFloat();
  }
  const classCount = task === "regression" ? 0 : task === "binary" ? 2 : 3;
  const y = weights ? { values: target, weights: rowWeights, classCount } : { values: target, classCount };
  return { x: { rows, columns, values }, y };
}

export function request(options: Partial<FitRequest> & { readonly table?: Partial<TableOptions> } = {}): FitRequest {
  const { table: change = {}, ...rest } = options;
  const task = rest.task ?? "binary";
  return {
    task,
    columns: COLUMNS,
    train: table({ rows: 700, seed: 1, task, ...change }),
    validation: table({ rows: 200, seed: 2, task, ...change }),
    params: {},
    seed: 5,
    signal: new AbortController().signal,
    onPoint: async () => {},
    ...rest,
  };
}

/** A hash, because a difference in a model's bytes explains nothing by being printed. */
export function bytesOf(weights: TrainedWeights): string {
  const { json, binary } = encodeWeights(weights);
  return `${sha256Hex(json)} ${sha256Hex(binary)}`;
}

/** Everything but the number of the best round, which counts from the start of its own training. */
export function modelOf({ shape, arrays }: TrainedWeights) {
  return { shape, arrays };
}

/** Scores of every row, row by row. */
export function scoresOf(weights: TrainedWeights, task: Task, part: ReturnType<typeof table>): number[] {
  const score = gbdt.scorer(weights, task);
  const out = new Float64Array(Math.max(1, part.y.classCount));
  const all: number[] = [];
  for (let i = 0; i < part.x.rows; i++) {
    score(part.x.values, i * part.x.columns, out);
    all.push(...out);
  }
  return all;
}
