// The labeling queue as a team uses it: over HTTP, with tokens, on a model that has learned.
import type { InjectOptions } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HOUR_MS, type LabelingBatch, type LabelingTask } from "../../src/core/index.ts";
import type { LabelingSession, LabelingStats } from "../../src/server/contract.ts";
import { runCommand } from "../cli/support.ts";
import { answeredOnceCommitted } from "./held-log.ts";
import { labelledRows, openTestServer, type TestServer, trainFirstVersion } from "./support.ts";

const BASE = "/api/v1/models/purchases";
let place: TestServer;
beforeAll(async () => {
  place = await openTestServer();
  await trainFirstVersion(place);
}, 60_000);
afterAll(() => place?.dispose());

async function ask<T>(method: "GET" | "POST", path: string, payload?: unknown, headers: Record<string, string> = {}) {
  const request: InjectOptions = { method, url: path.startsWith("/") ? path : `${BASE}/${path}`, headers };
  if (payload !== undefined) request.payload = payload as object;
  const answer = await place.server.app.inject(request);
  return { status: answer.statusCode, body: answer.json<T & { code: string; hint: string; detail: string }>() };
}
const post = <T>(path: string, payload: unknown = {}) => ask<T>("POST", path, payload);
const claim = async (as: string, count = 6) =>
  (await post<LabelingSession>("tasks/claim", { as, count })).body as LabelingSession;

describe("before anything is asked", () => {
  it("has nothing to ask about, and says what to do", async () => {
    const { status, body } = await post("tasks/build", { count: 10 });
    expect(status).toBe(409);
    expect(body).toMatchObject({ code: "CONFLICT" });
    expect(body.hint).toMatch(/Send predictions/);
    expect((await claim("ann")).tasks).toEqual([]);
  });
});

