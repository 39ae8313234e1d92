// What an answer costs over HTTP: CPU per request with and without the durable log, and 30 s at 5,000 requests a second while the
// model is swapped once a second. The load generator is a process of its own on the same cores, as a user's neighbor would be.
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSystem, type System } from "../src/cli/compose.ts";
import { createClient, type RetrainClient } from "../src/client/index.ts";
import { defineConfig, defineModel, f, gate, linear, resolveConfig, when } from "../src/config/index.ts";
import { createRandom, liveWorldClock, silentLogger, systemClock } from "../src/core/index.ts";
import { type BenchResult, quantile } from "./harness.ts";

const MODEL = "purchases";
const JOBS = ["clerk", "farmer", "nurse", "teacher", "driver"];
/** 7 numbers and 3 categories: about 150 bytes of JSON. */
const NUMBERS = Array.from({ length: 7 }, (_, i) => `x${i}`);
const CATEGORIES = ["job", "contact", "region"];
const WARM_REQUESTS = 5000;
const MEASURED_REQUESTS = 40_000;
const RATE = 5000;
const SECONDS = 30;
/** Before them at the same rate: engines compile what is hot meanwhile, foremost the code of the embedded database. */
const WARM_SECONDS = 10;
/** At a fixed rate: as many may wait at once, so that what is measured is the server, not the generator's own queue. */
const CONNECTIONS = 256;

function rowOf(random: ReturnType<typeof createRandom>) {
  const row: Record<string, number | string> = {};
  for (const name of NUMBERS) row[name] = Math.round(random.nextFloat() * 1000) / 10;
  for (const name of CATEGORIES) row[name] = JOBS[random.nextInt(JOBS.length)] as string;
  return row;
}

async function openServer(directory: string): Promise<{ system: System; url: string; client: RetrainClient }> {
  const model = defineModel({
    name: MODEL,
    task: "binary",
    features: {
      ...Object.fromEntries(NUMBERS.map((name) => [name, f.number()])),
      ...Object.fromEntries(CATEGORIES.map((name) => [name, f.category()])),
    },
    label: f.boolean(),
    trainer: linear({ epochs: 5 }),
    data: { minRows: 300 },
    retrain: { when: when.manual(), cooldown: "0s", maxPerDay: 10_000 },
    gates: [gate.atLeast("logLoss", 30)],
  });
  const config = defineConfig({ models: [model], storage: { dir: directory }, server: { port: 0 } });
  const spec = resolveConfig(config, { folder: directory });
  const system = await openSystem({ spec, worldClock: liveWorldClock, logger: silentLogger });
  const { url } = await system.server.listen({ host: "127.0.0.1", port: 0 });
  return { system, url, client: createClient({ url, timeoutMs: 120_000 }) };
}

/** Two versions to swap between. */
async function trainTwo(client: RetrainClient): Promise<void> {
  const random = createRandom(1);
  for (const version of ["v1", "v2"]) {
    const rows = Array.from({ length: 1000 }, (_, i) => {
      const row = rowOf(random);
      return { ...row, label: Number(row["x0"]) + Number(row["x1"]) > 60 + random.nextFloat() * 80, at: undefined, i };
    }).map(({ i: _, at: __, ...row }) => row);
    await client.ingest(MODEL, rows);
    const { run } = await client.startRun(MODEL);
    for (let state = run.state; state === "queued" || state === "running"; ) ({ state } = await client.run(run.id));
    const { items } = await client.versions(MODEL);
    if (items[0]?.name !== version) throw new Error(`no ${version}: ${JSON.stringify(await client.run(run.id))}`);
  }
}

/** A server under load: where it is, and the CPU seconds of its process over all threads. */
interface Target {
  readonly url: string;
  readonly cpuSeconds: () => Promise<number>;
}

