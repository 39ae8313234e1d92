// A team that labels in Label Studio: files both ways, and the API of its ML backend. Payloads have the shape of its documentation
// ("Label Studio task format", "Webhook event format reference") and of what its connector sends.
import type { InjectOptions } from "fastify";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { StudioTask } from "../../src/server/contract.ts";
import { runCommand } from "../cli/support.ts";
import { labelledRows, openTestServer, type TestServer, trainFirstVersion } from "./support.ts";

const BASE = "/api/v1/models/purchases";
const BACKEND = "/label-studio/purchases";
const CONFIG = `<View><Text name="text" value="$text"/><Choices name="bought" toName="text" choice="single">
  <Choice value="Yes"/><Choice value="No"/></Choices></View>`;
let place: TestServer;

async function ask<T>(method: "GET" | "POST", url: string, payload?: unknown, headers: Record<string, string> = {}) {
  const request: InjectOptions = { method, url, headers };
  if (payload !== undefined) request.payload = payload as object;
  const answer = await place.server.app.inject(request);
  return { status: answer.statusCode, body: answer.json<T & { code: string; detail: string; hint: string }>() };
}
const labelsOf = async (exampleId: string) => place.test.store.log.findLabels("purchases", { exampleIds: [exampleId] });
const annotation = (choice: string, more: object = {}) => ({
  id: 17,
  result: [
    {
      value: { choices: [choice] },
      id: "WArqkkifYE",
      from_name: "bought",
      to_name: "text",
      type: "choices",
      origin: "manual",
    },
  ],
  was_cancelled: false,
  ground_truth: false,
  created_at: "2026-01-04T13:52:48.536303Z",
  updated_at: "2026-01-04T13:52:48.536370Z",
  lead_time: 37.13,
  prediction: {},
  result_count: 0,
  task: 19,
  completed_by: 1,
  ...more,
});
const PROJECT = { id: 2, title: "New Project #2", label_config: CONFIG, min_annotations_to_start_training: 10 };

beforeAll(async () => {
  place = await openTestServer();
  await trainFirstVersion(place);
  const rows = labelledRows(60, place.test.clock.now(), 51).map(({ label: _, ...row }) => row);
  expect((await ask("POST", `${BASE}/predict`, { rows })).status).toBe(200);
  expect((await ask("POST", `${BASE}/tasks/build`, { count: 20 })).status).toBe(200);
}, 60_000);
afterAll(() => place?.dispose());

