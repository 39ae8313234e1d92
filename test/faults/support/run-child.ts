// A process with a whole loop over the embedded store and the durable engine, for the tests that kill it at named points:
//   run-child.ts DIRECTORY seed|run|finish [best|staged|incremental]
// `seed` fills the directory with labelled rows and one live version; `run` starts a run and waits for it; `finish` only lets
// what was interrupted end. Each prints one line of JSON with what the records say. With `best` runs train two ways; with `staged`
// what passes its gate begins in a canary of a month; with `incremental` the worker learns by the label.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import {
  type CandidateChoice,
  type RunRecord,
  createRandom,
  liveWorldClock,
  silentLogger,
  systemClock,
} from "../../../src/core/index.ts";
import {
  best,
  defineConfig,
  defineModel,
  f,
  gate,
  linear,
  majority,
  resolveConfig,
  stage,
  when,
} from "../../../src/config/index.ts";
import { createDbosEngine, createJobPool } from "../../../src/engine/index.ts";
import { createLoop } from "../../../src/loop/index.ts";
import { logSchemaOf } from "../../../src/loop/context.ts";
import type { ModelSpec } from "../../../src/config/spec.ts";
import { openDatabase } from "../../../src/storage/pool.ts";
import { openStore } from "../../../src/storage/store.ts";
import { openFileStore } from "../../../src/storage/files/object-store.ts";
import { builtJobEntry } from "../../../src/testing/loop.ts";
import { readKept } from "../../../src/loop/kept-state.ts";
import { parseFold } from "../../../src/train/index.ts";

const [directory, mode, how] = process.argv.slice(2) as [string, "seed" | "run" | "finish", string?];

const model = defineModel({
  name: "m",
  task: "binary",
  id: "id",
  time: "at",
  features: { x: f.number(), c: f.category() },
  label: f.boolean(),
  trainer: linear({ epochs: 5 }),
  data: { minRows: 300 },
  retrain: {
    when: when.manual(),
    cooldown: "0s",
    maxPerDay: 1000,
    ...(how === "best" ? { how: best({ of: ["full", { trainer: majority() }] }) } : {}),
    ...(how === "incremental" ? { how } : {}),
  },
  gates: [gate.betterThanBaseline("logLoss")],
  ...(how === "staged" ? { rollout: [stage.canary(0.5, "30d"), stage.full()] } : {}),
});
const spec = resolveConfig(defineConfig({ models: [model], storage: { dir: directory } }), {
  folder: directory,
  environment: {},
  flags: {},
});
const database = await openDatabase({ directory: join(directory, "database"), systemClock });
const schema = logSchemaOf(spec.models[0] as ModelSpec);
const store = await openStore({ database, directory, worldClock: liveWorldClock, systemClock, schemaOf: () => schema });
const objects = openFileStore(join(directory, "objects"));
const engine = createDbosEngine({
  pool: database.pool,
  systemClock,
  logger: silentLogger,
  executorId: "test",
  applicationVersion: "1",
});
const jobs = createJobPool({ entry: builtJobEntry(), size: 1, systemClock, logger: silentLogger });
const loop = createLoop({
  spec,
  store,
  objects,
  engine,
  jobs,
  worldClock: liveWorldClock,
  systemClock,
  logger: silentLogger,
  directory,
});
await loop.start();

function rows(count: number, start: number) {
  const random = createRandom(start);
  return Array.from({ length: count }, (_, i) => {
    const x = random.nextFloat() * 4 - 2;
    const label = random.nextFloat() < 1 / (1 + Math.exp(-2 * x));
    const row = {
      id: `r${start + i}`,
      at: Date.now() - 5 * 86_400_000 + (start + i) * 1000,
      x,
      c: x > 0 ? "up" : "down",
      label,
    };
    return { rowNumber: i + 1, row };
  });
}
async function ingest(count: number, start: number) {
  await loop.ingest({ model: "m", form: "observation", origin: "test", rows: rows(count, start) });
}
// The record says how the run ended before the workflow has cleaned up after it.
const ended = async () => {
  const last = await store.runs.last("m");
  if (last !== undefined) await engine.wait(last.id);
};

if (mode === "seed") {
  await ingest(800, 0);
  await loop.requestRun("m", { reason: "seed", actor: "test" });
  await ended();
  await ingest(200, 800);
}
// Told again after a kill: what is in the log already changes nothing.
if (mode === "run" && how === "incremental") await ingest(100, 1_000);
if (mode === "run") await loop.requestRun("m", { reason: "kill me", actor: "test" });
await ended();
// The routing listener loads what another process promoted; here the record and the memory must already agree.
const { content } = await readKept({ store, objects }, "m", "incremental");
const fold = content === undefined ? undefined : parseFold(content);
const versions = await store.registry.list("m");
const runs = await store.runs.list({ model: "m", limit: 50 });
const alerts = await store.alerts.list({ model: "m", limit: 50 });
const rollouts = await store.rollouts.list({ model: "m", limit: 20 });
const answer = await loop.predict({ model: "m", rows: [{ x: 1, c: "up" }], log: false });
const promotions = await store.decisions.list({ model: "m", kind: "promotion", limit: 50 });
const choiceOf = (run: RunRecord) =>
  (run.steps.find(({ step }) => step === "train")?.details?.choice as CandidateChoice | undefined)?.candidates ?? [];
const steps = await Promise.all(runs.map((run) => engine.steps(run.id)));
console.log(
  JSON.stringify({
    runs: runs.map((run) => ({
      id: run.id,
      state: run.state,
      error: run.error ?? null,
      version: run.version ?? null,
      steps: run.steps.map((step) => `${step.step}:${step.state}`),
      candidates: choiceOf(run).map(({ name, state, trace }) => `${name}: ${state}, ${trace?.length ?? 0} points`),
    })),
    learned:
      fold === undefined
        ? null
        : {
            rows: fold.learned,
            weights: Buffer.from((fold.learner.arrays.weights as Float64Array).buffer).toString("base64"),
            losses: fold.judged.map(({ exampleId, loss }) => `${exampleId} ${loss}`),
          },
    engineSteps: steps.map((list) => list.length),
    versions: versions.map((version) => ({
      name: version.name,
      runId: version.runId,
      role: version.role,
      whole: existsSync(join(directory, "objects", "artifacts", version.artifact, "complete.json")),
    })),
    rollouts: rollouts.map(
      ({ state, challenger, waiting }) => `${state} ${challenger} ${waiting?.version ?? "nobody"}`,
    ),
    serving: answer.version,
    routing: (await store.registry.routing("m")).number,
    promotions: promotions.reduce((sum, decision) => sum + decision.count, 0),
    alerts: alerts.map((alert) => `${alert.type} ${alert.count}`),
    jobFolders: existsSync(join(directory, "jobs")) ? readdirSync(join(directory, "jobs")).length : 0,
  }),
);
await loop.stop();
await jobs.close();
await store.close();
await database.close();
process.exit(0);
