import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DAY_MS } from "../../src/core/index.ts";
import { answeredOnceCommitted } from "./held-log.ts";
import { labelledRows, openTestServer, START, type TestServer, trainFirstVersion } from "./support.ts";

let open: TestServer;
beforeAll(async () => {
  open = await openTestServer();
  await trainFirstVersion(open);
}, 60_000);
afterAll(async () => open.dispose());

const ROW = { age: 61, balance: 120, job: "nurse" };
const MODEL = "/api/v1/models/purchases";

async function get(url: string) {
  const response = await open.server.app.inject({ method: "GET", url });
  return { status: response.statusCode, body: response.json(), headers: response.headers };
}
async function post(url: string, payload: object | string = {}, headers: Record<string, string> = {}) {
  const response = await open.server.app.inject({ method: "POST", url, payload, headers });
  return { status: response.statusCode, body: response.json(), headers: response.headers };
}

describe("reading", () => {
  it("lists models with their state", async () => {
    const { status, body } = await get("/api/v1/models");
    expect(status).toBe(200);
    expect(body.items).toMatchObject([{ name: "purchases", champion: "v1", task: "binary" }]);
  });

  it("describes a model with its routing and definition", async () => {
    const { body } = await get(MODEL);
    expect(body).toMatchObject({
      summary: { name: "purchases" },
      routing: { champion: "v1" },
      description: { id: "customer", time: "at", labelColumn: "label", labelDelayMs: DAY_MS },
    });
    expect(body.description.features.map(({ name }: { name: string }) => name)).toEqual(["age", "balance", "job"]);
  });

  it("answers a problem naming the nearest model for a misspelled one", async () => {
    const { status, body, headers } = await get("/api/v1/models/purchase");
    expect(status).toBe(404);
    expect(headers["content-type"]).toContain("application/problem+json");
    expect(body).toMatchObject({
      type: "urn:retrain:error:MODEL_UNKNOWN",
      status: 404,
      code: "MODEL_UNKNOWN",
      hint: 'Did you mean "purchases"?',
    });
    expect(body.requestId).toBe(headers["x-request-id"]);
  });

  it("shows the latest cycle step by step", async () => {
    const { body } = await get(`${MODEL}/status`);
    expect(body.run.state).toBe("promoted");
    expect(body.rows.map(({ step }: { step: string }) => step)).toContain("train");
  });

  it("shows performance, and refuses a metric the task does not have", async () => {
    expect((await get(`${MODEL}/performance?metric=logLoss`)).body).toMatchObject({ metric: "logLoss" });
    const unknown = (await get(`${MODEL}/performance?metric=logloss`)).body;
    expect(unknown).toMatchObject({ status: 400, code: "BODY_INVALID", hint: 'Did you mean "logLoss"?' });
    expect((await get(`${MODEL}/performance?from=yesterday`)).body).toMatchObject({
      status: 400,
      code: "BODY_INVALID",
    });
  });

  it("lists runs, one run, its steps, trace and evaluation", async () => {
    const list = await get(`${MODEL}/runs?state=promoted,held`);
    const id = list.body.items[0].id as string;
    expect(list.body.items).toHaveLength(1);
    expect((await get("/api/v1/runs")).body.items[0].id).toBe(id);
    expect((await get(`/api/v1/runs/${id}`)).body).toMatchObject({ id, state: "promoted", version: "v1" });
    expect((await get(`/api/v1/runs/${id}/steps`)).body.steps).toHaveLength(8);
    const trace = await get(`/api/v1/runs/${id}/trace`);
    expect(trace.body.points.length).toBeGreaterThan(1);
    expect((await get(`/api/v1/runs/${id}/trace?afterEpoch=1`)).body.points.length).toBeLessThan(
      trace.body.points.length,
    );
    expect((await get(`/api/v1/runs/${id}/evaluation`)).body.candidate.logLoss).toBeGreaterThan(0);
  });

  it("refuses an unknown run and an unknown state of runs", async () => {
    expect((await get("/api/v1/runs/nobody")).body.code).toBe("RUN_UNKNOWN");
    expect((await get("/api/v1/runs/nobody/evaluation")).status).toBe(404);
    expect((await get(`${MODEL}/runs?state=winning`)).body).toMatchObject({ status: 400, code: "BODY_INVALID" });
  });

  it("lists versions and one version", async () => {
    expect((await get(`${MODEL}/versions`)).body.items).toMatchObject([{ name: "v1", role: "champion" }]);
    expect((await get(`${MODEL}/versions/v1`)).body.name).toBe("v1");
    expect((await get(`${MODEL}/versions/v9`)).body.code).toBe("VERSION_UNKNOWN");
    const importance = (await get(`${MODEL}/versions/v1/importance`)).body;
    expect(importance).toMatchObject({ model: "purchases", version: "v1", trainer: "linear", outputs: ["log-odds"] });
    expect(importance.features[0]).toMatchObject({ feature: "age", coefficients: [{ column: "age" }] });
    expect(importance.features[0].coefficients[0].values[0]).toBeGreaterThan(0.5);
    expect((await get(`${MODEL}/versions/v9/importance`)).body.code).toBe("VERSION_UNKNOWN");
    expect((await get(`${MODEL}/versions/..%2Fv1`)).status).toBeGreaterThanOrEqual(400);
  });

  it("pages through decisions by cursor without a gap or a repeat", async () => {
    const all = (await get("/api/v1/decisions?limit=500")).body.items as { id: string }[];
    expect(all.length).toBeGreaterThan(2);
    const walked: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const page = (await get(`/api/v1/decisions?limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`)).body;
      walked.push(...(page.items as { id: string }[]).map(({ id }) => id));
      cursor = page.nextCursor as string | null;
    }
    expect(walked).toEqual(all.map(({ id }) => id));
    expect((await get("/api/v1/decisions?kind=gate&model=purchases")).body.items[0].kind).toBe("gate");
    expect((await get("/api/v1/decisions?limit=0")).status).toBe(400);
    expect((await get("/api/v1/decisions?limit=999")).body.detail).toContain("1 to 500");
  });

  it("shows the configuration with origins and no secret", async () => {
    const { body } = await get("/api/v1/config");
    expect(body.config.models[0].name).toBe("purchases");
    expect(Object.keys(body.origins).length).toBeGreaterThan(5);
  });

  it("lists sources, alerts, batches and the audit log", async () => {
    expect((await get("/api/v1/sources")).body).toEqual({ items: [] });
    expect((await get("/api/v1/alerts?state=open")).body.items).toEqual([]);
    expect((await get(`${MODEL}/batches`)).body.items[0]).toMatchObject({ rowCount: 1200, acceptedCount: 1200 });
    expect((await get("/api/v1/audit")).status).toBe(200);
  });

  it("answers probes, figures and its own description", async () => {
    expect((await get("/livez")).body).toEqual({ live: true });
    expect(open.server.routes.length).toBeGreaterThan(35);
    const metrics = await open.server.app.inject("/metrics");
    expect(metrics.body).toContain("retrain_queue_depth 0");
    expect(metrics.body).toContain('retrain_rows_total{model="purchases",outcome="accepted"} 1200');
    const api = (await get("/openapi.json")).body;
    expect(api.openapi).toBe("3.1.0");
    const described = Object.keys(api.paths);
    const served = open.server.routes
      .filter(({ url }) => url.startsWith("/api/"))
      .map(({ url }) => url.replaceAll(/:(\w+)/g, "{$1}"));
    expect([...new Set(served)].filter((url) => !described.includes(url))).toEqual([]);
  });

  it("describes the answer of every route by a schema, of which each name is there", async () => {
    const text = (await open.server.app.inject({ url: "/openapi.json" })).body;
    const api = JSON.parse(text) as {
      paths: Record<
        string,
        Record<string, { responses: Record<string, { content: Record<string, { schema: object }> }> }>
      >;
      components: { schemas: Record<string, unknown> };
    };
    const without = Object.entries(api.paths)
      .filter(([path]) => path.startsWith("/api/"))
      .flatMap(([path, operations]) =>
        Object.entries(operations)
          .filter(([, { responses }]) => {
            const schema = responses["2XX"]?.content["application/json"]?.schema ?? {};
            return !["$ref", "type", "anyOf"].some((key) => key in schema);
          })
          .map(([method]) => `${method.toUpperCase()} ${path}`),
      );
    // Events, and a packed or ONNX file: neither is JSON.
    expect(without.toSorted()).toEqual(["GET /api/v1/models/{model}/versions/{version}/export", "GET /api/v1/stream"]);
    const named = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map((match) => match[1] as string);
    expect(named.filter((name) => !(name in api.components.schemas))).toEqual([]);
    expect(new Set(named).size).toBeGreaterThan(100);
  });

  it("answers 404 as a problem for what is not there", async () => {
    expect((await get("/api/v1/nothing")).body).toMatchObject({ status: 404, code: "NOT_FOUND" });
    expect((await get(`${MODEL}?colour=red`)).body).toMatchObject({ status: 400, code: "BODY_INVALID" });
  });
});

