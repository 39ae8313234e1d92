// Answers the model is not sure of are held or flagged until a person decides, or the deadline does.
import type { InjectOptions } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f } from "../../src/config/index.ts";
import { HOUR_MS, type LabelingTask, silentLogger, systemClock } from "../../src/core/index.ts";
import { createServer } from "../../src/server/index.ts";
import type {
  DecisionRecord,
  LabelHistory,
  LabelingStats,
  LabelingSession,
  Page,
  PredictedRow,
  PredictManyAnswer,
  ReviewRecord,
} from "../../src/server/contract.ts";
import { openTestLoop } from "../../src/testing/loop.ts";
import { runCommand } from "../cli/support.ts";
import { labelledRows, purchases, START, type TestServer, trainFirstVersion } from "./support.ts";
import { checkAnswers } from "./checked-answers.ts";

const BASE = "/api/v1/models/purchases";
const review = { below: 0.7, deadline: "1h", default: "withhold", audit: 0.5 } as const;
const configOf = (more: object) =>
  defineConfig({ models: [defineModel({ ...purchases, review: { ...review, ...more } } as never)], alerts: [] });

let place: TestServer;
let held: PredictedRow[] = [];
let sure: PredictedRow[] = [];

async function ask<T>(method: "GET" | "POST", path: string, payload?: unknown) {
  const request: InjectOptions = { method, url: path.startsWith("/") ? path : `${BASE}/${path}` };
  if (payload !== undefined) request.payload = payload as object;
  const answer = await place.server.app.inject(request);
  return { status: answer.statusCode, body: answer.json<T & { code: string; detail: string; hint: string }>() };
}
async function predict(count: number, seed: number, query = ""): Promise<readonly PredictedRow[]> {
  const rows = labelledRows(count, place.test.clock.now(), seed).map(({ label: _, ...row }) => row);
  const { status, body } = await ask<PredictManyAnswer>("POST", `predict${query}`, { rows });
  expect(status).toBe(200);
  return body.predictions;
}
const look = async (row: PredictedRow | undefined, query = "") =>
  (await ask<ReviewRecord>("GET", `reviews/${row?.predictionId}${query}`)).body as ReviewRecord;
const decide = (row: PredictedRow | undefined, body: object) =>
  ask<ReviewRecord>("POST", `reviews/${row?.predictionId}/decide`, body);
const taskOf = async (row: PredictedRow | undefined) =>
  (
    await place.test.store.labeling.tasks({ model: "purchases", predictionId: row?.predictionId as string, limit: 1 })
  )[0];

beforeAll(async () => {
  const test = await openTestLoop(configOf({}), START);
  const server = await createServer({ loop: test.loop, systemClock, logger: silentLogger, replay: true });
  checkAnswers(server);
  place = {
    test,
    server,
    dispose: async () => {
      await server.close();
      await test.dispose();
    },
  };
  await trainFirstVersion(place);
  const answers = await predict(120, 41);
  held = answers.filter((row) => row.review !== undefined);
  sure = answers.filter((row) => row.review === undefined);
}, 60_000);
afterAll(() => place?.dispose());

