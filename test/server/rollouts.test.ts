// Rollouts over HTTP: what can be read, moved by hand, and by whom.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type RetrainClient } from "../../src/client/index.ts";
import { defineConfig, stage } from "../../src/config/index.ts";
import { DAY_MS, silentLogger, systemClock, type RolloutRecord } from "../../src/core/index.ts";
import { createServer, type Server } from "../../src/server/index.ts";
import type { Page, RolloutDetail, RolloutPlan } from "../../src/server/contract.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { shopModel, teachShop, visitShop } from "./rollout-story.ts";
import { checkAnswers } from "./checked-answers.ts";

const ADMIN = "an-admin-secret-of-more-than-32-characters";
const START = Date.UTC(2026, 0, 1);
const MODELS = [
  shopModel("hands", [stage.canary(0.3, "30d"), stage.full({ watch: "1d" })]),
  shopModel("judged", [
    stage.shadow("12h", { minSamples: 50 }),
    stage.ab({ max: "14d", minSamples: 300, guards: [{ outcome: "complaint", worseWhen: "higher", margin: 0.1 }] }),
    stage.full({ watch: "0s" }),
  ]),
];

let test: TestLoop;
let server: Server;
let admin: RetrainClient;
beforeAll(async () => {
  test = await openTestLoop(defineConfig({ models: MODELS, alerts: [] }), START);
  server = await createServer({
    loop: test.loop,
    systemClock,
    logger: silentLogger,
    replay: true,
    requireTokens: true,
    adminSecret: ADMIN,
  });
  checkAnswers(server);
  const { url } = await server.listen({ host: "127.0.0.1", port: 0 });
  admin = createClient({ url, token: ADMIN });
}, 60_000);
afterAll(async () => {
  await server?.close();
  await test?.dispose();
});

