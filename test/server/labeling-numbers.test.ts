// The labeling queue of a model that predicts a number: chosen by the width of the label's interval, over HTTP and by command.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createRandom,
  DAY_MS,
  type Instant,
  type LabelingBatch,
  type LabelingTask,
  silentLogger,
  systemClock,
} from "../../src/core/index.ts";
import { defineConfig, defineModel, f, gbdt, when } from "../../src/config/index.ts";
import { createServer } from "../../src/server/index.ts";
import type { LabelingSession, LabelingStats } from "../../src/server/contract.ts";
import { openTestLoop } from "../../src/testing/loop.ts";
import { runCommand } from "../cli/support.ts";
import { checkAnswers } from "./checked-answers.ts";
import { START, type TestServer } from "./support.ts";

const BASE = "/api/v1/models/rents";
const POOL = 400;
const COUNT = 20;

const rents = defineModel({
  name: "rents",
  task: "regression",
  id: "flat",
  time: "at",
  features: { area: f.number(), floor: f.number(), age: f.number() },
  label: f.number(),
  trainer: gbdt({ epochs: 60 }),
  data: { minRows: 400 },
  labeling: { perDay: 0, overlap: 0 },
  retrain: { when: when.newLabels(400) },
});

/** What a flat costs is nearly certain, except in old houses: there the noise is twenty times as large. */
function flats(count: number, from: Instant, seed: number) {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const [area, floor, age] = [20 + 100 * random.nextFloat(), random.nextInt(10), 100 * random.nextFloat()];
    const noise = age > 80 ? 200 : 10;
    const label = 10 * area + 5 * floor + noise * (2 * random.nextFloat() - 1);
    return { flat: `${seed}-${i}`, at: from + i * 1000, area, floor, age, label };
  });
}

let place: TestServer;
async function post<T>(path: string, payload: object = {}) {
  const answer = await place.server.app.inject({ method: "POST", url: `${BASE}/${path}`, payload });
  return { status: answer.statusCode, body: answer.json<T & { code: string; hint: string; detail: string }>() };
}

beforeAll(async () => {
  const test = await openTestLoop(defineConfig({ models: [rents], alerts: [] }), START);
  const server = await createServer({ loop: test.loop, systemClock, logger: silentLogger, replay: true });
  checkAnswers(server);
  const dispose = async () => {
    await server.close();
    await test.dispose();
  };
  place = { test, server, dispose };
  expect((await post("examples", flats(1500, START - 5 * DAY_MS, 1))).status).toBe(200);
  await test.loop.advance(START + 3_600_000);
  expect((await test.store.registry.champion("rents"))?.name).toBe("v1");
}, 60_000);
afterAll(() => place?.dispose());

describe("a batch for a number", () => {
  let batch: LabelingBatch;
  const age = new Map<string, number>();
  const truth = new Map<string, number>();
  beforeAll(async () => {
    const rows = flats(POOL, place.test.clock.now(), 7);
    for (const row of rows) {
      age.set(row.flat, row.age);
      truth.set(row.flat, row.label);
    }
    const asked = rows.map(({ label: _, ...row }) => row);
    expect((await post("predict", { rows: asked })).status).toBe(200);
    batch = (await post<LabelingBatch>("tasks/build", { count: COUNT })).body;
  });

  it("is chosen by the width of the label's interval where nothing else is asked for", async () => {
    expect(batch).toMatchObject({
      strategy: "quantile-width",
      poolSize: POOL,
      picked: COUNT,
      random: 4,
      version: "v1",
    });
    expect(batch.note).toBeUndefined();
    const answer = await place.server.app.inject({ method: "GET", url: `${BASE}/tasks?limit=500` });
    const tasks = answer.json<{ items: LabelingTask[] }>().items;
    const chosen = tasks.filter(({ origin }) => origin === "strategy");
    expect(chosen).toHaveLength(COUNT - 4);
    // A fifth of the pool is noisy, about eighty rows; drawn evenly a fifth of the picks would be.
    const noisy = chosen.filter(({ exampleId }) => (age.get(exampleId) as number) > 80);
    expect(noisy.length / chosen.length).toBeGreaterThan(0.9);
    // Nearly certain labels have an interval of 16 to 30, noisy ones of 320.
    for (const { acquisition } of chosen) expect(acquisition).toBeGreaterThan(60);
  });

  it("is answered with numbers, which train and estimate like any other label", async () => {
    const { tasks, choices } = (await post<LabelingSession>("tasks/claim", { as: "ann", count: 10 })).body;
    expect(choices).toBeNull();
    const wrong = await post(`tasks/${tasks[0]?.id}/answer`, { as: "ann", kind: "answer", value: "dear" });
    expect(wrong).toMatchObject({ status: 422, body: { code: "ROW_INVALID" } });
    for (const { id, exampleId } of tasks) {
      const given = await post(`tasks/${id}/answer`, { as: "ann", kind: "answer", value: truth.get(exampleId) });
      expect(given.status).toBe(200);
    }
    const stats = await place.server.app.inject({ method: "GET", url: `${BASE}/tasks/stats` });
    expect(stats.json<LabelingStats>().states).toMatchObject({ done: 10, open: COUNT - 10 });
  });

  it("is refused by a measure of classes, over HTTP and by command, with what fits", async () => {
    const refused = await post("tasks/build", { count: 5, strategy: "margin" });
    expect(refused).toMatchObject({ status: 400, body: { code: "BODY_INVALID" } });
    expect(refused.body.detail).toMatch(/"margin" does not fit the model rents, which predicts a number/);
    expect(refused.body.hint).toContain("quantile-width, committee, slices, random");
    const { port } = await place.server.listen({ host: "127.0.0.1", port: 0 });
    const url = ["--url", `http://127.0.0.1:${port}`];
    const command = await runCommand("tasks", "build", "rents", "--strategy", "entropy", ...url);
    expect(command.code).toBe(2);
    expect(command.stderr).toContain("does not fit the model rents");
    const built = await runCommand("tasks", "build", "rents", "--count", "10", "--strategy", "quantile-width", ...url);
    expect(built.stdout).toContain("quantile-width");
  });
});

describe("the definition of a queue", () => {
  const labeling = (task: "binary" | "regression", strategy: string) =>
    defineConfig({
      models: [
        defineModel({
          name: "m",
          task,
          features: { x: f.number() },
          label: task === "binary" ? f.boolean() : f.number(),
          labeling: { strategy },
        } as never),
      ],
      alerts: [],
    });

  it("refuses a strategy that does not fit what is predicted, naming those that do", async () => {
    for (const [task, strategy, rule] of [
      ["regression", "margin", /labeling\.strategy.*one of "quantile-width", "committee", "slices", "random"/s],
      ["binary", "quantile-width", /labeling\.strategy.*one of "margin", "least-confidence"/s],
    ] as const) {
      await expect(openTestLoop(labeling(task, strategy), START)).rejects.toThrow(rule);
    }
  });
});