describe("an uncertain answer that is held", () => {
  it("tells nothing but its id and how long people have", () => {
    expect(held.length).toBeGreaterThan(20);
    expect(sure.length).toBeGreaterThan(20);
    const { predictionId, exampleId } = held[0] as PredictedRow;
    const dueAt = place.test.clock.now() + HOUR_MS;
    expect(held[0]).toEqual({
      predictionId,
      exampleId,
      logged: true,
      decision: null,
      review: { state: "pending", dueAt },
    });
    for (const row of sure) expect(Math.max(...Object.values(row.probabilities ?? {}))).toBeGreaterThanOrEqual(0.7);
  });

  it("was stored before the caller heard of it, and only uncertain answers were", async () => {
    const { body } = await ask<Page<ReviewRecord>>("GET", "reviews?state=open&limit=500");
    expect(body.items.map(({ predictionId }) => predictionId).sort()).toEqual(
      held.map(({ predictionId }) => predictionId as string).sort(),
    );
    expect(await look(held[0])).toMatchObject({ state: "pending", mode: "hold", decision: null, decidedAt: null });
  });

  it("is released when a person approves it, and becomes a label that judges nothing", async () => {
    const task = (await taskOf(held[0])) as LabelingTask;
    const { status, body } = await decide(held[0], { action: "approve", comment: "clear enough" });
    expect(status).toBe(200);
    const decided = { state: "approved", decision: task.decision, decidedBy: "local", comment: "clear enough" };
    expect(body).toMatchObject(decided);
    expect(await look(held[0])).toMatchObject(decided);
    const { body: history } = await ask<LabelHistory>("GET", `examples/${held[0]?.exampleId}/labels`);
    expect(history).toMatchObject({
      effective: { value: task.decision, source: "expert" },
      statements: [{ selective: true }],
    });
  });

  it("is released as what a person says instead, or not at all", async () => {
    const task = (await taskOf(held[1])) as LabelingTask;
    const right = task.decision !== true;
    expect((await decide(held[1], { action: "correct", value: right })).body).toMatchObject({
      state: "corrected",
      decision: right,
    });
    expect((await decide(held[2], { action: "withhold", comment: "fraud desk" })).body).toMatchObject({
      state: "withheld",
      decision: null,
    });
    const [audit] = await place.test.store.settings.auditLog({ limit: 1 });
    expect(audit).toMatchObject({ action: "review.withhold", actor: "local", details: { comment: "fraud desk" } });
  });

  it("ends a caller's wait within the second", async () => {
    const waiting = look(held[3], "?wait=30");
    const { tasks } = (await ask<LabelingSession>("POST", "tasks/claim", { as: "ann", only: "reviews", count: 50 }))
      .body;
    const task = tasks.find(({ predictionId }) => predictionId === held[3]?.predictionId);
    await ask("POST", `tasks/${task?.id}/answer`, { as: "ann", value: true });
    expect(await waiting).toMatchObject({ decidedBy: "ann", decision: true });
    expect((await ask("POST", "tasks/release", { as: "ann" })).status).toBe(200);
  });

  it.each<
    [string, () => Promise<{ status: number; body: { code: string; detail: string; hint: string } }>, string, RegExp]
  >([
    [
      "an answer that was never uncertain",
      () => ask("GET", `reviews/${sure[0]?.predictionId}`),
      "NOT_FOUND",
      /Nobody was asked/,
    ],
    ["a second decision", () => decide(held[0], { action: "approve" }), "CONFLICT", /is closed/],
    ["a decision on what was withheld", () => decide(held[2], { action: "approve" }), "CONFLICT", /is closed/],
    ["a correction without a value", () => decide(held[4], { action: "correct" }), "BODY_INVALID", /needs the value/],
    ["an approval with one", () => decide(held[4], { action: "approve", value: true }), "BODY_INVALID", /has no value/],
    [
      "a value that is no label",
      () => decide(held[4], { action: "correct", value: "maybe" }),
      "ROW_INVALID",
      /does not fit/,
    ],
    ["another action", () => decide(held[4], { action: "shrug" }), "BODY_INVALID", /action/],
    ["a wait of two minutes", () => ask("GET", `reviews/${held[4]?.predictionId}?wait=99`), "BODY_INVALID", /0 to 60/],
    ["another model", () => ask("GET", "/api/v1/models/nothing/reviews/x"), "MODEL_UNKNOWN", /nothing/],
    ["an undo of what was released", () => ask("POST", "tasks/undo", { as: "ann" }), "CONFLICT", /was released/],
  ])("refuses %s", async (_title, run, code, message) => {
    const { body } = await run();
    expect(body.detail).toMatch(message);
    expect(body.code).toBe(code);
    expect(body.hint).not.toBe("");
    expect(await look(held[4])).toMatchObject({ state: "pending" });
  });

  it("is no answer of the inference protocol", async () => {
    const rows = labelledRows(30, place.test.clock.now(), 43);
    const column = (name: "age" | "balance" | "job", datatype: string) => ({
      name,
      datatype,
      shape: [rows.length, 1],
      data: rows.map((row) => row[name]),
    });
    const inputs = [column("age", "FP64"), column("balance", "FP64"), column("job", "BYTES")];
    const refused = await ask("POST", "/v2/models/purchases/infer", { inputs });
    expect(refused.status).toBe(409);
    expect(refused.body).toMatchObject({ code: "REVIEW_PENDING", error: expect.stringMatching(/a person decides/) });
  });
});

