// Matrix factorization: 10 rounds of implicit least squares over 1M observations of 10,000 users and 3,000 items with 32 factors,
// one thread, against `implicit` (conjugate gradients, float32, same confidences and penalty); fold-in of a user; quality against
// popularity on generated tastes and on real movie ratings.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import {
  createRecommender,
  matrixFactorization,
  observationsByUser,
  popularity,
  type TrainedWeights,
} from "../src/learn/index.ts";
import { ndcg } from "../src/stats/index.ts";
import { type BenchResult, type Figure, median } from "./harness.ts";
import { peerPython, rootFolder } from "./peer-python.ts";
import { generatedTask, ratingsTask, type Task } from "./recommend-data.ts";

const FACTORS = 32;
const EPOCHS = 10;
const K = 10;
const ROUNDS = 5;
const FOLDED_ITEMS = 20;

interface Times {
  readonly wall: number;
  readonly cpu: number;
}

async function fit(task: Task, trainer: typeof matrixFactorization | typeof popularity, params = {}) {
  const cpu = process.cpuUsage();
  const from = process.hrtime.bigint();
  const weights = await trainer.fit({
    interactions: task.interactions,
    params,
    seed: 1,
    signal: new AbortController().signal,
    onPoint: async () => {},
  });
  const wall = Number(process.hrtime.bigint() - from) / 1e9;
  const { user, system } = process.cpuUsage(cpu);
  return { weights, wall, cpu: (user + system) / 1e6 };
}

/** Mean NDCG@10 over users with something to find; `topOf` ranks the items a user has not. */
function quality(task: Task, topOf: (user: number, seen: ReadonlySet<number>) => readonly number[]): number {
  const seen = new Map<number, Set<number>>();
  task.interactions.userOf.forEach((user, i) => {
    const own = seen.get(user) ?? new Set<number>();
    seen.set(user, own.add(task.interactions.itemOf[i] as number));
  });
  let sum = 0;
  let users = 0;
  for (const [user, taken] of task.later) {
    const own = seen.get(user) ?? new Set<number>();
    const wanted = new Set(taken.filter((item) => !own.has(item)));
    if (wanted.size === 0) continue;
    const relevance = topOf(user, own).map((item) => (wanted.has(item) ? 1 : 0));
    const missed = wanted.size - relevance.reduce<number>((total, one) => total + one, 0);
    const padded = [...relevance, ...Array.from({ length: K - relevance.length }, () => 0)];
    sum += ndcg([...padded, ...Array.from({ length: missed }, () => 1)], K) ?? 0;
    users++;
  }
  return sum / users;
}

function qualityOf(task: Task, weights: TrainedWeights): number {
  const model = createRecommender(weights);
  const { starts, indices, values } = observationsByUser(task.interactions);
  return quality(task, (user, seen) => {
    const part = [starts[user] as number, starts[user + 1] as number] as const;
    const vector = model.userVector({ items: indices.subarray(...part), strengths: values.subarray(...part) });
    return model.rank({ vector, k: K, isExcluded: (item) => seen.has(item) }).map(({ index }) => index);
  });
}

/** The peer's own user and item factors, ranked by their product. */
function qualityOfFactors(task: Task, factors: Float32Array): number {
  const users = task.interactions.users.length;
  const items = task.interactions.items.length;
  return quality(task, (user, seen) => {
    const scores = Array.from({ length: items }, (_, item) => {
      let score = 0;
      for (let f = 0; f < FACTORS; f++)
        score += (factors[user * FACTORS + f] as number) * (factors[(users + item) * FACTORS + f] as number);
      return { item, score };
    });
    return scores
      .filter(({ item }) => !seen.has(item))
      .sort((left, right) => right.score - left.score)
      .slice(0, K)
      .map(({ item }) => item);
  });
}

