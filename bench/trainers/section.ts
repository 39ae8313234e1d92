// What a section of the trainers' benchmark gets and gives: the same data as matrices for ours and as files for the peers.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createRandom } from "../../src/core/index.ts";
import type { FitRequest } from "../../src/learn/index.ts";
import type { Figure } from "../harness.ts";

export interface Section {
  readonly name: string;
  readonly run: (
    data: TrainerData,
    peer: Peer | undefined,
  ) => Promise<{ readonly figures: readonly Figure[]; readonly notes: readonly string[] }>;
}
export interface TrainerData {
  readonly train: FitRequest["train"];
  readonly test: FitRequest["train"];
  readonly files: { readonly train: string; readonly test: string };
}
export interface PeerAnswer {
  readonly cpu: number;
  readonly wall: number;
  readonly logLoss: number;
}
export interface Peer {
  readonly version: string;
  ask(request: Readonly<Record<string, unknown>>): Promise<PeerAnswer>;
  close(): void;
}

const COLUMNS = 20;

/** Scaled columns; a score with a product and an absolute value, so that a network has something a line has not. */
function table(rows: number, seed: number): FitRequest["train"] {
  const random = createRandom(seed);
  const values = Float32Array.from(
    { length: rows * COLUMNS },
    () => (random.nextFloat() + random.nextFloat() + random.nextFloat() - 1.5) * 2,
  );
  const target = Float64Array.from({ length: rows }, (_, i) => {
    const x = (j: number) => values[i * COLUMNS + j] as number;
    const score = 1.2 * x(0) - 0.8 * x(1) + 0.5 * x(2) + x(3) * x(4) + Math.abs(x(5)) - 1;
    return random.nextFloat() < 1 / (1 + Math.exp(-score)) ? 1 : 0;
  });
  return { x: { rows, columns: COLUMNS, values }, y: { values: target, classCount: 2 } };
}

export function openData(rows: number): TrainerData & { close(): void } {
  const folder = mkdtempSync(join(tmpdir(), "retrain-bench-"));
  const train = table(rows, 1);
  const test = table(20_000, 2);
  const save = (name: string, { x, y }: FitRequest["train"]) => {
    const all = new Float32Array(x.rows * (COLUMNS + 1));
    for (let i = 0; i < x.rows; i++) {
      all.set(x.values.subarray(i * COLUMNS, (i + 1) * COLUMNS), i * (COLUMNS + 1));
      all[i * (COLUMNS + 1) + COLUMNS] = y.values[i] as number;
    }
    writeFileSync(join(folder, name), new Uint8Array(all.buffer));
    return join(folder, name);
  };
  const files = { train: save("train", train), test: save("test", test) };
  return { train, test, files, close: () => rmSync(folder, { recursive: true, force: true }) };
}

function rootFolder(): string {
  let folder = fileURLToPath(new URL(".", import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = join(folder, "..");
  return folder;
}

/** Undefined where there is no Python with scikit-learn: RETRAIN_BENCH_PYTHON, or what `node bench/peers.mjs` made. */
export async function openPeer(): Promise<Peer | undefined> {
  const root = rootFolder();
  const python = process.env["RETRAIN_BENCH_PYTHON"] ?? join(root, ".retrain", "bench-peers", "bin", "python");
  if (!existsSync(python)) return undefined;
  const child = spawn(python, [join(root, "bench", "trainers", "peer.py")], {
    stdio: ["pipe", "pipe", "inherit"],
    // One thread for all: figures of one thread are compared.
    env: { ...process.env, OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1" },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const line = await lines.next();
    if (line.done === true) throw new Error("The peer ended; its lines above say why.");
    return JSON.parse(line.value) as unknown;
  };
  const { version } = (await next()) as { readonly version?: string };
  if (version === undefined) return undefined;
  return {
    version,
    async ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return (await next()) as PeerAnswer;
    },
    close: () => void child.stdin.end(),
  };
}
