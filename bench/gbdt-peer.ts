// The Python peers of `gbdt` as a child process that fits on request, so that its runs stand between ours.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface PeerTimes {
  readonly cpu: number;
  readonly wall: number;
}

export interface Peers {
  /** Name and version of those found. */
  readonly versions: Readonly<Record<string, string>>;
  fit(request: Readonly<Record<string, string | number>>): Promise<PeerTimes>;
  close(): void;
}

/** The package's root, seen from the sources and from the built benchmarks alike. */
function rootFolder(): string {
  let folder = fileURLToPath(new URL(".", import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = join(folder, "..");
  return folder;
}

/** Undefined where there is no Python with a peer: RETRAIN_BENCH_PYTHON, or what `node bench/peers.mjs` made. */
export async function openPeers(): Promise<Peers | undefined> {
  const root = rootFolder();
  const python = process.env["RETRAIN_BENCH_PYTHON"] ?? join(root, ".retrain", "bench-peers", "bin", "python");
  if (!existsSync(python)) return undefined;
  // One thread for all: figures of one thread are compared.
  const child: ChildProcess = spawn(python, [join(root, "bench", "gbdt-peer.py")], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, OMP_NUM_THREADS: "1" },
  });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  const next = async () => {
    const line = await lines.next();
    if (line.done === true) throw new Error("The peer ended; its lines above say why.");
    return JSON.parse(line.value) as unknown;
  };
  const versions = (await next()) as Record<string, string>;
  return {
    versions,
    async fit(request) {
      child.stdin?.write(`${JSON.stringify(request)}\n`);
      return (await next()) as PeerTimes;
    },
    close: () => void child.stdin?.end(),
  };
}
