/** Challengers that break after they passed everything: no user sees an error, and they are gone within 50 bad answers. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, gate, linear, stage, type StageConfig, when } from "../../src/config/index.ts";
import { DAY_MS, type RolloutRecord, silentLogger, systemClock, type VersionRecord } from "../../src/core/index.ts";
import { readArtifact, writeArtifact } from "../../src/model/artifact.ts";
import { GraphBuilder } from "../../src/model/onnx/graph.ts";
import { createServer, type Server } from "../../src/server/index.ts";
import { VARIANT_HEADER } from "../../src/server/routes/predict.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { labelledRows, START } from "./support.ts";

const HOST = fileURLToPath(new URL("../engine/support/faulty-host-child.mjs", import.meta.url));
/** Read by the challengers' processes; see HOST. */
const FAULT = join(tmpdir(), `retrain-faulty-host-${process.pid}`);

const define = (name: string, rollout: readonly StageConfig[]) =>
  defineModel({
    name,
    task: "binary",
    id: "customer",
    time: "at",
    features: { age: f.number(), balance: f.number(), job: f.category("clerk", "farmer", "nurse") },
    label: f.boolean(),
    trainer: linear({ epochs: 4 }),
    data: { minRows: 400 },
    retrain: { when: when.manual(), cooldown: "0s", maxPerDay: 100 },
    gates: [gate.atLeast("accuracy", 0.2)],
    rollout,
  });

/** What the rows' labels follow, as a file from elsewhere. */
function logistic(): Uint8Array {
  const graph = new GraphBuilder();
  for (const name of ["age", "balance"]) graph.input(name, "float");
  graph.input("job", "string");
  const age = graph.node("Where", [graph.node("IsNaN", ["age"]), graph.scalar("float", 50), "age"]);
  const centered = graph.node("Sub", [age, graph.scalar("float", 50)]);
  graph.node("Sigmoid", [graph.node("Div", [centered, graph.scalar("float", 8)])], {}, { output: "probability" });
  graph.output("probability", "float", 1);
  return graph.encode({ name: "logistic", producer: "test", notes: {} });
}

interface Answer {
  readonly version: string;
  readonly predictionId: string;
  readonly variant?: string;
  readonly score: number;
}