describe("a batch of tasks", () => {
  let batch: LabelingBatch;
  const truth = new Map<string, boolean>();
  beforeAll(async () => {
    const rows = labelledRows(400, place.test.clock.now(), 77, 1000);
    for (const { customer, label } of rows) truth.set(customer, label);
    const unlabelled = rows.map(({ label: _, ...row }) => row);
    const predicted = await post("predict", { rows: unlabelled.slice(0, 300) });
    expect(predicted.status).toBe(200);
    // Rows nobody asked a prediction for are candidates too.
    expect((await post("examples", unlabelled.slice(300))).status).toBe(200);
    batch = (await post<LabelingBatch>("tasks/build", { count: 60 })).body;
  });

  it("holds the random share and the uncertain rest, with the version that was asked", async () => {
    expect(batch).toMatchObject({ strategy: "margin", poolSize: 400, picked: 60, random: 12, version: "v1" });
    const { body } = await ask<{ items: LabelingTask[] }>("GET", "tasks?limit=500");
    const tasks = body.items;
    expect(tasks).toHaveLength(60);
    expect(new Set(tasks.map((task) => task.exampleId)).size).toBe(60);
    const chosen = tasks.filter((task) => task.origin === "strategy" && task.scores !== undefined);
    const margins = chosen.map((task) => Math.abs((task.scores?.[1] ?? 0) - 0.5));
    const drawn = tasks.filter((task) => task.origin === "random" && task.scores !== undefined);
    const others = drawn.map((task) => Math.abs((task.scores?.[1] ?? 0) - 0.5));
    const mean = (values: number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
    expect(mean(margins)).toBeLessThan(mean(others));
    // The order in which they are handed out mixes both.
    expect(tasks.slice(0, 30).some((task) => task.origin === "random")).toBe(true);
  });

  it("gives each person tasks of their own, hides answers where they would measure, and asks nobody twice", async () => {
    const ann = await claim("ann");
    const bob = await claim("bob");
    expect(ann.tasks).toHaveLength(6);
    const held = new Set(ann.tasks.map(({ id }) => id));
    for (const { id } of bob.tasks.filter((one) => held.has(one.id)))
      expect(await place.test.store.labeling.task(id)).toMatchObject({ needed: 2 });
    expect(ann.choices).toEqual([false, true]);
    expect(ann.progress).toMatchObject({ open: 60, done: 0, mine: 0 });
    const all = (await ask<{ items: LabelingTask[] }>("GET", "tasks?limit=500")).body.items;
    for (const view of [...ann.tasks, ...bob.tasks]) {
      expect(view).not.toHaveProperty("origin");
      expect(view).not.toHaveProperty("answer");
      const task = all.find(({ id }) => id === view.id);
      const isShown = task?.origin === "strategy" && task.version !== undefined;
      expect(view.suggestion !== undefined).toBe(isShown);
    }
    expect((await claim("ann")).tasks).toEqual(ann.tasks);
  });

  it("turns answers into expert labels that reach the log before they are acknowledged", async () => {
    const before = await place.test.store.log.counts("purchases", {});
    const session = await claim("ann");
    const [first, second, third] = session.tasks;
    const answered = await post(`tasks/${first?.id}/answer`, {
      as: "ann",
      value: truth.get(first?.exampleId ?? ""),
      comment: "sure",
      durationMs: 900,
    });
    expect(answered.status).toBe(200);
    // Why it was asked would give gold questions away.
    expect(answered.body).toHaveProperty("annotation.labeler", "ann");
    expect(answered.body).not.toHaveProperty("annotation.origin");
    const after = await place.test.store.log.counts("purchases", {});
    const task = await place.test.store.labeling.task(first?.id ?? "");
    expect(after.events.label - before.events.label).toBe(task?.state === "done" ? 1 : 0);
    const history = await ask("GET", `examples/${first?.exampleId}/labels`);
    if (task?.state === "done") {
      expect(history.body).toMatchObject({
        effective: { source: "expert", value: truth.get(first?.exampleId ?? "") },
        statements: [{ isEffective: true, comment: "sure", selective: task.origin !== "random" }],
      });
    }
    expect((await post(`tasks/${second?.id}/answer`, { as: "ann", kind: "skip" })).status).toBe(200);
    const flagged = await post<{ state: string }>(`tasks/${third?.id}/answer`, {
      as: "ann",
      kind: "flag",
      comment: "two people in one row",
    });
    expect(flagged.body.state).toBe("adjudicate");
    const { log } = place.test.store;
    const verdict = await answeredOnceCommitted(log, () => post(`tasks/${third?.id}/adjudicate`, { value: true }));
    expect(verdict.body).toMatchObject({ state: "done" });
    const undone = await post<{ task: { id: string } }>("tasks/undo", { as: "ann" });
    expect(undone.body.task.id).toBe(third?.id);
    expect(undone.body).not.toHaveProperty("annotation.origin");
  });

  it("refuses what is no answer, no task, or somebody else's", async () => {
    const { tasks } = await claim("ann");
    const id = tasks[0]?.id ?? "";
    expect((await post(`tasks/${id}/answer`, { as: "ann", value: "maybe" })).body.code).toBe("ROW_INVALID");
    expect((await post(`tasks/${id}/answer`, { as: "ann" })).body).toMatchObject({
      code: "BODY_INVALID",
      detail: "The answer has no `value`.",
    });
    expect((await post(`tasks/${id}/answer`, { as: "zoe", value: true })).body.code).toBe("CONFLICT");
    expect((await post("tasks/none/answer", { value: true })).body.code).toBe("NOT_FOUND");
    expect((await post("tasks/claim", { count: 51 })).body.code).toBe("BODY_INVALID");
    expect((await post("tasks/claim", { as: "\u0000" })).body.code).toBe("BODY_INVALID");
    expect((await post("tasks/gold", { items: [{ exampleId: "nobody", value: true }] })).body.code).toBe("NOT_FOUND");
    expect((await ask("GET", "/api/v1/models/nothing/tasks/stats")).body.code).toBe("MODEL_UNKNOWN");
  });

  it("lets twenty people finish it at once, loses no answer, and measures by the random share alone", async () => {
    await post("tasks/release", { as: "ann" });
    await post("tasks/release", { as: "bob" });
    const gold = { items: [{ exampleId: "1-0", value: true }] };
    expect((await post<{ added: number }>("tasks/gold", gold)).body.added).toBe(1);
    expect((await post<{ added: number }>("tasks/gold", gold)).body.added).toBe(0);
    const seen = new Map<string, Set<string>>();
    let sent = 0;
    await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const as = `person-${i}`;
        for (;;) {
          const { tasks } = await claim(as, 2);
          if (tasks.length === 0) return;
          for (const task of tasks) {
            const people = seen.get(task.id) ?? new Set();
            seen.set(task.id, people.add(as));
            const value = truth.get(task.exampleId) ?? false;
            const { status } = await post(`tasks/${task.id}/answer`, { as, value, durationMs: 500 });
            expect(status).toBe(200);
            sent++;
          }
        }
      }),
    );
    const tasks = (await ask<{ items: LabelingTask[] }>("GET", "tasks?limit=500")).body.items;
    for (const task of tasks) {
      if (task.origin === "gold") continue;
      expect(task.state).toBe("done");
      expect(seen.get(task.id)?.size ?? 1).toBeLessThanOrEqual(task.needed);
    }
    const { body: stats } = await ask<LabelingStats>("GET", "tasks/stats");
    const counted = stats.labelers.filter(({ labeler }) => labeler.startsWith("person-"));
    expect(counted.reduce((sum, { answers }) => sum + answers, 0)).toBe(sent);
    expect(stats.states).toMatchObject({ open: 0, done: 60 });
    const random = tasks.filter((task) => task.origin === "random" && task.version === "v1").length;
    expect(stats.performance[0]).toMatchObject({ version: "v1", metric: "errorRate", labels: random });
    expect(stats.performance[0]?.leftOut).toBeGreaterThan(20);
    expect(stats.advice.stop).toBe(false);
    expect(await place.test.store.labeling.effects(10)).toEqual([]);
    // Only fair labels are realised performance.
    await place.test.loop.advance(place.test.clock.now() + HOUR_MS);
    const { rows } = await place.test.store.folds.counters({
      model: "purchases",
      counter: "performance",
      version: "v1",
    });
    const counts = rows.reduce((sum, row) => sum + Number(row.values["n"] ?? 0n), 0);
    expect(counts).toBe(tasks.filter((task) => task.origin === "random").length);
  });

  it("overrules a person's answers after a dry run, with a record of who did it", async () => {
    const { body: stats } = await ask<LabelingStats>("GET", "tasks/stats");
    const { labeler = "" } = stats.labelers.find((one) => one.labeler.startsWith("person-") && one.answers > 1) ?? {};
    const rule = { labeler, to: true, reason: "read the question the wrong way round" };
    const dry = await post<{ matched: number; changed: number }>("tasks/relabel", rule);
    expect(dry.body.matched).toBeGreaterThan(0);
    expect(dry.body.changed).toBe(0);
    const done = await post<{ matched: number; changed: number }>("tasks/relabel", { ...rule, dryRun: false });
    expect(done.body.matched).toBe(dry.body.matched);
    const again = await post<{ matched: number; changed: number }>("tasks/relabel", { ...rule, dryRun: false });
    expect(again.body.changed).toBe(0);
    const [record] = await place.test.store.settings.auditLog({ limit: 2 });
    expect(record).toMatchObject({ action: "labeling.relabel", details: { labeler } });
  });

  it("trains on the answers and says where labels came from, but never holds out a chosen row", async () => {
    const { body } = await post<{ run: { id: string } }>("runs", { reason: "labels are in" });
    await place.test.engine.wait(body.run.id);
    const run = await place.test.store.runs.get(body.run.id);
    const assess = run?.steps.find(({ step }) => step === "assess");
    expect(assess?.input).toMatch(/expert \(\d+ chosen by score\)/);
    expect(assess?.details?.["labels"]).toMatchObject({ system: 1200, expert: 60 });
    expect(run?.state).not.toBe("failed");
  });

  it("closes a task whose truth arrives from elsewhere", async () => {
    const rows = labelledRows(40, place.test.clock.now(), 78, 1000).map(({ label: _, ...row }) => row);
    await post("predict", { rows });
    await post("tasks/build", { count: 20 });
    const { body } = await ask<{ items: LabelingTask[] }>("GET", "tasks?limit=500&state=open");
    const task = body.items.find(({ origin }) => origin !== "gold");
    await post("labels", { exampleId: task?.exampleId, label: true });
    await place.test.loop.advance(place.test.clock.now() + HOUR_MS);
    expect(await place.test.store.labeling.task(task?.id ?? "")).toMatchObject({
      state: "discarded",
      closedBy: "elsewhere",
    });
  });
});

