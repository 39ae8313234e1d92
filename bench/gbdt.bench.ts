// Boosted trees against XGBoost and scikit-learn on the same data with the same parameters, one thread, runs in turn. Ratios
// are of processor seconds, which repeat better than the clock on a shared machine. Binning and DMatrix construction count.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRandom, type SeededRandom } from "../src/core/index.ts";
import { gbdt } from "../src/learn/gbdt/gbdt.ts";
import { gbdtRowsScorer } from "../src/learn/gbdt/predict.ts";
import type { FitRequest, TrainedWeights } from "../src/learn/index.ts";
import { computeMetric } from "../src/stats/index.ts";
import { openPeers, type Peers } from "./gbdt-peer.ts";
import { type BenchResult, type Figure, median } from "./harness.ts";

type Part = FitRequest["train"];
const TREES = 100;
const ROUNDS = 7;

/** Interactions, a wave and noise columns of mixed scales; about a third positive. `missing` columns lose that share of values. */
function table(rows: number, columns: number, seed: number, missing = 0): Part {
  const random = createRandom(seed);
  const values = new Float32Array(rows * columns);
  const target = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const row = values.subarray(i * columns, (i + 1) * columns);
    for (let j = 0; j < columns; j++) row[j] = bell(random) * (j % 3 === 0 ? 1 : j % 3 === 1 ? 100 : 0.01);
    const x = (j: number) => (row[j] as number) / (j % 3 === 0 ? 1 : j % 3 === 1 ? 100 : 0.01);
    const score =
      2 * x(0) * x(1) + 1.5 * Math.sin(3 * x(2)) + x(3) - x(4) * x(5) * x(6) + 0.5 * Math.abs(x(7)) + 0.4 * x(8) - 1;
    target[i] = random.nextFloat() < 1 / (1 + Math.exp(-score)) ? 1 : 0;
    for (let j = 0; j < 4 && missing > 0; j++) if (random.nextFloat() < missing) row[j * 2] = Number.NaN;
  }
  return { x: { rows, columns, values }, y: { values: target, classCount: 2 } };
}

const bell = (random: SeededRandom) => (random.nextFloat() + random.nextFloat() + random.nextFloat() - 1.5) * 2;

function requestOf(train: Part, change: Partial<FitRequest> = {}): FitRequest {
  const { columns } = train.x;
  return {
    task: "binary",
    train,
    validation: {
      x: { rows: 0, columns, values: new Float32Array(0) },
      y: { values: new Float64Array(0), classCount: 2 },
    },
    params: { epochs: TREES, patience: 0 },
    seed: 1,
    signal: new AbortController().signal,
    onPoint: async () => {},
    ...change,
  };
}

async function timed<T>(work: () => Promise<T> | T): Promise<{ cpu: number; wall: number; value: T }> {
  const cpuBefore = process.cpuUsage();
  const from = process.hrtime.bigint();
  const value = await work();
  const wall = Number(process.hrtime.bigint() - from) / 1e9;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { cpu: (user + system) / 1e6, wall, value };
}

function aucOf(weights: TrainedWeights, test: Part): number {
  const score = gbdt.scorer(weights, "binary");
  const out = new Float64Array(2);
  const scores = Float64Array.from({ length: test.x.rows }, (_, i) => {
    score(test.x.values, i * test.x.columns, out);
    return out[1] as number;
  });
  return computeMetric("rocAuc", { labels: test.y.values, scores }) as number;
}

function save(path: string, { x, y }: Part): string {
  const all = new Float32Array(x.rows * (x.columns + 1));
  for (let i = 0; i < x.rows; i++) {
    all.set(x.values.subarray(i * x.columns, (i + 1) * x.columns), i * (x.columns + 1));
    all[i * (x.columns + 1) + x.columns] = y.values[i] as number;
  }
  writeFileSync(path, new Uint8Array(all.buffer));
  return path;
}

interface Case {
  readonly name: string;
  readonly rows: number;
  readonly missing?: number;
  readonly limit: number;
  readonly rounds: number;
}

const CASES: readonly Case[] = [
  { name: "100k × 20", rows: 100_000, limit: 0.75, rounds: ROUNDS },
  { name: "100k × 20 with missing values", rows: 100_000, missing: 0.2, limit: 0.75, rounds: 3 },
];