describe("predicting", () => {
  it("answers one row with its version, score and prediction id", async () => {
    const { status, body } = await post(`${MODEL}/predict`, ROW);
    expect(status).toBe(200);
    expect(body).toMatchObject({ model: "purchases", version: "v1", logged: true });
    expect(body.score).toBeGreaterThan(0.5);
    expect(body.probabilities.true + body.probabilities.false).toBeCloseTo(1, 12);
    expect(body.predictionId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("answers many rows in their order", async () => {
    const { body } = await post(`${MODEL}/predict`, { rows: [ROW, { ...ROW, age: 22 }] });
    expect(body.predictions).toHaveLength(2);
    expect(body.predictions[0].score).toBeGreaterThan(body.predictions[1].score);
  });

  it("says how the score came about when asked", async () => {
    const { body } = await post(`${MODEL}/predict?trace=1`, { ...ROW, balance: null });
    const balance = body.trace.prepared.find(({ from }: { from: string }) => from === "balance");
    expect(balance).toMatchObject({ raw: null });
    expect(body.trace.decision).toBe(body.decision);
  });

  it("pins a version without logging, and logs nothing when told not to", async () => {
    expect((await post(`${MODEL}/predict?version=v1`, ROW)).body).toMatchObject({ version: "v1", logged: false });
    const unlogged = (await post(`${MODEL}/predict?log=0`, ROW)).body;
    expect(unlogged.logged).toBe(false);
    expect(unlogged.predictionId).toBeUndefined();
    expect((await post(`${MODEL}/predict?version=v7`, ROW)).body.code).toBe("VERSION_UNKNOWN");
  });

  it("refuses a row that breaks the schema, naming the column and the nearest one", async () => {
    const { status, body } = await post(`${MODEL}/predict`, { age: 61, balanse: 1, job: "nurse" });
    expect(status).toBe(422);
    expect(body.code).toBe("ROW_INVALID");
    expect(body.detail).toContain("balance");
    expect((await post(`${MODEL}/predict`, { ...ROW, age: "61" })).status).toBe(422);
  });

  it("refuses bodies and queries it does not know", async () => {
    expect((await post(`${MODEL}/predict?verbose=1`, ROW)).body.code).toBe("BODY_INVALID");
    expect((await post(`${MODEL}/predict?trace=yes`, ROW)).body.code).toBe("BODY_INVALID");
    expect((await post(`${MODEL}/predict`, [ROW])).body.code).toBe("BODY_INVALID");
    expect((await post(`${MODEL}/predict`, "{", { "content-type": "application/json" })).body.code).toBe(
      "BODY_INVALID",
    );
    expect((await post(`${MODEL}/predict`, "a,b", { "content-type": "text/csv" })).body.code).toBe(
      "FORMAT_UNSUPPORTED",
    );
    expect((await post("/api/v1/models/nothing/predict", ROW)).body.code).toBe("MODEL_UNKNOWN");
  });

  it("counts predictions for Prometheus by version", async () => {
    const { body } = await open.server.app.inject("/metrics");
    expect(body).toMatch(/retrain_predictions_total\{model="purchases",version="v1",logged="true"\} \d+/);
    expect(body).toMatch(/retrain_prediction_errors_total\{model="purchases"\} \d+/);
  });
});

describe("writing", () => {
  it("starts a run, joins the one under way, and refuses to cancel one that ended", async () => {
    const started = await post(`${MODEL}/runs`, { reason: "a test", strategy: "warm-start" });
    expect(started).toMatchObject({ status: 202, body: { coalesced: false, run: { cause: { trigger: "manual" } } } });
    await open.test.engine.wait(started.body.run.id);
    expect((await post(`/api/v1/runs/${started.body.run.id}/cancel`)).body.code).toBe("RUN_FINISHED");
    expect((await post(`${MODEL}/runs`, { strategy: "magic" })).body).toMatchObject({
      status: 400,
      code: "BODY_INVALID",
    });
  }, 60_000);

  it("takes labels of one, many, as NDJSON and as CSV", async () => {
    const asked = (
      await post(`${MODEL}/predict`, { rows: labelledRows(4, START, 9).map(({ label: _, ...row }) => row) })
    ).body;
    const [first, second, third, fourth] = asked.predictions as { exampleId: string; predictionId: string }[];
    const one = await post(`${MODEL}/labels`, { exampleId: first?.exampleId, label: true });
    expect(one.body).toMatchObject({ received: 1, accepted: 1, labelled: 1 });
    const many = await post(`${MODEL}/labels`, { labels: [{ predictionId: second?.predictionId, label: false }] });
    expect(many.body.accepted).toBe(1);
    const ndjson = JSON.stringify({ exampleId: third?.exampleId, label: true, source: "expert" });
    expect((await post(`${MODEL}/labels`, ndjson, { "content-type": "application/x-ndjson" })).body.accepted).toBe(1);
    const csv = `customer,label\n${fourth?.exampleId},false\n`;
    expect((await post(`${MODEL}/labels`, csv, { "content-type": "text/csv" })).body).toMatchObject({ accepted: 1 });
    expect((await post(`${MODEL}/labels`, { exampleId: "x", label: "maybe" })).body).toMatchObject({ quarantined: 1 });
  });

  it.each([
    ["rows", "examples", { rows: labelledRows(3, START, 31) }],
    ["labels", "labels", { exampleId: "31-0", label: true }],
    ["predictions", "predict", { rows: [ROW] }],
    ["outcomes", "outcomes", { outcomes: [{ exampleId: "31-0", name: "sale", value: 1 }] }],
  ])("acknowledges %s only once the log has committed them", async (_what, route, body) => {
    const answer = await answeredOnceCommitted(open.test.store.log, () => post(`${MODEL}/${route}`, body));
    expect(answer.status).toBe(200);
  });

  it("stores a keyed delivery once, answers its repeat alike, and refuses another payload under the key", async () => {
    const rows = labelledRows(3, START, 21);
    const key = { "idempotency-key": "delivery-1" };
    const first = await post(`${MODEL}/examples`, { rows }, key);
    const second = await post(`${MODEL}/examples`, { rows }, key);
    expect(second.body).toEqual(first.body);
    const other = await post(`${MODEL}/examples`, { rows: labelledRows(3, START, 22) }, key);
    expect(other).toMatchObject({ status: 422, body: { code: "IDEMPOTENCY_MISMATCH" } });
    // On another route the same word is another key.
    const label = await post(`${MODEL}/labels`, { exampleId: rows[0]?.customer, label: true }, key);
    expect(label).toMatchObject({ status: 200, body: { accepted: 1 } });
    const batches = (await get(`${MODEL}/batches`)).body.items as { id: string }[];
    expect(batches.filter(({ id }) => id === first.body.batchId)).toHaveLength(1);
  });

  it("tells a repeat that arrives while the first is under way to wait", async () => {
    const rows = labelledRows(2000, START, 23);
    const key = { "idempotency-key": "delivery-2" };
    const both = await Promise.all([
      post(`${MODEL}/examples`, { rows }, key),
      post(`${MODEL}/examples`, { rows }, key),
    ]);
    expect(both.map(({ status }) => status).sort((left, right) => left - right)).toEqual([200, 409]);
    expect(both.find(({ status }) => status === 409)?.body.code).toBe("IDEMPOTENCY_IN_FLIGHT");
  });

  it("replays the stored answer of any other keyed POST", async () => {
    const key = { "idempotency-key": "event-1" };
    const first = await post("/api/v1/events", { name: "nobody-waits" }, key);
    const second = await post("/api/v1/events", { name: "nobody-waits" }, key);
    expect(first).toMatchObject({ status: 202, body: { models: [] } });
    expect(second.body).toEqual(first.body);
    expect(second.status).toBe(202);
    expect(second.headers["idempotent-replayed"]).toBe("true");
    expect((await post("/api/v1/events", { name: "else" }, key)).status).toBe(422);
    expect((await post("/api/v1/events", { name: "x" }, { "idempotency-key": "a b" })).body.code).toBe("BODY_INVALID");
  });

  it("raises events in our form and as CloudEvents", async () => {
    expect((await post("/api/v1/events", { name: "catalog-changed" })).body.models).toEqual(["purchases"]);
    const cloud = { specversion: "1.0", id: "1", source: "/shop", type: "catalog-changed", data: { by: "test" } };
    const answer = await post("/api/v1/events", cloud, { "content-type": "application/cloudevents+json" });
    expect(answer).toMatchObject({ status: 202, body: { models: ["purchases"] } });
    // Subjects are whatever the sender deals with; one that is a model's name is for that model.
    const type = "catalog-changed";
    for (const [subject, data] of [
      ["blobs/today.csv", "text"],
      ["purchases", [1]],
    ] as const) {
      const other = await post("/api/v1/events", { ...cloud, subject, data });
      expect(other).toMatchObject({ status: 202, body: { models: ["purchases"] } });
    }
    const head = { "ce-specversion": "1.0", "ce-id": "2", "ce-source": "/shop", "ce-subject": "caf%C3%A9" };
    const binary = await post("/api/v1/events", { any: "data" }, { ...head, "ce-type": type });
    expect(binary).toMatchObject({ status: 202, body: { models: ["purchases"] } });
    const kept = (await open.test.store.settings.get("events:purchases")) as unknown as { details: object }[];
    expect(kept.slice(-3).map(({ details }) => details)).toEqual([
      { data: "text", subject: "blobs/today.csv", cloudEventId: "1", source: "/shop" },
      { data: [1], subject: "purchases", cloudEventId: "1", source: "/shop" },
      { any: "data", subject: "café", cloudEventId: "2", source: "/shop" },
    ]);
    expect((await post("/api/v1/events", {}, head)).status).toBe(400);
    expect((await post("/api/v1/events", { nam: "x" })).body).toMatchObject({
      status: 400,
      hint: 'Did you mean "name"?',
    });
  });

  it("loses none of the events that arrive at once", async () => {
    const before = ((await open.test.store.settings.get("events:purchases")) as unknown[]).length;
    expect(before).toBeLessThan(15);
    await Promise.all([1, 2, 3, 4, 5].map((i) => post("/api/v1/events", { name: "catalog-changed", details: { i } })));
    const after = (await open.test.store.settings.get("events:purchases")) as unknown as { details: { i?: number } }[];
    expect(after.slice(before).map(({ details }) => details.i)).toEqual([1, 2, 3, 4, 5]);
  });

  it("quarantines bad rows, lists them, replays and drops them", async () => {
    const bad = { customer: "q-1", at: START, age: 999, balance: 1, job: "nurse", label: true };
    const sent = await post(`${MODEL}/examples`, bad);
    expect(sent.body).toMatchObject({ received: 1, accepted: 0, quarantined: 1 });
    expect(sent.body.problems[0].reasons[0].message).toContain("age");
    const listed = (await get(`${MODEL}/quarantine?state=waiting`)).body.items;
    expect(listed[0].raw).toContain("q-1");
    for (const way of ["replay", "drop"]) {
      const unknown = await post(`${MODEL}/quarantine/${way}`, { ids: [listed[0].id, listed[0].batchId] });
      expect(unknown.body).toMatchObject({ code: "NOT_FOUND", status: 404 });
      expect(unknown.body.detail).toContain(listed[0].batchId);
    }
    expect((await get(`${MODEL}/quarantine?state=waiting`)).body.items).toEqual(listed);
    const replayed = await post(`${MODEL}/quarantine/replay`, { ids: [listed[0].id] });
    expect(replayed.body.replayed).toBe(0);
    const dropped = await post(`${MODEL}/quarantine/drop`, {});
    expect(dropped.body.dropped).toBeGreaterThan(0);
    expect((await get(`${MODEL}/quarantine?state=waiting`)).body.items).toEqual([]);
  });

  it("promotes by hand, rolls back, and keeps both in the audit log", async () => {
    const versions = (await get(`${MODEL}/versions`)).body.items as { name: string; role: string | null }[];
    const other = versions.find(({ role }) => role === null) ?? versions[0];
    expect((await post(`${MODEL}/versions/${other?.name}/promote`, {})).body.code).toBe("BODY_INVALID");
    const promoted = await post(`${MODEL}/versions/${other?.name}/promote`, { reason: "a test" });
    expect(promoted.body.champion).toBe(other?.name);
    expect((await post(`${MODEL}/predict`, ROW)).body.version).toBe(other?.name);
    const plan = (await get(`${MODEL}/rollback`)).body;
    expect(plan).toMatchObject({ from: other?.name, refusal: null });
    const back = await post(`${MODEL}/rollback`, { reason: "a test" });
    expect(back).toMatchObject({ status: 200, body: { champion: plan.to } });
    expect((await post(`${MODEL}/predict`, ROW)).body.version).toBe(back.body.champion);
    const actions = ((await get("/api/v1/audit")).body.items as { action: string }[]).map(({ action }) => action);
    expect(actions).toEqual(expect.arrayContaining(["promotion", "rollback"]));
  });

  it("reproduces a version bit for bit", async () => {
    const { body } = await post(`${MODEL}/versions/v1/reproduce`);
    expect(body).toMatchObject({ equal: true });
  }, 60_000);

  it("moves the clock of a replay forward, and never back", async () => {
    const to = open.test.clock.now() + 3_600_000;
    expect((await post("/api/v1/replay/advance", { to })).body.now).toBe(to);
    expect((await post("/api/v1/replay/advance", { to: "tomorrow" })).body.code).toBe("BODY_INVALID");
    expect((await post("/api/v1/replay/advance", { to: to - 1 })).body.now).toBe(to);
    expect((await post("/api/v1/replay/speed", { speed: 0 })).body.now).toBe(to);
  });

  it("refuses a body over the limit", async () => {
    const padding = "x".repeat(9 * 1024 * 1024);
    expect(await post(`${MODEL}/predict`, { ...ROW, padding })).toMatchObject({
      status: 413,
      body: { code: "BODY_TOO_LARGE" },
    });
  });
});
