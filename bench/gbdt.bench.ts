// Boosted trees against XGBoost, LightGBM and scikit-learn on the same data with the same parameters, runs in turn. One thread
// is compared by processor seconds, which repeat better than the clock on a shared machine, two threads by the clock. Binning
// and construction of the peers' matrices count. `node bench/peers.mjs` makes the peers, RETRAIN_BENCH_DATA names real tables.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gbdt } from "../src/learn/gbdt/gbdt.ts";
import { gbdtRowsScorer } from "../src/learn/gbdt/predict.ts";
import type { FitRequest } from "../src/learn/index.ts";
import { type Part, save, table } from "./gbdt-data.ts";
import { openPeers, type Peers } from "./gbdt-peer.ts";
import { aucOf, compareQuality, peerAuc } from "./gbdt-quality.ts";
import { type BenchResult, type Figure, median } from "./harness.ts";

const TREES = 100;
const ROUNDS = 5;

function requestOf(train: Part, change: Partial<FitRequest> = {}): FitRequest {
  const { columns } = train.x;
  return {
    task: "binary",
    train,
    validation: {
      x: { rows: 0, columns, values: new Float32Array(0) },
      y: { values: new Float64Array(0), classCount: 2 },
    },
    params: { epochs: TREES, patience: 0, threads: 1 },
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

interface Case {
  readonly name: string;
  readonly rows: number;
  readonly missing?: number;
  readonly threads: 1 | 2;
  /** Largest ratio to a peer. */
  readonly limits: Readonly<Record<string, number>>;
  readonly rounds: number;
  /** Whether a round before the others warms up, and shows the scores. */
  readonly isWarm: boolean;
}

const CASES: readonly Case[] = [
  {
    name: "100k × 20",
    rows: 100_000,
    threads: 1,
    limits: { xgboost: 0.75, lightgbm: 1.1 },
    rounds: ROUNDS,
    isWarm: true,
  },
  {
    name: "100k × 20 with missing values",
    rows: 100_000,
    missing: 0.2,
    threads: 1,
    limits: { xgboost: 0.75 },
    rounds: 2,
    isWarm: true,
  },
  { name: "1M × 20", rows: 1_000_000, threads: 1, limits: { xgboost: 0.85, lightgbm: 1.1 }, rounds: 1, isWarm: false },
  { name: "1M × 20, 2 threads", rows: 1_000_000, threads: 2, limits: { xgboost: 0.9 }, rounds: 2, isWarm: false },
];

async function compare(one: Case, peers: Peers | undefined, folder: string): Promise<Figure[]> {
  const options = one.missing === undefined ? {} : { missing: one.missing };
  const train = table(one.rows, 20, 1, options);
  const test = table(one.isWarm ? 100_000 : 1000, 20, 2, options);
  const ask = {
    train: save(join(folder, `${one.name} train`), train),
    test: save(join(folder, `${one.name} test`), test),
    rows: one.rows,
    testRows: test.x.rows,
    columns: 20,
    categories: [],
    trees: TREES,
    threads: one.threads,
  };
  // scikit-learn, the slowest of them, is shown where it costs little.
  const names = Object.keys(peers?.versions ?? {}).filter((name) => one.isWarm || name !== "sklearn");
  const measure = one.threads === 1 ? ("cpu" as const) : ("wall" as const);
  const times = new Map<string, number[]>(["gbdt", ...names].map((name) => [name, []]));
  const aucs = new Map<string, number>();
  const request = requestOf(train, { params: { epochs: TREES, patience: 0, threads: one.threads } });
  for (let round = one.isWarm ? 0 : 1; round <= one.rounds; round++) {
    const ours = await timed(() => gbdt.fit(request));
    if (round === 0) aucs.set("gbdt", aucOf(ours.value, test));
    else times.get("gbdt")?.push(ours[measure]);
    for (const name of names) {
      const out = join(folder, `${name}.out`);
      const theirs = await (peers as Peers).fit({ name, ...ask, ...(round === 0 ? { out } : {}) });
      if (round === 0) aucs.set(name, peerAuc(out, test));
      else times.get(name)?.push(theirs[measure]);
    }
  }
  const of = (name: string) => median(times.get(name) ?? []);
  const what = one.threads === 1 ? "processor" : "clock";
  const figures: Figure[] = [{ name: `${one.name}, ${TREES} trees, ${what}`, value: of("gbdt"), unit: "s" }];
  for (const name of names) {
    const limit = one.limits[name] === undefined ? {} : { atMost: one.limits[name] as number };
    figures.push({ name: `${one.name}: ${what} to ${name}`, value: of("gbdt") / of(name), unit: "×", ...limit });
    if (!one.isWarm) continue;
    const gap = (aucs.get("gbdt") as number) - (aucs.get(name) as number);
    figures.push({ name: `${one.name}: AUC less that of ${name}`, value: gap, unit: "", atLeast: -0.003 });
  }
  if (one.isWarm) figures.push({ name: `${one.name}: AUC`, value: aucs.get("gbdt") as number, unit: "" });
  return figures;
}

async function small(peers: Peers | undefined, folder: string): Promise<Figure[]> {
  const train = table(1000, 10, 3);
  const files = {
    train: save(join(folder, "small"), train),
    test: save(join(folder, "small test"), table(1000, 10, 5)),
  };
  const ask = { ...files, rows: 1000, testRows: 1000, columns: 10, categories: [], trees: TREES, threads: 1 };
  const names = Object.keys(peers?.versions ?? {});
  const times = new Map<string, number[]>(["gbdt", ...names].map((name) => [name, []]));
  for (let round = 0; round < 12; round++) {
    times.get("gbdt")?.push((await timed(() => gbdt.fit(requestOf(train)))).cpu * 1000);
    for (const name of names) times.get(name)?.push((await (peers as Peers).fit({ name, ...ask })).cpu * 1000);
  }
  // The first rounds warm the process up.
  const of = (name: string) => median((times.get(name) ?? []).slice(4));
  const own = { name: "1000 × 10, 100 trees, warm process, processor", value: of("gbdt"), unit: "ms", atMost: 60 };
  const ratios = names.map((name) => ({
    name: `1000 × 10: processor to ${name}`,
    value: of("gbdt") / of(name),
    unit: "×",
  }));
  return [own, ...ratios];
}

async function warmStart(peers: Peers | undefined, folder: string): Promise<Figure[]> {
  const first = table(100_000, 20, 1);
  const newer = table(20_000, 20, 4);
  const base = await gbdt.fit(requestOf(first));
  const more = requestOf(newer, { base, params: { epochs: 20, patience: 0, threads: 1 } });
  const ask = {
    name: "xgboost",
    train: save(join(folder, "first"), first),
    more: save(join(folder, "newer"), newer),
    rows: 100_000,
    moreRows: 20_000,
    columns: 20,
    categories: [],
    trees: TREES,
    moreTrees: 20,
    threads: 1,
  };
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < 5; round++) {
    ours.push((await timed(() => gbdt.fit(more))).cpu * 1000);
    if (peers?.versions["xgboost"] !== undefined) theirs.push((await peers.fit(ask)).cpu * 1000);
  }
  const name = "20 trees more on 20k new rows";
  const figures: Figure[] = [{ name: `${name}, processor`, value: median(ours), unit: "ms" }];
  if (theirs.length > 0)
    figures.push({
      name: `${name}: processor to xgboost`,
      value: median(ours) / median(theirs),
      unit: "×",
      atMost: 0.7,
    });
  return figures;
}

async function predictions(): Promise<Figure[]> {
  const train = table(100_000, 20, 1);
  const request = requestOf(train, { params: { epochs: 200, patience: 0, threads: 1 } });
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
    figures.push(...(await small(peers, folder)), ...(await warmStart(peers, folder)), ...(await predictions()));
    if (peers === undefined) {
      const note = "No peer was found: nothing is compared. `node bench/peers.mjs` makes their environment.";
      return { figures, notes: [note] };
    }
    const quality = await compareQuality(peers, folder, requestOf);
    const missing = ["xgboost", "lightgbm", "sklearn"].filter((name) => peers.versions[name] === undefined);
    const versions = Object.entries(peers.versions).map(([name, version]) => `${name} ${version}`);
    const notes = [`Peers: ${versions.join(", ")}; 31 leaves, 255 or 256 bins, rate 0.1.`, ...quality.notes];
    if (missing.length > 0) notes.push(`Not found, so not compared: ${missing.join(", ")}.`);
    return { figures: [...figures, ...quality.figures], notes };
  } finally {
    peers?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
