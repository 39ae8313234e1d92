/**
 * A process with labelers at work, made to be killed:
 *   labeling-child.ts DIRECTORY seed|label|report|batch
 * `seed` stores examples and asks about them; `label` lets eight people answer until it is killed or nothing is left, printing
 * `ack TASK LABELER VALUE` for each answer that was acknowledged; `report` repeats every acknowledged answer read from stdin, lets
 * what was interrupted end, and prints what the store and the log hold, as one line of JSON. `batch` stores a large batch, answers
 * its first task where an earlier try had stored it, and prints what is there before and after.
 */
import { readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, defineModel, f, resolveConfig, when } from "../../src/config/index.ts";
import {
  type LabelingTask,
  liveWorldClock,
  namedUuid,
  silentLogger,
  systemClock,
  uuidV7,
} from "../../src/core/index.ts";
import { createJobPool, createVirtualEngine } from "../../src/engine/index.ts";
import { logSchemaOf } from "../../src/loop/context.ts";
import { createLoop } from "../../src/loop/index.ts";
import { openFileStore } from "../../src/storage/files/object-store.ts";
import { openDatabase } from "../../src/storage/pool.ts";
import { openStore } from "../../src/storage/store.ts";
import { builtJobEntry } from "../../src/testing/loop.ts";

const [directory, mode] = process.argv.slice(2) as [string, "seed" | "label" | "report" | "batch"];
const TASKS = 300;
const PEOPLE = 8;
const MODEL = "m";

const features = { x: f.number() };
const retrain = { when: when.manual() };
const model = defineModel({ name: MODEL, task: "binary", id: "id", features, label: f.boolean(), retrain });
const spec = resolveConfig(defineConfig({ models: [model] }), { folder: directory, environment: {}, flags: {} });
const schema = logSchemaOf(spec.models[0] as never);
const database = await openDatabase({ directory: join(directory, "database"), systemClock });
const store = await openStore({ database, directory, worldClock: liveWorldClock, systemClock, schemaOf: () => schema });
const loop = createLoop({
  spec,
  store,
  objects: openFileStore(join(directory, "objects")),
  engine: createVirtualEngine({ systemClock, logger: silentLogger }),
  jobs: createJobPool({ entry: builtJobEntry(), size: 1, systemClock, logger: silentLogger }),
  worldClock: liveWorldClock,
  systemClock,
  logger: silentLogger,
  directory,
});

const say = (line: string) => writeSync(1, `${line}\n`);
const truthOf = (exampleId: string) => Number(exampleId.slice(2)) % 3 === 0;

async function seed(): Promise<void> {
  const now = systemClock.now();
  const examples = Array.from({ length: TASKS }, (_, i) => ({ exampleId: `e-${i}`, features: { x: i } }));
  const events = examples.map((one) => ({ kind: "observation" as const, at: now, ...one }));
  await store.log.append({ model: MODEL, events });
  const tasks = examples.map(
    (one, i): LabelingTask => ({
      id: uuidV7(now),
      model: MODEL,
      at: now,
      batchId: "b",
      origin: "random",
      strategy: "random",
      acquisition: null,
      pick: i + 1,
      selectionProbability: 1 / TASKS,
      poolSize: TASKS,
      needed: i % 10 === 0 ? 2 : 1,
      state: "open",
      createdAt: now,
      ...one,
    }),
  );
  const sums = { poolSize: TASKS, picked: TASKS, random: TASKS, gold: 0, durationMs: 0 };
  await store.labeling.addBatch({ id: "b", model: MODEL, createdAt: now, strategy: "random", ...sums }, tasks);
}

async function label(): Promise<void> {
  say("ready");
  await Promise.all(
    Array.from({ length: PEOPLE }, async (_, i) => {
      const labeler = `person-${i}`;
      for (;;) {
        const { tasks } = await loop.labeling.claim(MODEL, labeler, 3);
        if (tasks.length === 0) return;
        for (const task of tasks) {
          const value = truthOf(task.exampleId);
          await loop.labeling.answer(MODEL, { taskId: task.id, labeler, kind: "answer", value });
          say(`ack ${task.id} ${labeler} ${value}`);
        }
      }
    }),
  );
  say("finished");
}

