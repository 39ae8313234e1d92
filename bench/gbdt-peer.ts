// The Python peers of `gbdt` as a child process that fits on request, so that its runs stand between ours.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { peerPython, rootFolder } from "./peer-python.ts";

export interface PeerTimes {
  readonly cpu: number;
  readonly wall: number;
}

export interface Peers {
  /** Name and version of those found. */
  readonly versions: Readonly<Record<string, string>>;
  fit(request: Readonly<Record<string, string | number | readonly number[]>>): Promise<PeerTimes>;
  close(): void;
}

/** Undefined where there is no Python with a peer: RETRAIN_BENCH_PYTHON, or what `node bench/peers.mjs` made. */
export async function openPeers(): Promise<Peers | undefined> {
  const python = peerPython();
  if (python === undefined) return undefined;
  // Who takes its threads from here has one; the others are told how many.
  const child: ChildProcess = spawn(python, [join(rootFolder(), "bench", "gbdt-peer.py")], {
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
