// What the store takes and gives on the embedded database: rows per second in large batches, single events from 64 callers,
// CPU per event over all threads at a steady 5,000 events a second, compaction, and the dataset of a run of 45,000 rows.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type ExampleEvent,
  type LogSchema,
  liveWorldClock,
  type PredictionEvent,
  type Store,
  systemClock,
  uuidV7,
} from "../src/core/index.ts";
import { openDatabase } from "../src/storage/pool.ts";
import { openStore } from "../src/storage/store.ts";
import { type BenchResult, type Figure, median, quantile } from "./harness.ts";

const MODEL = "bench";
const JOBS = Array.from({ length: 12 }, (_, i) => `job-${i}`);
const schema: LogSchema = {
  model: MODEL,
  task: "binary",
  columns: [
    ...Array.from({ length: 8 }, (_, i) => ({ name: `x${i}`, type: "number" as const })),
    ...Array.from({ length: 8 }, (_, i) => ({ name: `c${i}`, type: "category" as const })),
  ],
};

function features(i: number) {
  const row: Record<string, number | string> = {};
  for (let j = 0; j < 8; j++) row[`x${j}`] = ((i * 37 + j * 11) % 10_007) / 8;
  for (let j = 0; j < 8; j++) row[`c${j}`] = JOBS[(i + j) % JOBS.length] as string;
  return row;
}
function observation(i: number): ExampleEvent {
  return {
    kind: "observation",
    exampleId: `e${i}`,
    at: 1_700_000_000_000 + i,
    features: features(i),
    label: i % 3 === 0,
  };
}
function prediction(i: number): PredictionEvent {
  return {
    kind: "prediction",
    predictionId: uuidV7(systemClock.now()),
    exampleId: `e${i}`,
    at: 1_700_000_000_000 + i,
    version: "v1",
    features: features(i),
    scores: [0.25, 0.75],
    decision: true,
    origin: "live",
  };
}

async function largeBatches(store: Store): Promise<number> {
  const rates: number[] = [];
  for (let round = 0; round < 9; round++) {
    const requests = Array.from({ length: 20 }, (_, r) =>
      Array.from({ length: 1000 }, (_, i) => observation(r * 1000 + i)),
    );
    const started = systemClock.monotonicMs();
    await Promise.all(requests.map((events) => store.log.append({ model: MODEL, events })));
    rates.push(20_000 / ((systemClock.monotonicMs() - started) / 1000));
    await store.log.compact();
  }
  return median(rates);
}

async function singles(store: Store, count: number, callers: number) {
  const waits: number[] = [];
  let next = 0;
  const started = systemClock.monotonicMs();
  const caller = async () => {
    while (next < count) {
      const event = prediction(next++);
      const from = systemClock.monotonicMs();
      await store.log.append({ model: MODEL, events: [event] });
      waits.push(systemClock.monotonicMs() - from);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const perSecond = count / ((systemClock.monotonicMs() - started) / 1000);
  await store.log.compact();
  return { perSecond, p50: quantile(waits, 0.5), p99: quantile(waits, 0.99) };
}

/** An open stream of events, not a loop that waits: what a server under steady load does. */
async function steady(store: Store, perSecond: number, seconds: number): Promise<number> {
  const cpu = process.cpuUsage();
  const started = systemClock.monotonicMs();
  const pending: Promise<unknown>[] = [];
  let sent = 0;
  while (sent < perSecond * seconds) {
    const due = Math.min(perSecond * seconds, Math.floor(((systemClock.monotonicMs() - started) / 1000) * perSecond));
    for (; sent < due; sent++) pending.push(store.log.append({ model: MODEL, events: [prediction(sent)] }));
    await systemClock.sleep(1);
  }
  await Promise.all(pending);
  const { user, system } = process.cpuUsage(cpu);
  await store.log.compact();
  return (user + system) / sent;
}

async function dataset(store: Store, directory: string) {
  const model = "dataset";
  for (let i = 0; i < 45_000; i += 5000) {
    const events = Array.from({ length: 5000 }, (_, k) => observation(i + k));
    await store.log.append({ model, events });
  }
  const started = systemClock.monotonicMs();
  const { rows } = await store.log.compact();
  const compactMs = systemClock.monotonicMs() - started;
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const from = systemClock.monotonicMs();
    const path = join(directory, "dataset.parquet");
    await store.log.writeDataset({ schema: { ...schema, model }, asOf: systemClock.now() + 1, path });
    times.push(systemClock.monotonicMs() - from);
  }
  return { compactPerSecond: rows / (compactMs / 1000), datasetMs: median(times) };
}

export async function run(): Promise<BenchResult> {
  const directory = await mkdtemp(join(tmpdir(), "retrain-bench-"));
  const database = await openDatabase({ directory, systemClock });
  const store = await openStore({
    database,
    directory,
    worldClock: liveWorldClock,
    systemClock,
    schemaOf: (model) => ({ ...schema, model }),
  });
  try {
    const batchRate = await largeBatches(store);
    const group = await singles(store, 30_000, 64);
    const alone = await singles(store, 500, 1);
    const cpuPerEvent = await steady(store, 5000, 5);
    const { compactPerSecond, datasetMs } = await dataset(store, directory);
    const figures: Figure[] = [
      { name: "rows of 16 features in requests of 1,000", value: batchRate, unit: "rows/s", atLeast: 60_000 },
      { name: "single events, 64 callers", value: group.perSecond, unit: "events/s", atLeast: 5000 },
      { name: "wait of one of 64 callers, median", value: group.p50, unit: "ms" },
      { name: "wait of one of 64 callers, 99 %", value: group.p99, unit: "ms", atMost: 50 },
      { name: "single events, one caller", value: alone.perSecond, unit: "events/s" },
      { name: "CPU per event at 5,000/s, all threads", value: cpuPerEvent, unit: "µs", atMost: 100 },
      { name: "compaction", value: compactPerSecond, unit: "rows/s" },
      { name: "dataset of 45,000 labelled rows", value: datasetMs, unit: "ms", atMost: 1000 },
    ];
    return { figures };
  } finally {
    await store.close();
    await database.close();
    await rm(directory, { recursive: true, force: true });
  }
}
