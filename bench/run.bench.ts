// What a run costs beside the training itself, and what training costs everybody else: a whole run of 1,000 × 10 rows from the
// request to the swap on the embedded store and the durable engine, and the event loop's delay while 1,000,000 × 20 rows train.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { openSystem, type System } from "../src/cli/compose.ts";
import { defineConfig, defineModel, f, gate, linear, resolveConfig, when } from "../src/config/index.ts";
import { createRandom, liveWorldClock, silentLogger, systemClock } from "../src/core/index.ts";
import { type BenchResult, median } from "./harness.ts";

const RUNS = 7;

function modelOf(name: string, columns: number, epochs: number) {
  const features = Object.fromEntries(Array.from({ length: columns }, (_, i) => [`x${i}`, f.number()]));
  return defineModel({
    name,
    task: "binary",
    id: "id",
    features,
    label: f.boolean(),
    trainer: linear({ epochs }),
    data: { minRows: 300, holdout: { share: 0.25, maxRows: 10_000 } },
    retrain: { when: when.manual(), cooldown: "0s", maxPerDay: 10_000 },
    gates: [gate.atLeast("logLoss", 30)],
  } as never);
}

function* rowsOf(count: number, columns: number, seed: number) {
  const random = createRandom(seed);
  for (let i = 0; i < count; i++) {
    const row: Record<string, unknown> = { id: `r${i}` };
    let sum = 0;
    for (let j = 0; j < columns; j++) {
      const value = Math.round((random.nextFloat() * 2 - 1) * 1e4) / 1e4;
      row[`x${j}`] = value;
      sum += j % 2 === 0 ? value : -value;
    }
    row.label = random.nextFloat() < 1 / (1 + Math.exp(-sum));
    yield { rowNumber: i + 1, row };
  }
}

async function open(directory: string, models: readonly ReturnType<typeof modelOf>[]): Promise<System> {
  const spec = resolveConfig(defineConfig({ models, storage: { dir: directory }, server: { port: 0 } } as never), {
    folder: directory,
    environment: {},
    flags: {},
  });
  return await openSystem({ spec, worldClock: liveWorldClock, logger: silentLogger });
}

/** One run to its end: total time and the time inside the train and evaluate steps, ms. */
async function oneRun(
  { loop, store }: System,
  model: string,
): Promise<{ totalMs: number; insideMs: number; stepsMs: Record<string, number> }> {
  const started = systemClock.monotonicMs();
  const swapped = new Promise<void>((resolve) => {
    const stop = loop.subscribe((event) => {
      if (event.type !== "version.promoted" || event.model !== model) return;
      stop();
      resolve();
    });
  });
  const { run } = await loop.requestRun(model, { reason: "bench", actor: "bench" });
  await swapped;
  const totalMs = systemClock.monotonicMs() - started;
  const record = await store.runs.get(run.id);
  const stepsMs = Object.fromEntries((record?.steps ?? []).map((step) => [step.step, step.durationMs ?? 0]));
  const inside = (record?.steps ?? []).filter((step) => step.step === "train" || step.step === "evaluate");
  const insideMs = inside.reduce(
    (sum, step) =>
      sum + Number((step.details as { computeMs?: number } | undefined)?.computeMs ?? step.durationMs ?? 0),
    0,
  );
  return { totalMs, insideMs, stepsMs };
}

async function overhead(
  directory: string,
): Promise<{ overheadMs: number; totalMs: number; startMs: number; stepsMs: Record<string, number> }> {
  const system = await open(directory, [modelOf("small", 10, 5)]);
  try {
    await system.loop.ingest({ model: "small", form: "observation", origin: "bench", rows: rowsOf(1_000, 10, 1) });
    const first = systemClock.monotonicMs();
    await oneRun(system, "small");
    const startMs = systemClock.monotonicMs() - first;
    const runs: Awaited<ReturnType<typeof oneRun>>[] = [];
    for (let i = 0; i < RUNS; i++) {
      // Finishing the last run's record is not part of the next one.
      while ((await system.store.runs.active("small")) !== undefined) await systemClock.sleep(5);
      runs.push(await oneRun(system, "small"));
    }
    const steps = runs[0]?.stepsMs ?? {};
    const stepsMs = Object.fromEntries(
      Object.keys(steps).map((name) => [name, median(runs.map((run) => run.stepsMs[name] ?? 0))]),
    );
    return {
      overheadMs: median(runs.map((run) => run.totalMs - run.insideMs)),
      totalMs: median(runs.map((run) => run.totalMs)),
      startMs,
      stepsMs,
    };
  } finally {
    await system.close();
  }
}

/** p99 of the event loop's delay in ms while a million rows train in the child. */
async function delayWhileTraining(directory: string): Promise<{ p99Ms: number; idleP99Ms: number; trainMs: number }> {
  const system = await open(directory, [modelOf("large", 20, 3)]);
  try {
    await system.loop.ingest({ model: "large", form: "observation", origin: "bench", rows: rowsOf(1_000_000, 20, 2) });
    await system.store.log.compact();
    const histogram = monitorEventLoopDelay({ resolution: 1 });
    histogram.enable();
    await systemClock.sleep(3_000);
    histogram.disable();
    const idleP99Ms = histogram.percentile(99) / 1e6;
    histogram.reset();
    histogram.enable();
    const { stepsMs } = await oneRun(system, "large");
    histogram.disable();
    return { p99Ms: histogram.percentile(99) / 1e6, idleP99Ms, trainMs: stepsMs.train ?? Number.NaN };
  } finally {
    await system.close();
  }
}

export async function run(): Promise<BenchResult> {
  const home = await mkdtemp(join(tmpdir(), "retrain-bench-run-"));
  try {
    const small = await overhead(join(home, "small"));
    const large = await delayWhileTraining(join(home, "large"));
    const steps = Object.entries(small.stepsMs).map(([name, ms]) => `${name} ${ms.toFixed(0)}`);
    return {
      figures: [
        {
          name: "overhead of a run beside train and evaluate, 1,000 × 10",
          value: small.overheadMs,
          unit: "ms",
          atMost: 250,
        },
        { name: "whole run, 1,000 × 10, warm process", value: small.totalMs, unit: "ms" },
        { name: "first run, with the start of its process", value: small.startMs, unit: "ms" },
        { name: "event loop delay p99 while 1,000,000 × 20 train", value: large.p99Ms, unit: "ms", atMost: 20 },
        { name: "event loop delay p99 idle", value: large.idleP99Ms, unit: "ms" },
        { name: "train step, 1,000,000 × 20, 3 epochs", value: large.trainMs, unit: "ms" },
      ],
      notes: [`Steps of a 1,000 × 10 run, median ms: ${steps.join(", ")}.`],
    };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