describe("a faulty challenger", () => {
  let test: TestLoop;
  let server: Server;
  const models = [
    define("canary", [stage.canary(0.5, "30d"), stage.full({ watch: "0s" })]),
    define("shadow", [stage.shadow("30d"), stage.full({ watch: "0s" })]),
    define("watched", [stage.full({ watch: "1d" })]),
    define("replayed", [stage.shadow("30d", { replay: "7d" }), stage.full({ watch: "0s" })]),
  ];

  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models, alerts: [] }), START, { hostEntry: HOST });
    server = await createServer({ loop: test.loop, systemClock, logger: silentLogger });
    const rows = labelledRows(800, START - 20 * DAY_MS, 1, 20 * 60_000);
    const readings = rows.map((row, i) => ({ rowNumber: i + 1, row }));
    await test.loop.ingest({ model: "canary", form: "observation", origin: "http", rows: readings });
    const { run } = await test.loop.requestRun("canary", { reason: "test", actor: "tester" });
    await test.engine.wait(run.id);
    const { version, runId } = await test.loop.importOnnx("canary", logistic(), "tester");
    expect(version.name).toBe("v2");
    await test.engine.wait(runId as string);
    await act("canary", "abort");
    // The same two versions for the other models: their artifacts are the same.
    for (const model of ["shadow", "watched", "replayed"]) {
      for (const name of ["v1", "v2"])
        await test.store.registry.register({ ...(await made(name)), model, runId: `copied ${name} ${model}` }, 0);
      await test.loop.promote(model, "v1", "tester", "the first");
    }
  }, 120_000);
  afterEach(() => rm(FAULT, { force: true }));
  afterAll(async () => {
    await server?.close();
    await test?.dispose();
    await rm(FAULT, { force: true });
  });

  const post = async (url: string, payload: object, headers: Record<string, string> = {}) => {
    const answer = await server.app.inject({ method: "POST", url: `/api/v1/models/${url}`, payload, headers });
    expect(answer.statusCode, answer.body).toBe(200);
    return answer.json<unknown>();
  };
  const made = async (name: string): Promise<VersionRecord> => {
    const record = await test.store.registry.get("canary", name);
    if (record === undefined) throw new Error(`no ${name}`);
    return record;
  };
  const act = (model: string, action: string) => post(`${model}/rollouts/${action}`, { reason: "the next test" });
  const newest = async (model: string) => (await test.store.rollouts.list({ model, limit: 1 }))[0] as RolloutRecord;
  const ask = async (model: string, i: number, forced?: string): Promise<Answer> => {
    test.clock.advanceTo(test.clock.now() + 1);
    const row = { age: 20 + (i % 60), balance: i, job: "clerk" };
    const startedMs = performance.now();
    const answer = (await post(
      `${model}/predict`,
      row,
      forced === undefined ? {} : { [VARIANT_HEADER]: forced },
    )) as Answer;
    // Generous for a busy machine; a hanging process is given 5 s by its host.
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    expect(answer.score).toBeGreaterThan(0);
    expect(answer.score).toBeLessThan(1);
    return answer;
  };
  /** Asks one after the other until the rollout is over. @returns the answers from the moment of the fault */
  const askUntilOver = async (model: string) => {
    const answers: Answer[] = [];
    for (let i = 0; i < 400; i++) {
      answers.push(await ask(model, i));
      // Mirrored answers and the rollback happen beside the requests.
      await new Promise((resolve) => setImmediate(resolve));
      const { state } = await newest(model);
      if (state !== "open" && state !== "watching") return answers;
    }
    throw new Error(`still open after ${answers.length} answers`);
  };
  const failures = async (id: string) => {
    await test.loop.advance(test.clock.now() + 3_600_000);
    const detail = await test.loop.rollout(id);
    return detail.evidence[0]?.guardrails.find(({ guardrail }) => guardrail === "failures");
  };

  it.each(["throws", "answers NaN", "answers a wrong shape", "is slow", "dies", "hangs"])(
    "that %s costs nobody an answer and is rolled back",
    async (fault) => {
      await post("canary/rollouts", { version: "v2" });
      // What slow means follows from the champion's own answers.
      if (fault === "is slow") for (let i = 0; i < 60; i++) await ask("canary", i, "champion");
      await writeFile(FAULT, fault);
      const answers = await askUntilOver("canary");
      const rollout = await newest("canary");
      expect(rollout).toMatchObject({ state: "rolled-back", challenger: "v2" });
      expect(rollout.verdict).toMatch(/the breaker tripped/);
      expect(answers.filter((one) => one.variant === "challenger").length).toBeLessThanOrEqual(50);
      const last = await ask("canary", 1);
      expect(last.version).toBe("v1");
      expect(last.variant).toBeUndefined();
      expect((await test.store.registry.champion("canary"))?.name).toBe("v1");
      // A slow answer is an answer; all others were the champion's, and count as failures of the challenger.
      const replaced = answers.filter((one) => one.variant === "challenger" && one.version === "v1").length;
      if (fault !== "is slow") {
        expect(replaced).toBeGreaterThanOrEqual(10);
        expect((await failures(rollout.id))?.value).toBeGreaterThan(0.5);
      }
    },
    60_000,
  );

  it.each(["throws", "answers NaN", "hangs"])(
    "in shadow that %s is rolled back unseen",
    async (fault) => {
      await post("shadow/rollouts", { version: "v2" });
      await writeFile(FAULT, fault);
      const answers = await askUntilOver("shadow");
      expect(new Set(answers.map((one) => one.version ?? "v1"))).toEqual(new Set(["v1"]));
      expect(await newest("shadow")).toMatchObject({ state: "rolled-back" });
    },
    60_000,
  );

  it.each(["throws", "answers NaN", "answers a wrong shape", "hangs"])(
    "that was promoted without stages and then %s is answered for by the champion before, which comes back",
    async (fault) => {
      await post("watched/rollouts", { version: "v2" });
      expect(await newest("watched")).toMatchObject({ state: "watching" });
      expect((await ask("watched", 1)).version).toBe("v2");
      await writeFile(FAULT, fault);
      const answers = await askUntilOver("watched");
      expect(answers.length).toBeLessThanOrEqual(50);
      expect(new Set(answers.map(({ version }) => version))).toEqual(new Set(["v1"]));
      const rollout = await newest("watched");
      expect(rollout).toMatchObject({ state: "rolled-back", challenger: "v2" });
      expect(rollout.verdict).toMatch(/the breaker tripped/);
      expect((await test.store.registry.champion("watched"))?.name).toBe("v1");
      // What a label is joined with is who answered.
      const logged = await test.store.log.findPredictions("watched", {
        predictionIds: answers.map(({ predictionId }) => predictionId),
      });
      expect(new Set(logged.map(({ version }) => version))).toEqual(new Set(["v1"]));
    },
    60_000,
  );

  it("that fails on logged requests is rolled back by their replay", async () => {
    for (let i = 0; i < 60; i++) await ask("replayed", i);
    await post("replayed/rollouts", { version: "v2" });
    await writeFile(FAULT, "throws");
    await test.loop.advance(test.clock.now() + 3_600_000);
    const rollout = await newest("replayed");
    expect(rollout).toMatchObject({ state: "rolled-back", challenger: "v2" });
    expect(rollout.verdict).toMatch(/Stop: it fails on logged requests\. 10 of the challenger's latest 10 answers/);
  }, 60_000);

  it("in this process that answers NaN is replaced by the champion and rolled back", async () => {
    const champion = await made("v1");
    const hash = champion.artifact;
    const good = await readArtifact((name) => test.objects.get(`artifacts/${hash}/${name}`), hash);
    const arrays = Object.fromEntries(
      Object.entries(good.weights.arrays).map(([name, values]) => [name, values.map(() => Number.NaN)]),
    );
    const folder = await mkdtemp(join(tmpdir(), "retrain-planted-"));
    // Without probes nothing can notice before it is asked.
    const { artifactHash } = await writeArtifact(folder, {
      ...good,
      weights: { ...good.weights, arrays },
      probes: [],
    });
    await test.objects.putFolder(`artifacts/${artifactHash}`, folder);
    await rm(folder, { recursive: true, force: true });
    const planted = await test.store.registry.register({ ...champion, runId: "planted", artifact: artifactHash }, 0);
    await post("canary/rollouts", { version: planted.name });
    const answers = await askUntilOver("canary");
    const asked = answers.filter((one) => one.variant === "challenger");
    expect(asked.length).toBeGreaterThanOrEqual(10);
    expect(asked.length).toBeLessThanOrEqual(50);
    expect(new Set(answers.map((one) => one.version))).toEqual(new Set(["v1"]));
    expect(await newest("canary")).toMatchObject({ state: "rolled-back", challenger: planted.name });
  }, 60_000);
});
