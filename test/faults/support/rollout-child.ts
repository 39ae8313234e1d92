// A process with a whole loop on a virtual clock over the embedded store, for the tests that kill it in the middle of a rollout:
//   rollout-child.ts DIRECTORY seed|story|again
// `seed` makes three versions; `story` takes a rollout through shadow, canary, promotion, rollback, abort, hands and replay, one
// operation after the other, and goes on where an earlier process stopped. The operation that was cut off is asked for again, as
// a person or the next tick would. Prints one line of JSON with what the records say at the end.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type JsonObject,
  type RetrainError,
  createRandom,
  createVirtualClock,
  silentLogger,
  systemClock,
} from "../../../src/core/index.ts";
import { defineConfig, defineModel, f, gate, linear, resolveConfig, stage, when } from "../../../src/config/index.ts";
import { createJobPool, createVirtualEngine } from "../../../src/engine/index.ts";
import { createLoop } from "../../../src/loop/index.ts";
import { logSchemaOf } from "../../../src/loop/context.ts";
import type { ModelSpec } from "../../../src/config/spec.ts";
import type { RolloutAction } from "../../../src/loop/rollouts/contract.ts";
import { openDatabase } from "../../../src/storage/pool.ts";
import { openStore } from "../../../src/storage/store.ts";
import { openFileStore } from "../../../src/storage/files/object-store.ts";
import { builtJobEntry } from "../../../src/testing/loop.ts";

const [directory, mode] = process.argv.slice(2) as [string, "seed" | "story" | "again"];

const START = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;
const model = defineModel({
  name: "m",
  task: "binary",
  id: "id",
  time: "at",
  unit: "customer",
  features: { x: f.number() },
  label: f.boolean(),
  trainer: linear({ epochs: 3 }),
  data: { minRows: 300 },
  retrain: { when: when.manual(), cooldown: "0s", maxPerDay: 1000 },
  gates: [gate.atLeast("accuracy", 0.1)],
  rollout: [
    stage.shadow("6h", { minSamples: 20 }),
    stage.canary(0.3, "6h", { minSamples: 5 }),
    stage.full({ watch: "2d" }),
  ],
});
const spec = resolveConfig(defineConfig({ models: [model], alerts: [], storage: { dir: directory } }), {
  folder: directory,
  environment: {},
  flags: {},
});
const progressFile = join(directory, "progress.json");
const progress = existsSync(progressFile) ? JSON.parse(readFileSync(progressFile, "utf8")) : { next: 0, at: START };
const clock = createVirtualClock(progress.at);
const database = await openDatabase({ directory: join(directory, "database"), systemClock });
const schema = logSchemaOf(spec.models[0] as ModelSpec);
const store = await openStore({ database, directory, worldClock: clock, systemClock, schemaOf: () => schema });
const engine = createVirtualEngine({ systemClock, logger: silentLogger });
const jobs = createJobPool({ entry: builtJobEntry(), size: 1, systemClock, logger: silentLogger });
const loop = createLoop({
  spec,
  store,
  objects: openFileStore(join(directory, "objects")),
  engine,
  jobs,
  worldClock: clock,
  systemClock,
  logger: silentLogger,
  directory,
});
await loop.start();

function rows(count: number, seed: number) {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const x = random.nextFloat() * 4 - 2;
    const label = random.nextFloat() < 1 / (1 + Math.exp(-2 * x));
    return { id: `${seed}-${i}`, customer: `c${random.nextInt(90)}`, at: clock.now() - HOUR + i, x, label };
  });
}
const readings = (list: readonly JsonObject[]) => list.map((row, i) => ({ rowNumber: i + 1, row }));
async function ask(seed: number) {
  const list = rows(60, seed);
  await loop.predict({ model: "m", rows: list.map(({ label: _, ...row }) => row) });
  // A label of the same instant would be one the version may have learned from.
  clock.advanceTo(clock.now() + 1);
  const labels = list.map(({ id, label }) => ({ id, label }));
  await loop.ingest({ model: "m", form: "label", origin: "test", rows: readings(labels) });
}
const hand = (action: RolloutAction) => () => loop.changeRollout("m", action, "tester", "as the story has it");
const start = (version: string) => () => loop.startRollout("m", version, "tester");
const save = () => writeFileSync(progressFile, JSON.stringify({ ...progress, at: clock.now() }));
/** A tick so much later. The hour is written down first: a restarted process must not live through it again. */
const later = (hours: number) => async () => {
  if (!isAgain) clock.advanceTo(clock.now() + hours * HOUR);
  save();
  await loop.tick("m", clock.now());
};
let isAgain = mode === "again";