async function cpuSeconds(): Promise<number> {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** The generator, as source: it must not be this process, whose CPU is measured. */
async function generate(options: {
  url: string;
  path: string;
  requests: number;
  connections: number;
  rate: number;
}): Promise<{ failed: number; latencies: number[]; seconds: number; versions: Record<string, number> }> {
  const script = fileURLToPath(new URL("predict-load.js", import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify(options)], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  await new Promise((resolve) => child.on("close", resolve));
  return JSON.parse(text) as Awaited<ReturnType<typeof generate>>;
}

async function cpuPerRequest({ url, cpuSeconds }: Target, query: string): Promise<{ us: number; perSecond: number }> {
  const path = `/api/v1/models/${MODEL}/predict${query}`;
  const load = { url, path, connections: 16, rate: 0 };
  await generate({ ...load, requests: WARM_REQUESTS });
  const rounds: { us: number; perSecond: number }[] = [];
  for (let round = 0; round < 3; round++) {
    const before = await cpuSeconds();
    const { seconds, failed } = await generate({ ...load, requests: MEASURED_REQUESTS });
    if (failed > 0) throw new Error(`${failed} predictions failed`);
    rounds.push({
      us: (((await cpuSeconds()) - before) / MEASURED_REQUESTS) * 1e6,
      perSecond: MEASURED_REQUESTS / seconds,
    });
  }
  rounds.sort((a, b) => a.us - b.us);
  return rounds[1] as { us: number; perSecond: number };
}

/** CPU of ten seconds at the rate, in µs a request: of the model, the first after a start, while it is cold. */
async function atRate({ url, cpuSeconds }: Target): Promise<{ us: number; failed: number }> {
  const before = await cpuSeconds();
  const requests = RATE * WARM_SECONDS;
  const path = `/api/v1/models/${MODEL}/predict`;
  const { failed } = await generate({ url, path, requests, connections: CONNECTIONS, rate: RATE });
  return { us: (((await cpuSeconds()) - before) / requests) * 1e6, failed };
}

/** 5,000 requests a second with the log on, while another version goes live once a second. */
async function underSwaps({ url, cpuSeconds }: Target, client: RetrainClient) {
  const before = await cpuSeconds();
  const path = `/api/v1/models/${MODEL}/predict`;
  const loading = generate({ url, path, requests: RATE * SECONDS, connections: CONNECTIONS, rate: RATE });
  let swaps = 0;
  let isOver = false;
  void loading.finally(() => {
    isOver = true;
  });
  while (!isOver && swaps < 30) {
    await systemClock.sleep(950);
    await client.promote(MODEL, swaps % 2 === 0 ? "v1" : "v2", "bench");
    swaps++;
  }
  const { failed, latencies, seconds, versions } = await loading;
  return {
    failed,
    swaps,
    versions: Object.keys(versions).length,
    perSecond: latencies.length / seconds,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    us: (((await cpuSeconds()) - before) / latencies.length) * 1e6,
  };
}

/** The floor: the same load on a bare server. At a rate, with pauses between, it costs more too. */
async function measureFloor() {
  const child = fork(fileURLToPath(new URL("bare-answer.js", import.meta.url)));
  const answer = async () => (await once(child, "message"))[0] as number;
  try {
    const url = `http://127.0.0.1:${await answer()}`;
    const target: Target = {
      url,
      cpuSeconds: () => {
        child.send("cpu");
        return answer();
      },
    };
    return { fast: await cpuPerRequest(target, ""), paced: await atRate(target) };
  } finally {
    child.disconnect();
  }
}

export async function run(): Promise<BenchResult> {
  const directory = await mkdtemp(join(tmpdir(), "retrain-bench-"));
  const { system, url, client } = await openServer(directory);
  try {
    await trainTwo(client);
    const floor = await measureFloor();
    const target: Target = { url, cpuSeconds };
    const unlogged = await cpuPerRequest(target, "?log=0");
    const cold = await atRate(target);
    const logged = await underSwaps(target, client);
    return {
      figures: [
        { name: "CPU of a bare node:http answer", value: floor.fast.us, unit: "µs" },
        { name: "CPU of a prediction without the log", value: unlogged.us, unit: "µs", atMost: 35 },
        { name: "the same over the bare answer", value: unlogged.us / floor.fast.us, unit: "×" },
        { name: "predictions a second, as fast as they go", value: unlogged.perSecond, unit: "/s" },
        { name: "CPU of a logged prediction at 5,000/s, all threads", value: logged.us, unit: "µs", atMost: 100 },
        { name: "CPU of a bare node:http answer at that rate", value: floor.paced.us, unit: "µs" },
        { name: "a logged prediction over it", value: logged.us / floor.paced.us, unit: "×" },
        {
          name: "CPU of a logged prediction in the first 10 s of load, while code is compiled",
          value: cold.us,
          unit: "µs",
        },
        { name: "requests a second held over 30 s", value: logged.perSecond, unit: "/s", atLeast: 4950 },
        { name: "hot swaps meanwhile", value: logged.swaps, unit: "", atLeast: 28 },
        { name: "versions that answered", value: logged.versions, unit: "", atLeast: 2 },
        { name: "failed requests", value: cold.failed + logged.failed, unit: "", atMost: 0 },
        { name: "p50", value: logged.p50, unit: "ms" },
        { name: "p99", value: logged.p99, unit: "ms", atMost: 100 },
      ],
      notes: [
        `10 columns, linear model; ${CONNECTIONS} connections at a rate, 16 without; the load generator runs on the same cores.`,
      ],
    };
  } finally {
    await system.close();
    await rm(directory, { recursive: true, force: true });
  }
}