describe("files", () => {
  it("go out, are answered, and come back as expert labels, once however often they are imported", async () => {
    const { body: tasks } = await ask<StudioTask[]>("GET", `${BASE}/tasks/label-studio`);
    expect(tasks).toHaveLength(20);
    for (const task of tasks as StudioTask[]) {
      const own = await place.test.store.labeling.task(task.data["retrain_task"] as string);
      expect(task.data["row"]).toEqual(own?.features);
      expect(task.predictions).toHaveLength(own?.origin === "random" ? 0 : 1);
    }
    const answered = (tasks as StudioTask[]).map((task, i) => ({
      id: 100 + i,
      ...task,
      annotations: i === 0 ? [annotation("Yes", { was_cancelled: true })] : [annotation(i % 2 === 0 ? "Yes" : "No")],
    }));
    const first = await ask("POST", `${BASE}/tasks/label-studio`, answered);
    expect(first.body).toEqual({ tasks: 20, labels: 19, skipped: 1, refusedCount: 0, refused: [] });
    const exampleId = answered[1]?.data["retrain_example"] as string;
    expect(await labelsOf(exampleId)).toMatchObject([{ value: false, labelSource: "expert" }]);
    const said = await place.test.store.labeling.annotations({ model: "purchases", limit: 100 });
    expect(said).toHaveLength(19);
    expect(said[0]).toMatchObject({ labeler: "label-studio:1", kind: "adjudication", durationMs: 37_130 });
    const { body: audited } = await ask<{ items: unknown[] }>("GET", "/api/v1/audit?action=labeling.import");
    expect(audited.items).toMatchObject([{ subject: "purchases", details: { tasks: 20, labels: 19 } }]);
    const again = await ask("POST", `${BASE}/tasks/label-studio`, answered);
    expect(again.body).toMatchObject({ labels: 19 });
    expect(await labelsOf(exampleId)).toHaveLength(1);
    const { body: done } = await ask<StudioTask[]>("GET", `${BASE}/tasks/label-studio?state=done`);
    expect((done as StudioTask[])[0]?.annotations?.[0]?.result[0]?.type).toBe("choices");
  });

  it("of a project of the team's own bring rows and labels, and say what they cannot take", async () => {
    const row = { age: 61, balance: 10, job: "nurse" };
    const tasks = [
      { id: 1, data: { text: "a", customer: "ls-1", ...row }, annotations: [annotation("Yes")] },
      {
        id: 2,
        data: { text: "b", ...row },
        annotations: [annotation("No", { completed_by: { id: 1, email: "ada@example.com" } })],
      },
      { id: 3, data: { text: "c", customer: "ls-3", ...row }, annotations: [annotation("Yes"), annotation("No")] },
      {
        id: 4,
        data: { text: "d", customer: "ls-4", ...row },
        annotations: [annotation("Yes"), annotation("No", { ground_truth: true })],
      },
      { id: 5, data: { text: "e", customer: "ls-5", age: "old" }, annotations: [annotation("Yes")] },
      { id: 6, data: { text: "f" }, annotations: [annotation("Yes")] },
      { id: 7, data: { text: "g", customer: "ls-7" }, annotations: [annotation("Perhaps")] },
      { id: 8, data: { text: "h", customer: "ls-8", ...row }, annotations: [] },
      "nonsense",
    ];
    const { body } = await ask<{ refused: { task: string; message: string }[] }>(
      "POST",
      `${BASE}/tasks/label-studio`,
      tasks,
    );
    expect(body).toMatchObject({ tasks: 9, labels: 3, skipped: 1, refusedCount: 5 });
    expect(body.refused.map(({ task }) => task)).toEqual(["3", "5", "6", "7", "#9"]);
    expect(body.refused[0]?.message).toMatch(/annotators disagree \(true, false\); mark one as ground truth/);
    expect(body.refused[1]?.message).toMatch(/age/);
    expect(body.refused[2]?.message).toMatch(/names no example: put its id into data\.customer/);
    expect(await labelsOf("ls-1")).toMatchObject([
      { value: true, labelSource: "expert", at: Date.UTC(2026, 0, 4, 13, 52, 48, 536) },
    ]);
    expect(await labelsOf("label-studio::2")).toMatchObject([
      { value: false, comment: "label studio, ada@example.com" },
    ]);
    expect(await labelsOf("ls-4")).toMatchObject([{ value: false }]);
    expect(await place.test.store.log.findObservations("purchases", { exampleIds: ["ls-1"] })).toMatchObject([
      { features: row },
    ]);
    expect((await ask("POST", `${BASE}/tasks/label-studio`, { hello: 1 })).body.code).toBe("BODY_INVALID");
  });
});