const STORY = [
  start("v2"),
  () => ask(10),
  later(7), // shadow → canary
  () => ask(11),
  hand("pause"),
  hand("resume"),
  later(7), // canary → promoted, watched
  () => ask(12),
  later(1),
  hand("rollback"),
  start("v3"),
  () => ask(13),
  later(1),
  hand("abort"),
  () => loop.promote("m", "v3", "tester", "by hand"),
  () => loop.rollback("m", "tester", "by hand"),
  start("v3"),
  later(25), // nobody asks: replay
  () => ask(14),
  later(1),
];

if (mode === "seed") {
  for (const [i, seed] of [1, 2, 3].entries()) {
    await loop.ingest({ model: "m", form: "observation", origin: "test", rows: readings(rows(500 + i, seed)) });
    const { run } = await loop.requestRun("m", { reason: "seed", actor: "test" });
    await engine.wait(run.id);
    if ((await store.rollouts.active("m")) !== undefined) await hand("abort")();
    clock.advanceTo(clock.now() + HOUR);
  }
  save();
} else {
  // What a restart finds, before anything else happens.
  const champions = (await store.registry.list("m")).filter(({ role }) => role === "champion").map(({ name }) => name);
  const found = await loop.predict({ model: "m", rows: [{ x: 1, customer: "c1" }], log: false });
  appendFileSync(join(directory, "starts.ndjson"), `${JSON.stringify({ champions, serving: found.version })}\n`);
  while (progress.next < STORY.length) {
    try {
      await STORY[progress.next]?.();
    } catch (error) {
      // Cut off after it was done: asked again, it finds nothing left to do.
      if (!isAgain || !["ROLLOUT_CONFLICT", "ROLLOUT_UNKNOWN"].includes((error as RetrainError).code)) throw error;
    }
    isAgain = false;
    progress.next++;
    save();
  }
}

const versions = await store.registry.list("m");
const rollouts = [];
for (const { id } of (await store.rollouts.list({ model: "m", limit: 20 })).toReversed()) {
  const { rollout, evidence } = await loop.rollout(id);
  const { state, champion, challenger, salt, phases, verdict } = rollout;
  // Counts of answers and durations live in the memory of a process and begin anew with it.
  const kept = evidence.map(({ guardrails, ...rest }) => ({
    ...rest,
    guardrails: guardrails.filter(({ guardrail }) => guardrail !== "latency" && guardrail !== "failures"),
  }));
  rollouts.push({ state, champion, challenger, salt, phases, verdict, evidence: kept });
}
const units = Array.from({ length: 90 }, (_, i) => ({ x: 0.1, customer: `c${i}` }));
const answers = await loop.predict({ model: "m", rows: units, log: false });
const routing = await store.registry.routing("m");
console.log(
  JSON.stringify({
    versions: versions.map(({ name, role }) => `${name} ${role}`).sort(),
    rollouts,
    routing: {
      champion: routing.champion,
      challenger: routing.challenger,
      number: routing.number,
      active: routing.active,
    },
    assignment: answers.predictions.map(({ variant, version }) => `${variant} ${version}`),
    serving: answers.version,
  }),
);
await loop.stop();
await jobs.close();
await store.close();
await database.close();
process.exit(0);