async function compare(one: Case, peers: Peers | undefined, folder: string): Promise<Figure[]> {
  const train = table(one.rows, 20, 1, one.missing);
  const test = table(100_000, 20, 2, one.missing);
  const paths = {
    train: save(join(folder, `${one.name} train`), train),
    test: save(join(folder, `${one.name} test`), test),
  };
  const names = Object.keys(peers?.versions ?? {});
  const cpu = new Map<string, number[]>(["gbdt", ...names].map((name) => [name, []]));
  const aucs = new Map<string, number>();
  const base = { ...paths, rows: one.rows, testRows: test.x.rows, columns: 20, trees: TREES };
  for (let round = 0; round <= one.rounds; round++) {
    // The first round warms up, and is where the scores are looked at.
    const ours = await timed(() => gbdt.fit(requestOf(train)));
    if (round === 0) aucs.set("gbdt", aucOf(ours.value, test));
    else cpu.get("gbdt")?.push(ours.cpu);
    for (const name of names) {
      const out = join(folder, `${name}.out`);
      const times = await (peers as Peers).fit({ name, ...base, ...(round === 0 ? { out } : {}) });
      if (round > 0) cpu.get(name)?.push(times.cpu);
      else aucs.set(name, peerAuc(out, test));
    }
  }
  const of = (name: string) => median(cpu.get(name) ?? []);
  const figures: Figure[] = [{ name: `${one.name}, ${TREES} trees, processor`, value: of("gbdt"), unit: "s" }];
  for (const name of names) {
    const limit = name === "xgboost" ? { atMost: one.limit } : {};
    const gap = (aucs.get("gbdt") as number) - (aucs.get(name) as number);
    figures.push({ name: `${one.name}: processor to ${name}`, value: of("gbdt") / of(name), unit: "×", ...limit });
    figures.push({ name: `${one.name}: AUC less that of ${name}`, value: gap, unit: "", atLeast: -0.003 });
  }
  figures.push({ name: `${one.name}: AUC`, value: aucs.get("gbdt") as number, unit: "" });
  return figures;
}

function peerAuc(path: string, test: Part): number {
  const bytes = readFileSync(path);
  const scores = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  return computeMetric("rocAuc", { labels: test.y.values, scores }) as number;
}

async function small(): Promise<Figure> {
  const train = table(1000, 10, 3);
  const times: number[] = [];
  for (let round = 0; round < 12; round++) times.push((await timed(() => gbdt.fit(requestOf(train)))).cpu * 1000);
  const value = median(times.slice(4));
  return { name: "1000 × 10, 100 trees, warm process, processor", value, unit: "ms", atMost: 60 };
}

async function warmStart(): Promise<Figure> {
  const base = await gbdt.fit(requestOf(table(100_000, 20, 1)));
  const more = requestOf(table(20_000, 20, 4), { base, params: { epochs: 20, patience: 0 } });
  const times: number[] = [];
  for (let round = 0; round < 5; round++) times.push((await timed(() => gbdt.fit(more))).cpu * 1000);
  return { name: "20 trees more on 20k new rows, processor", value: median(times), unit: "ms" };
}

async function predictions(): Promise<Figure[]> {
  const train = table(100_000, 20, 1);
  const request = requestOf(train, { params: { epochs: 200, patience: 0 } });
  const score = gbdt.scorer(await gbdt.fit(request), "binary");
  const scoreAll = gbdtRowsScorer(await gbdt.fit(requestOf(train)), "binary");
  const out = new Float64Array(2);
  const answers = new Float64Array(200_000);
  const byRow = () => {
    for (let i = 0; i < 20_000; i++) score(train.x.values, i * 20, out);
  };
  const [one, all]: [number[], number[]] = [[], []];
  for (let round = 0; round < 5; round++) {
    one.push(((await timed(byRow)).cpu / 20_000) * 1e6);
    all.push((await timed(() => scoreAll(train.x.values, 100_000, answers))).cpu);
  }
  return [
    { name: "predict a row, 200 trees of 31 leaves, processor", value: median(one), unit: "µs", atMost: 8 },
    { name: "predict 100k rows, 100 trees, processor", value: median(all), unit: "s", atMost: 0.35 },
  ];
}

export async function run(): Promise<BenchResult> {
  const folder = mkdtempSync(join(tmpdir(), "retrain-bench-"));
  const peers = await openPeers();
  try {
    const figures: Figure[] = [];
    for (const one of CASES) figures.push(...(await compare(one, peers, folder)));
    figures.push(await small(), await warmStart(), ...(await predictions()));
    const versions = Object.entries(peers?.versions ?? {}).map(([name, version]) => `${name} ${version}`);
    const note =
      peers === undefined
        ? "No peer was found: nothing is compared. `node bench/peers.mjs` makes their environment."
        : `Peers: ${versions.join(", ")}, one thread each, 31 leaves, 255 or 256 bins, rate 0.1.`;
    return { figures, notes: [note] };
  } finally {
    peers?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
