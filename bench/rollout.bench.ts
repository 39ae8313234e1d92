// What rollouts cost under load: a minute at 5,000 requests a second, everything logged, on three models of one server: one in an
// A/B test, one whose challenger is asked for a fifth of the requests unseen, and one that is swapped a hundred times meanwhile.
// Then as fast as it goes, with and without swaps, and the time from a rollback to the first answer of the old version.
// `--seconds=5` makes it short.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSystem, type System } from "../src/cli/compose.ts";
import { createClient, type RetrainClient } from "../src/client/index.ts";
import { defineConfig, defineModel, f, gate, linear, resolveConfig, stage, when } from "../src/config/index.ts";
import { createRandom, liveWorldClock, silentLogger, systemClock } from "../src/core/index.ts";
import { type BenchResult, median, quantile } from "./harness.ts";

const MODELS = ["tested", "mirrored", "swapped"] as const;
const JOBS = ["clerk", "farmer", "nurse", "teacher", "driver"];
const NUMBERS = Array.from({ length: 7 }, (_, i) => `x${i}`);
const CATEGORIES = ["job", "contact", "region"];
const RATE = 5000;
const SECONDS = 60;
/** Of the same load before it: a server that has just begun compiles its code meanwhile. */
const WARM_SECONDS = 10;
const SWAPS = 100;
const USERS = 500;
/** At a fixed rate: as many may wait at once, so that what is measured is the server, not the generator's own queue. */
const CONNECTIONS = 256;
const CLOSED_REQUESTS = 30_000;

type Stages = NonNullable<Parameters<typeof defineModel>[0]["rollout"]>;
const STAGES: Readonly<Record<(typeof MODELS)[number], Stages>> = {
  tested: [stage.ab({ max: "28d" }), stage.full({ watch: "0s" })],
  mirrored: [stage.shadow("28d", { share: 0.2 }), stage.full({ watch: "0s" })],
  swapped: [stage.full({ watch: "0s" })],
};

async function openServer(directory: string): Promise<{ system: System; url: string; client: RetrainClient }> {
  const models = MODELS.map((name) =>
    defineModel({
      name,
      task: "binary",
      unit: "user",
      features: {
        ...Object.fromEntries(NUMBERS.map((column) => [column, f.number()])),
        ...Object.fromEntries(CATEGORIES.map((column) => [column, f.category()])),
      },
      label: f.boolean(),
      trainer: linear({ epochs: 3 }),
      data: { minRows: 300 },
      retrain: { when: when.manual(), cooldown: "0s", maxPerDay: 10_000 },
      gates: [gate.atLeast("logLoss", 30)],
      rollout: STAGES[name],
    }),
  );
  const config = defineConfig({ models, storage: { dir: directory }, server: { port: 0 } });
  const spec = resolveConfig(config, { folder: directory });
  const system = await openSystem({ spec, worldClock: liveWorldClock, logger: silentLogger });
  const { url } = await system.server.listen({ host: "127.0.0.1", port: 0 });
  return { system, url, client: createClient({ url, timeoutMs: 120_000 }) };
}

/** Two versions of each model; the second is challenger, champion of the one without stages. */
async function trainTwo(client: RetrainClient): Promise<void> {
  const random = createRandom(1);
  for (const model of MODELS) {
    for (const version of ["v1", "v2"]) {
      const rows = Array.from({ length: 1000 }, () => {
        const numbers = Object.fromEntries(NUMBERS.map((name) => [name, Math.round(random.nextFloat() * 1000) / 10]));
        const words = Object.fromEntries(CATEGORIES.map((name) => [name, JOBS[random.nextInt(JOBS.length)] as string]));
        const label = Number(numbers["x0"]) + Number(numbers["x1"]) > 60 + random.nextFloat() * 80;
        return { ...numbers, ...words, user: `u${random.nextInt(USERS)}`, label };
      });
      await client.ingest(model, rows);
      const { run } = await client.startRun(model);
      for (let state = run.state; state === "queued" || state === "running"; ) {
        await systemClock.sleep(50);
        ({ state } = await client.run(run.id));
      }
      const { items } = await client.versions(model);
      if (items[0]?.name !== version) throw new Error(`no ${version}: ${JSON.stringify(await client.run(run.id))}`);
    }
  }
}

interface Loaded {
  readonly failed: number;
  readonly latencies: number[];
  readonly seconds: number;
}