/** The peer as a child; a reason where there is none. */
async function openPeer(task: Task, confidence: number, l2: number) {
  const python = peerPython();
  if (python === undefined) return "no Python of peers (`node bench/peers.mjs` makes one)";
  const child = spawn(python, [join(rootFolder(), "bench", "recommend-peer.py")], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1", MKL_NUM_THREADS: "1" },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value as string) as Record<string, number | string>;
  const hello = await next();
  if (hello["implicit"] === undefined) return `implicit is not there (${hello["missing"]})`;
  const folder = mkdtempSync(join(tmpdir(), "retrain-recommend-"));
  const byUser = observationsByUser(task.interactions);
  const file = (name: string) => join(folder, name);
  writeFileSync(file("starts"), byUser.starts);
  writeFileSync(file("indices"), byUser.indices);
  writeFileSync(
    file("values"),
    Float32Array.from(byUser.values, (value) => 1 + confidence * value),
  );
  const request = {
    ...Object.fromEntries(["starts", "indices", "values", "out"].map((name) => [name, file(name)])),
    users: task.interactions.users.length,
    items: task.interactions.items.length,
    factors: FACTORS,
    epochs: EPOCHS,
    l2,
  };
  return {
    version: String(hello["implicit"]),
    async fit() {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return (await next()) as unknown as Times & { readonly foldMicroseconds: number };
    },
    factors() {
      const bytes = readFileSync(file("out"));
      return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    },
    close() {
      child.stdin.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function foldMicroseconds(task: Task, weights: TrainedWeights): number {
  const model = createRecommender(weights);
  const items = task.interactions.items.length;
  const tastes = Array.from({ length: 200 }, (_, i) => ({
    items: Array.from({ length: FOLDED_ITEMS }, (_unused, j) => (i * 31 + j * 97) % items),
    strengths: Array.from({ length: FOLDED_ITEMS }, () => 1),
  }));
  const rounds = Array.from({ length: 30 }, () => {
    const from = process.hrtime.bigint();
    for (const taste of tastes) model.userVector(taste);
    return Number(process.hrtime.bigint() - from) / 1000 / tastes.length;
  });
  return median(rounds.slice(5));
}

export async function run(options: Readonly<Record<string, string>> = {}): Promise<BenchResult> {
  const observations = Number(options["observations"] ?? 1_000_000);
  const scale = Math.sqrt(observations);
  const task = generatedTask(Math.round(10 * scale), Math.round(3 * scale), observations);
  const params = { factors: FACTORS, epochs: EPOCHS };
  const { confidence } = matrixFactorization.defaults as { confidence: number };
  const { penalty } = (await fit(task, matrixFactorization, { ...params, epochs: 1 })).weights.shape;
  const peer = await openPeer(task, confidence, penalty as number);
  const notes = typeof peer === "string" ? [`Without a peer: ${peer}.`] : [`implicit ${peer.version}, one thread.`];
  const own: Awaited<ReturnType<typeof fit>>[] = [];
  const theirs: Awaited<ReturnType<Exclude<typeof peer, string>["fit"]>>[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    own.push(await fit(task, matrixFactorization, params));
    if (typeof peer !== "string") theirs.push(await peer.fit());
  }
  const weights = (own[0] as (typeof own)[number]).weights;
  const middle = (times: readonly Times[], key: keyof Times) => median(times.map((one) => one[key]));
  const isWhole = observations === 1_000_000;
  const figures: Figure[] = [
    { name: "10 rounds, clock", value: middle(own, "wall"), unit: "s" },
    // One thread: on a machine with nothing else to do the clock shows the same.
    { name: "10 rounds, processor", value: middle(own, "cpu"), unit: "s", ...(isWhole ? { atMost: 1.5 } : {}) },
    { name: "fold-in of a user of 20 items", value: foldMicroseconds(task, weights), unit: "µs", atMost: 50 },
    { name: "NDCG@10 on generated tastes", value: qualityOf(task, weights), unit: "" },
    { name: "NDCG@10 of popularity", value: qualityOf(task, (await fit(task, popularity)).weights), unit: "" },
  ];
  if (typeof peer !== "string") {
    const folds = theirs.map(({ foldMicroseconds: one }) => one);
    figures.push(
      { name: "implicit: 10 rounds, clock", value: middle(theirs, "wall"), unit: "s" },
      { name: "implicit: 10 rounds, processor", value: middle(theirs, "cpu"), unit: "s" },
      { name: "processor time against implicit", value: middle(own, "cpu") / middle(theirs, "cpu"), unit: "×" },
      { name: "implicit: recalculate a user", value: median(folds), unit: "µs" },
      { name: "implicit: NDCG@10 on generated tastes", value: qualityOfFactors(task, peer.factors()), unit: "" },
    );
    peer.close();
  }
  for (const count of [30_000, 80_000]) {
    const ratings = ratingsTask(count);
    if (ratings === undefined) {
      notes.push("Real ratings were not found at ../shared/data/movietweetings.");
      break;
    }
    const ours = qualityOf(ratings, (await fit(ratings, matrixFactorization)).weights);
    const popular = qualityOf(ratings, (await fit(ratings, popularity)).weights);
    const text = `the first ${count / 1000}k movie ratings`;
    figures.push(
      { name: `NDCG@10 on ${text}`, value: ours, unit: "" },
      { name: `NDCG@10 of popularity on ${text}`, value: popular, unit: "" },
    );
  }
  return { figures, notes };
}