describe("the labeling page's session", () => {
  it("puts reviews first, shows the model's answer, and counts them", async () => {
    const { body } = await ask<LabelingSession>("POST", "tasks/claim", { as: "bob", count: 3 });
    expect(
      body.tasks.every(
        ({ isReview, dueAt, suggestion }) => isReview && dueAt !== undefined && suggestion !== undefined,
      ),
    ).toBe(true);
    expect(body.progress.reviews).toBeGreaterThan(10);
    await ask("POST", "tasks/release", { as: "bob" });
  });
});

describe("the audit sample", () => {
  it("checks its share of the confident answers, which were given at once", async () => {
    const tasks = await place.test.store.labeling.tasks({ model: "purchases", origins: ["audit"], limit: 500 });
    const ids = new Set(sure.map(({ predictionId }) => predictionId));
    const own = tasks.filter((task) => ids.has(task.predictionId));
    expect(own.length / sure.length).toBeGreaterThan(0.3);
    expect(own.length / sure.length).toBeLessThan(0.7);
    for (const task of own) {
      expect(task.selectionProbability).toBe(0.5);
      expect(task.dueAt).toBeUndefined();
    }
  });
});

describe("after the deadline", () => {
  it("does what was promised, at a tick, with a record, and the person comes too late", async () => {
    const task = (await taskOf(held[5])) as LabelingTask;
    await ask("POST", "tasks/claim", { as: "eve", only: "reviews", count: 50 });
    await place.test.loop.advance(place.test.clock.now() + 2 * HOUR_MS);
    expect(await place.test.store.labeling.task(task.id)).toMatchObject({ state: "discarded", closedBy: "deadline" });
    expect(await look(held[5])).toMatchObject({ state: "withheld", decision: null, decidedBy: null });
    const late = await ask("POST", `tasks/${task.id}/answer`, { as: "eve", value: true });
    expect([late.status, late.body.code]).toEqual([409, "CONFLICT"]);
    expect((await decide(held[5], { action: "approve" })).body.detail).toMatch(/its deadline has passed/);
    const { body } = await ask<Page<DecisionRecord>>("GET", "/api/v1/decisions?kind=review");
    expect(body.items[0]).toMatchObject({ subject: "deadline", outcome: "no", model: "purchases" });
    expect(body.items[0]?.reason).toMatch(/withheld: nobody decided/);
    const { body: history } = await ask<LabelHistory>("GET", `examples/${held[5]?.exampleId}/labels`);
    expect(history.statements).toEqual([]);
  });

  it("holds between two ticks too: whoever looks sees the default", async () => {
    const [row] = (await predict(40, 44)).filter((one) => one.review !== undefined);
    place.test.clock.advanceTo(place.test.clock.now() + HOUR_MS);
    expect(await look(row)).toMatchObject({ state: "withheld", decidedAt: place.test.clock.now() });
  });
});

describe("other terms", () => {
  it("give a flagged answer at once, and let it stand when nobody decides", async () => {
    const { spec } = place.test.loop;
    const [model] = spec.models;
    const flagged = { ...model?.review, mode: "flag", onDeadline: "release" };
    await place.test.loop.reconfigure({ ...spec, models: [{ ...model, review: flagged } as never] });
    const [row] = (await predict(40, 45)).filter((one) => one.review !== undefined);
    expect(row?.decision).not.toBeNull();
    expect(row?.probabilities).toBeDefined();
    expect(await look(row)).toMatchObject({ state: "pending", mode: "flag", decision: row?.decision });
    await place.test.loop.advance(place.test.clock.now() + 2 * HOUR_MS);
    expect(await look(row)).toMatchObject({ state: "released", decision: row?.decision, decidedBy: null });
    const { body } = await ask<Page<DecisionRecord>>("GET", "/api/v1/decisions?kind=review");
    expect(body.items[0]).toMatchObject({ outcome: "yes" });
  });

  it("ask several times about one example, beside a question of the queue", async () => {
    const row = labelledRows(200, place.test.clock.now(), 46).map(({ label: _, ...rest }) => rest);
    const first = (await ask<PredictManyAnswer>("POST", "predict", { rows: row })).body.predictions;
    const at = first.findIndex((one) => one.review !== undefined);
    const again = (await ask<PredictManyAnswer>("POST", "predict", { rows: [row[at]] })).body.predictions[0];
    expect(again?.exampleId).toBe(first[at]?.exampleId);
    expect([(await look(first[at])).state, (await look(again)).state]).toEqual(["pending", "pending"]);
  });

  it("hold at once where nothing was logged: nobody can be asked", async () => {
    const rows = await predict(40, 47, "?log=0");
    const uncertain = rows.filter((one) => one.review !== undefined);
    expect(uncertain.length).toBeGreaterThan(5);
    for (const one of uncertain) {
      expect(one.review).toEqual({ state: "released", reason: "not logged, so nobody can be asked" });
      expect(one.decision).not.toBeNull();
    }
  });

  it("are refused for a model without class probabilities", () => {
    const features = { age: f.number() };
    const price = defineModel({ name: "price", task: "regression", features, label: f.number(), review } as never);
    return expect(
      openTestLoop(defineConfig({ models: [price], alerts: [] }), START).then((test) => test.dispose()),
    ).rejects.toThrow(/review.*gives no class probability/s);
  });
});