/** The generator, as source: it must not be this process, which serves. */
async function generate(url: string, load: { requests: number; rate: number; answers?: string }): Promise<Loaded> {
  const script = fileURLToPath(new URL("predict-load.js", import.meta.url));
  const [path, ...paths] = MODELS.map((model) => `/api/v1/models/${model}/predict`);
  const words = JSON.stringify({ url, path, paths, users: USERS, connections: CONNECTIONS, ...load });
  const child = spawn(process.execPath, [script, words], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  await new Promise((resolve) => child.on("close", resolve));
  return JSON.parse(text) as Loaded;
}

/** Swaps the model evenly over the time the load takes. @returns how often */
async function swapWhile(client: RetrainClient, loading: Promise<unknown>, everyMs: number): Promise<number> {
  const end = new AbortController();
  void loading.finally(() => end.abort(new Error("over")));
  let swaps = 0;
  const beganMs = systemClock.monotonicMs();
  while (!end.signal.aborted) {
    const due = beganMs + (swaps + 1) * everyMs;
    await systemClock.sleep(Math.max(0, due - systemClock.monotonicMs()), end.signal).catch(() => {});
    if (end.signal.aborted) return swaps;
    await client.promote("swapped", swaps % 2 === 0 ? "v1" : "v2", "bench");
    swaps++;
  }
  return swaps;
}

/** Versions as logged, of live answers, by prediction. */
async function loggedVersions(system: System): Promise<{ live: Map<string, string>; shadows: number }> {
  const live = new Map<string, string>();
  let shadows = 0;
  for (const model of MODELS) {
    let before: string | undefined;
    for (;;) {
      const page = await system.store.log.recent(model, {
        kind: "prediction",
        limit: 5000,
        ...(before === undefined ? {} : { before }),
      });
      for (const one of page) {
        if (one.kind !== "prediction") continue;
        if (one.origin === "live") live.set(one.predictionId, one.version);
        if (one.origin === "shadow") shadows++;
      }
      const last = page.at(-1);
      if (last === undefined || page.length < 5000) break;
      before = `${last.transactionId}-${last.seq}`;
    }
  }
  return { live, shadows };
}

async function rollbackMs(client: RetrainClient): Promise<number> {
  const row = {
    ...Object.fromEntries(NUMBERS.map((name) => [name, 1])),
    job: "nurse",
    contact: "clerk",
    region: "nurse",
  };
  const version = async () => (await client.predict("swapped", { ...row, user: "u1" })).version;
  await client.promote("swapped", "v1", "bench");
  await client.promote("swapped", "v2", "bench");
  if ((await version()) !== "v2") throw new Error("v2 does not answer");
  const startedMs = performance.now();
  await client.rollback("swapped", "bench");
  while ((await version()) !== "v1");
  return performance.now() - startedMs;
}

export async function run(options: Readonly<Record<string, string>> = {}): Promise<BenchResult> {
  const seconds = Number(options["seconds"] ?? SECONDS);
  const share = seconds / SECONDS;
  const directory = await mkdtemp(join(tmpdir(), "retrain-bench-"));
  const { system, url, client } = await openServer(directory);
  try {
    await trainTwo(client);
    const file = join(directory, "answers.txt");
    await generate(url, { requests: RATE * Math.min(WARM_SECONDS, seconds), rate: RATE });
    const before = process.cpuUsage();
    const loading = generate(url, { requests: RATE * seconds, rate: RATE, answers: file });
    const swaps = await swapWhile(client, loading, (seconds * 1000) / (SWAPS * share + 1));
    const paced = await loading;
    const { user, system: kernel } = process.cpuUsage(before);
    const cpuMicros = (user + kernel) / paced.latencies.length;
    const all = (await readFile(file, "utf8")).split("\n").map((line) => line.split(" ") as [string, string]);
    // What the log does not take in time is answered without an id, and logged a little later.
    const answers = all.filter(([id]) => id !== "unlogged");
    const { live, shadows } = await loggedVersions(system);
    const same = answers.filter(([id, version]) => live.get(id) === version).length;
    const ratios: number[] = [];
    let perSecond = 0;
    for (let round = 0; round < 3; round++) {
      const load = { requests: Math.round(CLOSED_REQUESTS * Math.max(share, 0.2)), rate: 0 };
      const still = await generate(url, load);
      const moving = generate(url, load);
      await swapWhile(client, moving, 600);
      ratios.push(still.seconds / (await moving).seconds);
      perSecond = Math.max(perSecond, load.requests / still.seconds);
    }
    const rollbacks = [];
    for (let i = 0; i < 5; i++) rollbacks.push(await rollbackMs(client));
    return {
      figures: [
        {
          name: `requests a second held over ${seconds} s`,
          value: paced.latencies.length / paced.seconds,
          unit: "/s",
          atLeast: 4950,
        },
        { name: "swaps meanwhile", value: swaps, unit: "", atLeast: Math.floor(SWAPS * share) },
        { name: "failed requests", value: paced.failed, unit: "", atMost: 0 },
        { name: "CPU of a request, all threads", value: cpuMicros, unit: "µs" },
        { name: "p50", value: quantile(paced.latencies, 0.5), unit: "ms" },
        { name: "p99", value: quantile(paced.latencies, 0.99), unit: "ms", atMost: 100 },
        {
          name: "answers whose version is the logged one",
          value: (100 * same) / answers.length,
          unit: "%",
          atLeast: 100,
        },
        {
          name: "answers given before the log had them",
          value: (100 * (all.length - answers.length)) / all.length,
          unit: "%",
        },
        { name: "mirrored answers", value: shadows, unit: "", atLeast: 1 },
        { name: "requests a second, as fast as they go", value: perSecond, unit: "/s" },
        { name: "the same with a swap every 0.6 s, over without", value: median(ratios), unit: "×", atLeast: 0.85 },
        { name: "rollback to the first old answer", value: Math.max(...rollbacks), unit: "ms", atMost: 2000 },
      ],
      notes: [
        `Three linear models of 10 columns, ${CONNECTIONS} connections, after ${WARM_SECONDS} s of the same load; the load generator runs on the same cores.`,
      ],
    };
  } finally {
    await system.close();
    await rm(directory, { recursive: true, force: true });
  }
}
