// The load generator of predict.bench.ts and rollout.bench.ts: raw sockets with prepared requests, so that it takes little of the cores it shares.
// With a rate, requests are due at fixed times and their latency counts from then, so a stall is not hidden by waiting.
import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";

interface Load {
  readonly url: string;
  readonly path: string;
  /** Further paths: requests go to all of them in turn. */
  readonly paths?: readonly string[];
  /** Requests name so many users, one after the other; 0 or absent: none. */
  readonly users?: number;
  /** Write the version each prediction was answered by, a line each, into this file. */
  readonly answers?: string;
  readonly requests: number;
  readonly connections: number;
  /** Requests a second over all connections; 0: as fast as they go. */
  readonly rate: number;
}

const load = JSON.parse(process.argv[2] ?? "{}") as Load;
const { hostname, port } = new URL(load.url);
const row = {
  ...Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`x${i}`, 10 * i + 0.5])),
  job: "nurse",
  contact: "clerk",
  region: "driver",
};
function messageOf(path: string, user: number): Buffer {
  const body = JSON.stringify(load.users ? { ...row, user: `u${user}` } : row);
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
const paths = [load.path, ...(load.paths ?? [])];
const messages = Array.from({ length: Math.max(1, load.users ?? 0) }, (_, user) =>
  paths.map((path) => messageOf(path, user)),
).flat();
const answers: string[] = [];
const latencies = new Float64Array(load.requests);
const versions: Record<string, number> = {};
let sent = 0;
let answered = 0;
let failed = 0;
let startedAt = 0;

function dueAt(index: number): number {
  return load.rate === 0 ? performance.now() : startedAt + (index * 1000) / load.rate;
}

class Connection {
  readonly socket: Socket;
  #due = 0;
  #text = "";

  constructor(onReady: () => void) {
    this.socket = connect({ host: hostname, port: Number(port), noDelay: true }, onReady);
    this.socket.on("data", (chunk: Buffer) => this.#read(chunk));
    this.socket.on("error", () => {
      failed++;
    });
  }

  send(): void {
    this.#due = dueAt(sent);
    this.socket.write(messages[sent++ % messages.length] as Buffer);
  }

  #read(chunk: Buffer): void {
    this.#text += chunk.toString("latin1");
    const end = this.#text.indexOf("\r\n\r\n");
    if (end < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(this.#text)?.[1] ?? Number.NaN);
    if (this.#text.length < end + 4 + length) return;
    if (!this.#text.startsWith("HTTP/1.1 200")) failed++;
    const version = /"version":"([^"]+)"/.exec(this.#text)?.[1] ?? "none";
    versions[version] = (versions[version] ?? 0) + 1;
    if (load.answers !== undefined) {
      answers.push(`${/"predictionId":"([^"]+)"/.exec(this.#text)?.[1] ?? "unlogged"} ${version}`);
    }
    latencies[answered++] = performance.now() - this.#due;
    this.#text = "";
    if (answered === load.requests) finish();
    else release(this);
  }
}

const idle: Connection[] = [];
function release(connection: Connection): void {
  if (sent >= load.requests) return;
  if (load.rate === 0 || dueAt(sent) <= performance.now()) connection.send();
  else idle.push(connection);
}

function pump(): void {
  while (idle.length > 0 && sent < load.requests && dueAt(sent) <= performance.now()) idle.pop()?.send();
  if (sent < load.requests) setTimeout(pump, 1);
}

function finish(): void {
  const seconds = (performance.now() - startedAt) / 1000;
  for (const connection of connections) connection.socket.destroy();
  if (load.answers !== undefined) writeFileSync(load.answers, answers.join("\n"));
  process.stdout.write(JSON.stringify({ failed, seconds, versions, latencies: [...latencies] }));
}

let ready = 0;
const connections = Array.from(
  { length: load.connections },
  () =>
    new Connection(() => {
      if (++ready < load.connections) return;
      startedAt = performance.now();
      for (const connection of connections) release(connection);
      if (load.rate > 0) pump();
    }),
);