async function ask<T = Record<string, unknown>>(
  method: "GET" | "POST",
  path: string,
  payload?: object,
  token: string | null = ADMIN,
) {
  const answer = await server.app.inject({
    method,
    url: `/api/v1${path}`,
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: answer.statusCode, body: answer.json<T & { code: string; detail: string; hint: string }>() };
}
const change = (action: string, reason = "a test", token = ADMIN) =>
  ask<RolloutRecord>("POST", `/models/hands/rollouts/${action}`, { reason }, token);
const newest = async (model: string) => (await admin.rollouts(model)).items[0] as RolloutRecord;

describe("before there is a rollout", () => {
  it("says so, whatever is asked", async () => {
    expect(await ask<Page<RolloutRecord>>("GET", "/models/hands/rollouts")).toEqual({
      status: 200,
      body: { items: [], nextCursor: null },
    });
    const start = await ask("POST", "/models/hands/rollouts", { version: "v1" });
    expect([start.status, start.body.code]).toEqual([404, "VERSION_UNKNOWN"]);
    const none = await change("pause");
    expect([none.status, none.body.code]).toEqual([404, "ROLLOUT_UNKNOWN"]);
    expect(none.body.hint).toMatch(/Start one/);
    expect((await ask("GET", "/experiments/01234567-0000-7000-8000-000000000000")).body.code).toBe("ROLLOUT_UNKNOWN");
    for (const path of ["/models/nobody/rollouts", "/models/hand/rollouts"]) {
      expect((await ask("GET", path)).body.code).toBe("MODEL_UNKNOWN");
    }
  });
});

describe("an open rollout, moved by people", () => {
  let v2: string;
  beforeAll(async () => {
    expect(await teachShop(admin, "hands", 1, 1)).toBe("v1");
    v2 = await teachShop(admin, "hands", 2, 1);
  }, 60_000);

  it("names the unit among the inputs of the inference protocol, whose requests keep it where it is", async () => {
    const headers = { authorization: `Bearer ${ADMIN}` };
    const described = await server.app.inject({ method: "GET", url: "/v2/models/hands", headers });
    const { inputs } = described.json<{ inputs: readonly { name: string; datatype: string }[] }>();
    expect(inputs.map(({ name, datatype }) => [name, datatype])).toEqual([
      ["x", "FP64"],
      ["z", "FP64"],
      ["customer", "BYTES"],
    ]);
    const units = Array.from({ length: 60 }, (_, i) => `unit-${i}`);
    const variants = async (customers: readonly string[] | undefined) => {
      const shape = [units.length];
      const tensors = inputs.flatMap(({ name, datatype }) => {
        const data: readonly (string | number)[] | undefined = name === "customer" ? customers : units.map(() => 1);
        return data === undefined ? [] : [{ name, datatype, shape, data }];
      });
      const payload = { inputs: tensors, parameters: { log: false } };
      const answer = await server.app.inject({ method: "POST", url: "/v2/models/hands/infer", headers, payload });
      expect(answer.statusCode).toBe(200);
      return answer.json<{ parameters: { variants: string } }>().parameters.variants.split(",");
    };
    const found = await variants(units);
    expect(new Set(found)).toEqual(new Set(["champion", "challenger"]));
    expect(await variants(units.toReversed())).toEqual(found.toReversed());
    expect(await variants(undefined)).toHaveLength(units.length);
  });

  it("is listed and shown with evidence, to viewers too", async () => {
    const { secret } = await admin.createToken({ name: "viewer", role: "viewer" });
    const { body } = await ask<Page<RolloutRecord>>("GET", "/models/hands/rollouts", undefined, secret);
    expect(body.items).toHaveLength(1);
    const [rollout] = body.items;
    expect(rollout).toMatchObject({ state: "open", champion: "v1", challenger: v2, phases: [{ kind: "canary" }] });
    const detail = await ask<RolloutDetail>("GET", `/experiments/${rollout?.id}`, undefined, secret);
    expect(detail.body).toMatchObject({ rollout: { id: rollout?.id }, looks: [], power: null });
    expect(detail.body.evidence).toHaveLength(1);
    expect(detail.body.evidence[0]).toMatchObject({ exposures: { champion: 0, challenger: 0 }, comparison: null });
    const refused = await ask("POST", "/models/hands/rollouts/abort", { reason: "no" }, secret);
    expect([refused.status, refused.body.code]).toEqual([403, "FORBIDDEN"]);
    expect((await ask("GET", "/models/hands/rollouts", undefined, null)).status).toBe(401);
    expect((await newest("hands")).state).toBe("open");
  });

  it("says what it cannot plan, and why", async () => {
    const { body } = await ask<RolloutPlan>("GET", "/models/hands/rollouts/plan");
    expect(body).toMatchObject({ champion: "v1", power: null, reason: expect.stringContaining("No stage is an A/B") });
    expect((await ask("GET", "/models/nobody/rollouts/plan")).body.code).toBe("MODEL_UNKNOWN");
  });

  it("wants a reason, an action there is, and the version of the form", async () => {
    expect((await ask("POST", "/models/hands/rollouts/pause", {})).body.code).toBe("BODY_INVALID");
    expect((await change("pause", "")).body.code).toBe("BODY_INVALID");
    expect((await change("pause", "x".repeat(501))).body.code).toBe("BODY_INVALID");
    const unknown = await change("destroy");
    expect([unknown.status, unknown.body.code]).toEqual([400, "BODY_INVALID"]);
    expect((await ask("POST", "/models/hands/rollouts", { version: "2" })).body.code).toBe("BODY_INVALID");
    expect((await ask("POST", "/models/hands/rollouts", { version: "v2", force: true })).body.code).toBe(
      "BODY_INVALID",
    );
    expect((await ask("POST", "/models/hands/rollouts", { version: "v2", replay: "long" })).body.code).toBe(
      "DURATION_INVALID",
    );
    expect((await ask("POST", "/models/hands/rollouts", { version: "v2", replay: "7d" })).body.detail).toMatch(
      /first stage of hands is canary/,
    );
    expect((await newest("hands")).revision).toBe(1);
  });

  it("routes requests of the inference protocol without a version, and leaves pinned ones out of it", async () => {
    const customers = Array.from({ length: 60 }, (_, i) => `oip-${i}`);
    const inputs = [
      { name: "x", datatype: "FP64", shape: [60], data: customers.map(() => 1) },
      { name: "z", datatype: "FP64", shape: [60], data: customers.map(() => 0.5) },
      { name: "customer", datatype: "BYTES", shape: [60], data: customers },
    ];
    const infer = async (path: string, headers: Record<string, string> = {}) => {
      const answer = await server.app.inject({
        method: "POST",
        url: `/v2/models/hands${path}/infer`,
        headers: { authorization: `Bearer ${ADMIN}`, ...headers },
        payload: { inputs },
      });
      type Outputs = readonly { readonly name: string; readonly data: readonly unknown[] }[];
      const body = answer.json<{ model_version: string; parameters: Record<string, string>; outputs: Outputs }>();
      return { ...body, ids: (body.outputs.find(({ name }) => name === "prediction_id")?.data ?? []) as string[] };
    };
    const routed = await infer("");
    const variants = routed.parameters["variants"]?.split(",");
    const versions = routed.parameters["versions"]?.split(",");
    expect(new Set(variants)).toEqual(new Set(["champion", "challenger"]));
    expect(versions).toEqual(variants?.map((variant) => (variant === "champion" ? "v1" : v2)));
    const plain = await ask<{ predictions: readonly { variant: string }[] }>("POST", "/models/hands/predict", {
      rows: customers.map((customer) => ({ x: 1, z: 0.5, customer })),
    });
    expect(plain.body.predictions.map(({ variant }) => variant)).toEqual(variants);
    const logged = await test.store.log.findPredictions("hands", { predictionIds: routed.ids });
    const byId = new Map(logged.map((one) => [one.predictionId, one]));
    expect(routed.ids.map((id) => byId.get(id)?.version)).toEqual(versions);
    expect(routed.ids.map((id) => byId.get(id)?.variant)).toEqual(variants);
    for (const [path, version] of [
      ["/versions/v1", "v1"],
      [`/versions/${v2.slice(1)}`, v2],
    ] as const) {
      const pinned = await infer(path);
      expect([pinned.model_version, pinned.parameters["variants"]]).toEqual([version, undefined]);
    }
    const forced = await infer("", { "x-retrain-variant": "challenger" });
    expect([forced.model_version, forced.parameters["variants"]]).toEqual([v2, undefined]);
  });

  it("is paused and resumed by an operator, who is named in the audit log, and refuses what does not fit its state", async () => {
    const { secret } = await admin.createToken({ name: "olivia", role: "operator" });
    const paused = await change("pause", "a holiday", secret);
    expect(paused.body).toMatchObject({ state: "paused", verdict: "Paused by token:olivia: a holiday" });
    const again = await change("pause", "again", secret);
    expect([again.status, again.body.code]).toEqual([409, "ROLLOUT_CONFLICT"]);
    expect(again.body.detail).toContain("is paused");
    const second = await ask("POST", "/models/hands/rollouts", { version: "v1" });
    expect(second.body).toMatchObject({ code: "ROLLOUT_CONFLICT" });
    expect((await change("resume", "back", secret)).body).toMatchObject({ state: "open" });
    expect((await change("resume", "back", secret)).body.code).toBe("ROLLOUT_CONFLICT");
    const { items } = await admin.audit({ limit: 5 });
    expect(items.slice(0, 2)).toMatchObject([
      { actor: "token:olivia", action: "rollout.resume", details: { reason: "back" } },
      { actor: "token:olivia", action: "rollout.pause", details: { reason: "a holiday" } },
    ]);
  });

  it("is aborted, started again, rolled back, started again and promoted, and rolled back from its watch", async () => {
    expect((await change("abort", "no need")).body).toMatchObject({ state: "aborted" });
    expect((await change("abort", "no need")).body.code).toBe("ROLLOUT_UNKNOWN");
    const started = await ask("POST", "/models/hands/rollouts", { version: v2 });
    expect([started.status, started.body]).toMatchObject([200, { champion: "v1", challenger: v2, stage: "canary" }]);
    expect((await change("rollback", "a feeling")).body).toMatchObject({ state: "rolled-back" });
    expect((await ask("POST", "/models/hands/rollouts", { version: "v1" })).body.detail).toContain("champion");
    await admin.startRollout("hands", v2);
    expect((await change("promote", "sure")).body).toMatchObject({ state: "watching" });
    expect((await admin.model("hands")).routing).toMatchObject({ champion: v2, challenger: null });
    expect((await change("promote", "sure")).body.hint).toMatch(/roll it back/);
    expect((await change("abort", "sure")).body.hint).toMatch(/rollback/);
    expect((await change("pause", "sure")).body.code).toBe("ROLLOUT_CONFLICT");
    expect((await change("rollback", "nonsense")).body).toMatchObject({ state: "rolled-back" });
    expect((await admin.model("hands")).routing.champion).toBe("v1");
    const states = (await admin.rollouts("hands")).items.map(({ state }) => state);
    expect(states).toEqual(["rolled-back", "rolled-back", "aborted"]);
  });

  it("is listed page by page", async () => {
    const first = await admin.rollouts("hands", { limit: 2 });
    expect(first.items).toHaveLength(2);
    const rest = await admin.rollouts("hands", { limit: 2, cursor: first.nextCursor as string });
    expect([rest.items.length, rest.nextCursor]).toEqual([1, null]);
    expect((await ask("GET", "/models/hands/rollouts?limit=501")).body.code).toBe("BODY_INVALID");
  });
});

describe("an experiment", () => {
  it("shows the comparison with its sequence, split, guardrails and plan, and ends by itself", async () => {
    await teachShop(admin, "judged", 11, -1);
    await visitShop(admin, "judged", { seed: 10, side: 1, steps: 2, perStep: 60 });
    // Planned before anybody is exposed: rows and days by the champion's own performance.
    const { body: plan } = await ask<RolloutPlan>("GET", "/models/judged/rollouts/plan");
    expect(plan).toMatchObject({ champion: "v1", stages: [{ kind: "shadow" }, { kind: "ab" }, { kind: "full" }] });
    expect(plan.power).toMatchObject({ effect: 0.02, rowsPerDay: expect.any(Number) });
    expect(plan.power?.rows).toBeGreaterThan(1000);
    const days = (plan.power?.rows ?? 0) / (plan.power?.rowsPerDay ?? 0);
    expect(plan.power?.expectedMs).toBeCloseTo(days * DAY_MS + plan.labelDelayMs, -3);
    const v2 = await teachShop(admin, "judged", 12, 1);
    const { id } = await newest("judged");
    await visitShop(admin, "judged", { seed: 13, side: 1, steps: 4, perStep: 60 });
    let detail = await admin.experiment(id);
    expect(detail.rollout.phases.map(({ kind }) => kind)).toEqual(["shadow", "ab"]);
    expect(detail.evidence[0]?.comparison).toMatchObject({ design: "paired", metric: "logLoss" });
    expect(detail.power).toMatchObject({ effect: 0.02 });
    expect(detail.power?.rows).toBeGreaterThan(1000);
    const reason = await admin.outcomes("judged", [{ exampleId: "13000-1", name: "complaint", value: 1 }]);
    expect(reason).toEqual({ accepted: 1 });
    await visitShop(admin, "judged", { seed: 14, side: 1, steps: 1, perStep: 150, everyMs: DAY_MS / 4 });
    detail = await admin.experiment(id);
    const evidence = detail.evidence[1];
    expect(evidence?.sampleRatio).toMatchObject({ expectedShare: 0.5, mismatch: false });
    expect((evidence?.exposures.champion ?? 0) + (evidence?.exposures.challenger ?? 0)).toBeGreaterThan(150);
    expect(evidence?.guardrails.map(({ guardrail }) => guardrail)).toEqual(
      expect.arrayContaining(["failures", "constant output", "outcome complaint", "quality (logLoss)"]),
    );
    const looks = detail.looks.filter(({ phase }) => phase === 1);
    expect(looks.length).toBeGreaterThan(0);
    expect(looks.at(-1)).toMatchObject({ rollout: id, interval: [expect.any(Number), expect.any(Number)] });
    await visitShop(admin, "judged", { seed: 15, side: 1, steps: 3, perStep: 320 });
    expect(await newest("judged")).toMatchObject({ id, state: "promoted", challenger: v2 });
    const decisions = await admin.decisions({ model: "judged", kind: "rollout" });
    expect(decisions.items.every(({ reason: why }) => why.length > 0)).toBe(true);
  }, 60_000);

  it("takes outcomes that name one thing, and refuses others", async () => {
    const send = (outcome: object) => ask("POST", "/models/judged/outcomes", { outcomes: [outcome] });
    for (const outcome of [
      { name: "complaint", value: 1 },
      { name: "complaint", value: 1, exampleId: "a", predictionId: "b" },
      { name: "", value: 1, exampleId: "a" },
      { name: "complaint", value: "1 or so", exampleId: "a" },
      { name: "complaint", exampleId: "a" },
    ]) {
      expect([outcome, (await send(outcome)).body.code]).toEqual([outcome, "BODY_INVALID"]);
    }
    expect((await ask("POST", "/models/judged/outcomes", { outcomes: [] })).body.code).toBe("BODY_INVALID");
    const { secret } = await admin.createToken({ name: "viewer", role: "viewer" });
    const refused = await ask("POST", "/models/judged/outcomes", { outcomes: [] }, secret);
    expect(refused.body.code).toBe("FORBIDDEN");
    // Who may say what was true may say what followed.
    const told = { outcomes: [{ name: "complaint", value: 1, exampleId: "a" }] };
    const labels = await admin.createToken({ name: "labels", role: "labeler", scopes: ["label"] });
    expect((await ask("POST", "/models/judged/outcomes", told, labels.secret)).body).toEqual({ accepted: 1 });
    const asks = await admin.createToken({ name: "asks", role: "labeler", scopes: ["predict"] });
    expect((await ask("POST", "/models/judged/outcomes", told, asks.secret)).status).toBe(403);
  });
});