describe("retrain reviews", () => {
  it("lists, shows, decides, and says what a held answer waits for", async () => {
    const { port } = await place.server.listen({ host: "127.0.0.1", port: 0 });
    const url = ["--url", `http://127.0.0.1:${port}`];
    const [one, other] = (await predict(60, 48)).filter((row) => row.review !== undefined);
    const listed = await runCommand("reviews", "purchases", "--state", "open", ...url);
    expect(listed.stdout).toContain(one?.predictionId);
    const shown = await runCommand("reviews", "show", "purchases", one?.predictionId as string, ...url);
    expect(shown.stdout).toMatch(/^pending: a person has until /);
    const done = await runCommand(
      "reviews",
      "decide",
      "purchases",
      one?.predictionId as string,
      "--value",
      "true",
      ...url,
    );
    expect(done.stdout).toMatch(/by local: true/);
    const none = await runCommand(
      "reviews",
      "decide",
      "purchases",
      other?.predictionId as string,
      "--withhold",
      ...url,
    );
    expect(none.stdout).toBe("withheld: no answer\n");
    const usage = await runCommand("reviews", "decide", "purchases", "x", "--approve", "--withhold", ...url);
    expect([usage.code, usage.stderr]).toEqual([2, expect.stringContaining("2 were given")]);
  });
});

describe("how often answers were wrong", () => {
  it("is told from reviews and audits together, by the probabilities their tasks were recorded with", async () => {
    const checks = (await place.test.store.labeling.tasks({ model: "purchases", limit: 1_000 })).filter(
      ({ origin, version }) => version === "v1" && (origin === "review" || origin === "audit"),
    );
    const asked = (origin: string) => checks.filter((task) => task.origin === origin);
    const before = (await ask<LabelingStats>("GET", "tasks/stats")).body.reviewed[0];
    expect(before?.answers).toBe(
      Math.round(checks.reduce((sum, { selectionProbability }) => sum + 1 / selectionProbability, 0)),
    );
    expect([before?.reviewed.asked, before?.audited.asked]).toEqual([asked("review").length, asked("audit").length]);
    // The truth of every audited example arrives from elsewhere; it is a label whoever states it.
    const rows = asked("audit").map((task) => ({ predictionId: task.predictionId, label: task.decision !== true }));
    const { status } = await ask("POST", "labels", { labels: rows });
    expect(status).toBeLessThan(300);
    const after = (await ask<LabelingStats>("GET", "tasks/stats")).body.reviewed[0];
    expect(after?.audited).toEqual({ asked: rows.length, labelled: rows.length, wrong: rows.length });
    const [low, high] = after?.interval ?? [Number.NaN, Number.NaN];
    expect(low).toBeLessThan(after?.value as number);
    expect(high).toBeGreaterThan(after?.value as number);
    // All audited answers were wrong, and they stand for more than half.
    expect(after?.value).toBeGreaterThan(0.5);
    const { port } = place.server.app.server.address() as { port: number };
    const shown = await runCommand("tasks", "stats", "purchases", "--url", `http://127.0.0.1:${port}`);
    expect(shown.stdout).toContain(`and ${rows.length} of ${rows.length} audits`);
  });
});