describe("the ML backend", () => {
  it("is up, names its versions, and says whether it trains", async () => {
    expect((await ask("GET", `${BACKEND}/health`)).body).toMatchObject({
      status: "UP",
      v2: "true",
      model_version: "v1",
    });
    expect((await ask("GET", BACKEND)).body).toMatchObject({ status: "UP" });
    expect((await ask("GET", `${BACKEND}/versions`)).body).toEqual({ versions: ["v1"] });
    expect((await ask("GET", `${BACKEND}/is_training?project=2`)).body).toEqual({ is_training: false });
    expect((await ask("GET", "/label-studio/nothing/health")).body.code).toBe("MODEL_UNKNOWN");
  });

  it("takes a fitting interface and refuses one whose choices it cannot answer with", async () => {
    const setup = { project: "2.1629208174", schema: CONFIG, hostname: "http://localhost:8080", access_token: "x" };
    expect((await ask("POST", `${BACKEND}/setup`, setup)).body).toEqual({ model_version: "v1" });
    const cats = CONFIG.replace('"Yes"', '"Cat"');
    const refused = await ask("POST", `${BACKEND}/setup`, { ...setup, schema: cats });
    expect(refused.body).toMatchObject({
      code: "BODY_INVALID",
      detail: expect.stringMatching(/no choice for true; it offers Cat, No/),
    });
    expect(refused.body.hint).toMatch(/<Choices name="label" toName="row"/);
    const number = '<View><Text name="t" value="$t"/><Number name="n" toName="t"/></View>';
    expect((await ask("POST", `${BACKEND}/setup`, { ...setup, schema: number })).body.detail).toMatch(
      /no choices to answer a binary/,
    );
  });

  it("predicts each task in the project's own words, and leaves one that does not fit without an answer", async () => {
    const before = await place.test.store.log.counts("purchases", {});
    const rows = labelledRows(3, place.test.clock.now(), 52).map(({ label: _, customer: _id, at: _at, ...row }) => row);
    const tasks = [
      ...rows.map((row, i) => ({ id: i, data: { text: "x", ...row }, meta: {}, project: 2, predictions: [] })),
      { id: 9, data: { text: "x", age: "old" } },
    ];
    const body = {
      tasks,
      model_version: "v1",
      project: "2.1629208174",
      label_config: CONFIG,
      params: { context: null },
    };
    const answer = await ask<{ results: { result: object[]; score: number }[]; model_version: string }>(
      "POST",
      `${BACKEND}/predict`,
      body,
    );
    expect(answer.body.model_version).toBe("v1");
    const direct = await ask<{ predictions: { decision: boolean; probabilities: Record<string, number> }[] }>(
      "POST",
      `${BASE}/predict?log=0`,
      { rows },
    );
    direct.body.predictions.forEach(({ decision, probabilities }, i) => {
      expect(answer.body.results[i]).toEqual({
        model_version: "v1",
        score: Math.max(...Object.values(probabilities)),
        result: [
          { from_name: "bought", to_name: "text", type: "choices", value: { choices: [decision ? "Yes" : "No"] } },
        ],
      });
    });
    expect(answer.body.results[3]).toMatchObject({ result: [], error: expect.stringMatching(/age/) });
    expect((await place.test.store.log.counts("purchases", {})).events).toEqual(before.events);
    expect((await ask("POST", `${BACKEND}/predict`, { project: "2" })).body.code).toBe("BODY_INVALID");
  });

  it("makes labels of annotations as they are created and updated, and ignores what it does not know", async () => {
    const task = { id: 19, data: { text: "x", customer: "hook-1", age: 30, balance: 1, job: "clerk" }, project: 2 };
    const send = (action: string, more: object) =>
      ask("POST", `${BACKEND}/webhook`, { action, project: PROJECT, ...more });
    const created = await send("ANNOTATION_CREATED", { annotation: annotation("Yes"), task });
    expect([created.status, created.body]).toMatchObject([201, { imported: { labels: 1 } }]);
    const updated = annotation("No", { created_at: "2026-01-04T14:00:00Z" });
    await send("ANNOTATION_UPDATED", { annotation: updated, task });
    expect((await labelsOf("hook-1")).map(({ value }) => value)).toEqual([true, false]);
    // Older releases send the number of the task alone: nothing tells what it showed.
    const bare = await send("ANNOTATION_CREATED", { annotation: annotation("Yes") });
    expect(bare.body).toMatchObject({ imported: { labels: 0, refusedCount: 1 } });
    expect((await send("PROJECT_UPDATED", {})).body).toEqual({ action: "PROJECT_UPDATED" });
  });

  it("starts a run when asked to, by training or by the webhook", async () => {
    const task = {
      id: 21,
      data: { customer: "train-1", age: 30, balance: 1, job: "clerk" },
      annotations: [annotation("Yes")],
    };
    const train = {
      annotations: [task],
      project: "2.1629208174",
      label_config: CONFIG,
      params: { login: null, password: null },
    };
    const trained = await ask<{ job: string }>("POST", `${BACKEND}/train`, train);
    expect([trained.status, trained.body]).toMatchObject([201, { imported: { labels: 1 } }]);
    await place.test.engine.wait(trained.body.job);
    const hook = await ask<{ job: string }>("POST", `${BACKEND}/webhook`, {
      action: "START_TRAINING",
      project: PROJECT,
    });
    expect(hook.status).toBe(201);
    await place.test.engine.wait(hook.body.job);
    const runs = await place.test.store.runs.list({ model: "purchases", limit: 3 });
    expect(runs.map(({ id }) => id)).toEqual(expect.arrayContaining([trained.body.job, hook.body.job]));
    const none = await ask("POST", `${BACKEND}/train`, { annotations: [], project: "2" });
    expect(none.body.detail).toBe("No annotations found.");
  });

  it("takes a token as the password of HTTP Basic, which is all Label Studio can send", async () => {
    const payload = { name: "studio", role: "labeler" };
    const { body } = await ask<{ secret: string }>("POST", "/api/v1/tokens", payload);
    const basic = (secret: string) => ({ authorization: `Basic ${Buffer.from(`any:${secret}`).toString("base64")}` });
    expect((await ask("GET", `${BACKEND}/health`, undefined, basic(body.secret))).status).toBe(200);
    expect((await ask("GET", `${BACKEND}/health`, undefined, basic("wrong"))).status).toBe(401);
    expect((await ask("POST", `${BACKEND}/train`, { annotations: [{}] }, basic(body.secret))).status).toBe(403);
    expect((await ask("GET", `${BASE}/tasks/stats`, undefined, basic(body.secret))).status).toBe(401);
  });
});