describe("the care of the queue by the command line", () => {
  it("decides, gives up what has no answer, asks gold questions, overrules, and gives back what is held", async () => {
    const { url: at } = await place.server.listen({ host: "127.0.0.1", port: 0 });
    const tasks = (verb: string, ...words: readonly string[]) =>
      runCommand("tasks", verb, "purchases", ...words, "--url", at);
    const rows = labelledRows(60, place.test.clock.now(), 79, 1000).map(({ label: _, ...row }) => row);
    await post("predict", { rows });
    await post("tasks/build", { count: 30 });
    const { body } = await ask<{ items: LabelingTask[] }>("GET", "tasks?limit=500&state=open");
    const [broken, torn, held] = body.items.filter(({ origin }) => origin !== "gold") as LabelingTask[];
    const given = await tasks("adjudicate", broken?.id as string, "--discard", "--comment", "broken picture");
    expect(given).toMatchObject({ code: 0, stdout: expect.stringContaining("nobody is asked") as string });
    expect(await place.test.store.labeling.task(broken?.id as string)).toMatchObject({
      state: "discarded",
      closedBy: "adjudication",
    });
    const [record] = await place.test.store.settings.auditLog({ limit: 1 });
    expect(record).toMatchObject({ action: "labeling.discard", details: { comment: "broken picture" } });
    expect((await post(`tasks/${broken?.id}/discard`)).body.code).toBe("CONFLICT");
    // Taking one's flag back does not ask anybody about a task that was given up.
    const { tasks: mine } = await claim("flo", 1);
    const id = mine[0]?.id as string;
    expect((await post(`tasks/${id}/answer`, { as: "flo", kind: "flag" })).body).toMatchObject({ state: "adjudicate" });
    expect((await post(`tasks/${id}/discard`)).status).toBe(200);
    expect((await post("tasks/undo", { as: "flo" })).body).toMatchObject({ state: "discarded", task: { id } });
    expect(await place.test.store.labeling.task(id)).toMatchObject({ state: "discarded", closedBy: "adjudication" });
    expect((await claim("flo", 50)).tasks.map((task) => task.id)).not.toContain(id);
    expect((await post("tasks/release", { as: "flo" })).status).toBe(200);
    expect((await tasks("adjudicate", torn?.id as string)).code).toBe(2);
    expect((await tasks("adjudicate", torn?.id as string, "true")).stdout).toContain("the task is done");
    expect((await tasks("gold", held?.exampleId as string, "true")).stdout).toContain("Everybody is asked");
    expect((await tasks("gold", held?.exampleId as string, "true")).stdout).toContain("already");
    expect((await tasks("claim", "--count", "4")).code).toBe(0);
    expect((await tasks("release")).stdout).toMatch(/^[45] tasks given back/);
    const dry = await tasks("relabel", "false", "--labeler", "local", "--value", "true", "--reason", "misread");
    expect(dry.stdout).toMatch(/^[1-9]\d* answers match; nothing is changed/);
    const done = await tasks(
      "relabel",
      "false",
      "--labeler",
      "local",
      "--value",
      "true",
      "--reason",
      "misread",
      "--yes",
    );
    expect(done.stdout).toMatch(/^[1-9]\d* of \d+ answers changed/);
    expect(await place.test.store.labeling.task(torn?.id as string)).toMatchObject({ state: "done", answer: false });
    const { stdout } = await tasks("stats");
    for (const measure of ["Krippendorff's alpha", "Cohen's kappa", "weighted kappa", "Fleiss' kappa"])
      expect(stdout).toContain(measure);
  });
});

describe("tokens of labelers", () => {
  it("answer in their own name only, and see neither origins nor others' tasks", async () => {
    const create = (role: string) => post<{ secret: string }>("/api/v1/tokens", { name: `${role}-one`, role });
    const secret = (await create("labeler")).body.secret;
    const headers = { authorization: `Bearer ${secret}` };
    expect((await ask("POST", "tasks/claim", { as: "ann" }, headers)).status).toBe(403);
    expect((await ask("POST", "tasks/claim", {}, headers)).status).toBe(200);
    expect((await ask("GET", "tasks", undefined, headers)).status).toBe(403);
    expect((await ask("POST", "tasks/build", {}, headers)).status).toBe(403);
    const viewer = (await create("viewer")).body.secret;
    expect((await ask("POST", "tasks/claim", {}, { authorization: `Bearer ${viewer}` })).status).toBe(403);
  });
});