async function report(): Promise<void> {
  const acked = readFileSync(0, "utf8").split("\n").filter(Boolean);
  const count = async () => (await store.labeling.annotations({ model: MODEL, limit: 10_000 })).length;
  const before = await count();
  let refused = 0;
  for (const line of acked) {
    const [, taskId, labeler, value] = line.split(" ") as [string, string, string, string];
    // Whoever lost the answer's acknowledgement asks again: it must be the same answer, not a second one.
    await loop.labeling
      .answer(MODEL, { taskId, labeler, kind: "answer", value: value === "true" })
      .catch(() => refused++);
  }
  await loop.tick(MODEL, systemClock.now());
  const annotations = await store.labeling.annotations({ model: MODEL, limit: 10_000 });
  const tasks = await store.labeling.tasks({ model: MODEL, limit: 10_000 });
  const exampleIds = tasks.map(({ exampleId }) => exampleId);
  const labels = await store.log.findLabels(MODEL, { exampleIds });
  say(
    JSON.stringify({
      repeated: (await count()) - before,
      refused,
      annotations: annotations.map((one) => `${one.taskId} ${one.labeler} ${String(one.value)}`),
      done: tasks.filter(({ state }) => state === "done").map(({ exampleId }) => exampleId),
      labels: labels.map((one) => `${one.exampleId} ${String(one.value)}`),
      effects: (await store.labeling.effects(1000)).length,
    }),
  );
}

const LARGE = 2_300;

async function batch(): Promise<void> {
  const now = 1_700_000_000_000;
  const tasks = Array.from({ length: LARGE }, (_, i): LabelingTask => {
    const place = { batchId: "large", pick: i + 1, poolSize: LARGE, selectionProbability: 1 / LARGE };
    const kind = { origin: "random", strategy: "random", acquisition: null, needed: i % 2 === 0 ? 2 : 1 } as const;
    const example = { exampleId: `l-${i}`, at: now, features: { x: i } };
    return {
      id: namedUuid(now, `large ${i}`),
      model: MODEL,
      state: "open",
      createdAt: now,
      ...place,
      ...kind,
      ...example,
    };
  });
  const count = async () => {
    const stored = await store.labeling.tasks({ model: MODEL, batchId: "large", limit: 10_000 });
    const batches = await store.labeling.batches({ model: MODEL, limit: 10 });
    const { states } = await store.labeling.counts(MODEL);
    const examples = new Set(stored.map(({ exampleId }) => exampleId)).size;
    return {
      tasks: stored.length,
      examples,
      batches: batches.length,
      sums: states.open + states.done,
      done: states.done,
    };
  };
  const before = await count();
  if (before.tasks > 0) {
    for (const labeler of ["ann", "bob"]) {
      const [task] = (await loop.labeling.claim(MODEL, labeler, 1)).tasks;
      await loop.labeling.answer(MODEL, { taskId: task?.id ?? "", labeler, kind: "answer", value: true });
    }
  }
  const sums = { poolSize: LARGE, picked: LARGE, random: LARGE, gold: 0, durationMs: 0 };
  const record = { id: "large", model: MODEL, createdAt: now, strategy: "random", ...sums };
  const added = await store.labeling.addBatch(record, tasks);
  const again = await store.labeling.addBatch(record, tasks);
  let slots = 0;
  for (let i = 0; i < 200; i++) {
    const { tasks: held } = await loop.labeling.claim(MODEL, `person-${i}`, 50);
    slots += held.length;
    if (held.length === 0) break;
  }
  say(JSON.stringify({ before, added, again, after: await count(), slots }));
}

await { seed, label, report, batch }[mode]();
process.exit(0);