describe("retrain tasks", () => {
  it("writes and reads Label Studio's files, and prints an interface", async () => {
    const { port } = await place.server.listen({ host: "127.0.0.1", port: 0 });
    const url = ["--url", `http://127.0.0.1:${port}`];
    const folder = await mkdtemp(join(tmpdir(), "retrain-"));
    const config = await runCommand("tasks", "studio-config", "purchases", ...url);
    expect(config.stdout).toContain('<Choice value="true"/>');
    expect((await ask("POST", `${BASE}/tasks/build`, { count: 4 })).status).toBe(200);
    const file = join(folder, "out.json");
    const exported = await runCommand("tasks", "export", "purchases", file, ...url);
    expect(exported.stdout).toMatch(/^\d+ tasks in /);
    const tasks = JSON.parse(await readFile(file, "utf8")) as StudioTask[];
    await writeFile(file, JSON.stringify(tasks.map((task) => ({ ...task, annotations: [annotation("Yes")] }))));
    const imported = await runCommand("tasks", "import", "purchases", file, ...url);
    expect(imported.stdout).toBe(`${tasks.length} answers kept, 0 tasks without an answer.\n`);
    await writeFile(file, JSON.stringify([{ data: {}, annotations: [annotation("Yes")] }]));
    const refused = await runCommand("tasks", "import", "purchases", file, ...url);
    expect([refused.code, refused.stdout]).toEqual([1, expect.stringContaining("names no example")]);
    await writeFile(file, "not json");
    expect((await runCommand("tasks", "import", "purchases", file, ...url)).stderr).toContain("is no JSON");
    expect((await runCommand("tasks", "import", "purchases", file, "--format", "xml", ...url)).code).toBe(2);
  });
});
