import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, gate, linear, stage, when } from "../../src/config/index.ts";
import { createRandom, DAY_MS, HOUR_MS, type RolloutRecord } from "../../src/core/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

const START = Date.UTC(2026, 0, 1);

const shop = (name: string, rollout: NonNullable<Parameters<typeof defineModel>[0]["rollout"]>) =>
  defineModel({
    name,
    task: "binary",
    id: "visit",
    time: "at",
    unit: "customer",
    features: { x: f.number(), z: f.number() },
    label: f.boolean(),
    trainer: linear({ epochs: 6 }),
    threshold: 0.5,
    data: { minRows: 400, window: { rows: 2_000 } },
    retrain: { when: when.manual(), cooldown: "0s" },
    gates: [gate.atLeast("accuracy", 0.2)],
    rollout,
  });

/** `side`: what the label follows, 1 or −1. */
function rows(count: number, from: number, seed: number, side: 1 | -1, spacingMs: number) {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const x = random.nextFloat() * 4 - 2;
    const z = random.nextFloat();
    const label = random.nextFloat() < 1 / (1 + Math.exp(-3 * side * x));
    return { visit: `${seed}-${i}`, customer: `c${random.nextInt(700)}`, at: from + i * spacingMs, x, z, label };
  });
}
const readings = (list: readonly Record<string, unknown>[]) => list.map((row, i) => ({ rowNumber: i + 1, row }));

describe("rollouts", () => {
  let test: TestLoop;
  const models = [
    shop("staged", [
      stage.shadow("1d", { minSamples: 100, metric: "accuracy", method: "betting" }),
      stage.canary(0.2, "1d", { minSamples: 20 }),
      stage.ab({ max: "14d", minSamples: 400 }),
      stage.full({ watch: "1d" }),
    ]),
    shop("worse", [stage.ab({ max: "14d", minSamples: 400, metric: "accuracy", method: "bounded" }), stage.full()]),
    shop("watched", [stage.full({ watch: "2d" })]),
    shop("hands", [stage.canary(0.3, "30d"), stage.full({ watch: "0s" })]),
    shop("logged", [stage.shadow("1d", { minSamples: 100 }), stage.full({ watch: "0s" })]),
    shop("forgotten", [stage.canary(0.1, "2d"), stage.full({ watch: "0s" })]),
    shop("idle", [stage.shadow("1d"), stage.canary(0.1, "1d"), stage.full({ watch: "0s" })]),
  ];
  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models, alerts: [] }), START);
  }, 60_000);
  afterAll(async () => test.dispose());

  const teach = async (model: string, seed: number, side: 1 | -1, count = 700) => {
    const list = rows(count, test.clock.now() - 5 * DAY_MS, seed, side, 60_000);
    await test.loop.ingest({ model, form: "observation", origin: "http", rows: readings(list) });
    const { run } = await test.loop.requestRun(model, { reason: "test", actor: "tester" });
    await test.engine.wait(run.id);
    const ended = await test.store.runs.get(run.id);
    expect(ended?.error).toBeUndefined();
    return ended?.version as string;
  };
  /** Asks and labels, a chunk every six hours. @returns the answers */
  const live = async (model: string, seed: number, side: 1 | -1, steps: number, perStep: number) => {
    const answers = [];
    for (let step = 0; step < steps; step++) {
      const list = rows(perStep, test.clock.now(), seed * 1_000 + step, side, 1_000);
      const answer = await test.loop.predict({ model, rows: list.map(({ label: _, ...row }) => row) });
      answers.push(...answer.predictions);
      const labels = list.map((row) => ({ id: row.visit, label: row.label }));
      await test.loop.ingest({ model, form: "label", origin: "http", rows: readings(labels) });
      await test.loop.advance(test.clock.now() + 6 * HOUR_MS);
    }
    return answers;
  };
  const newest = async (model: string) => (await test.store.rollouts.list({ model, limit: 1 }))[0] as RolloutRecord;

  it("moves a better version through shadow, canary and A/B to the top, on evidence", async () => {
    expect(await teach("staged", 1, -1)).toBe("v1");
    expect((await test.store.registry.champion("staged"))?.name).toBe("v1");
    expect(await test.store.rollouts.list({ model: "staged", limit: 5 })).toEqual([]);
    const v2 = await teach("staged", 2, 1);
    let rollout = await newest("staged");
    expect(rollout).toMatchObject({ state: "open", champion: "v1", challenger: v2, phases: [{ kind: "shadow" }] });
    expect(await test.store.registry.get("staged", v2)).toMatchObject({ role: "challenger" });

    const shadowed = await live("staged", 3, 1, 4, 130);
    expect(new Set(shadowed.map((one) => one.version))).toEqual(new Set(["v1"]));
    await live("staged", 7, 1, 1, 1);
    rollout = await newest("staged");
    expect(rollout.phases.map((phase) => phase.kind)).toEqual(["shadow", "canary"]);
    const detail = await test.loop.rollout(rollout.id);
    expect(detail.evidence[0]?.comparison).toMatchObject({
      design: "paired",
      method: "hedged betting",
      verdict: "better",
    });
    expect(detail.evidence[0]?.exposures.mirrored).toBeGreaterThan(400);

    const answers = await live("staged", 4, 1, 5, 100);
    const shares = answers.filter((one) => one.variant === "challenger").length / answers.length;
    expect(shares).toBeGreaterThan(0.05);
    expect(shares).toBeLessThan(0.4);
    rollout = await newest("staged");
    expect(rollout.phases.map((phase) => phase.kind).slice(0, 3)).toEqual(["shadow", "canary", "ab"]);

    await live("staged", 5, 1, 3, 320);
    rollout = await newest("staged");
    expect(rollout.state).toBe("watching");
    expect((await test.store.registry.champion("staged"))?.name).toBe(v2);
    expect(rollout.verdict).toContain("Watching v2 after its promotion.");
    await live("staged", 6, 1, 5, 20);
    rollout = await newest("staged");
    expect(rollout).toMatchObject({ state: "promoted" });
    const decisions = await test.store.decisions.list({ model: "staged", kind: "rollout", limit: 100 });
    expect(decisions.map((one) => one.subject)).toEqual(
      expect.arrayContaining(["start", "advance", "shadow", "ab", "watch"]),
    );
    const promotions = await test.store.decisions.list({ model: "staged", kind: "promotion", limit: 10 });
    expect(promotions[0]).toMatchObject({ outcome: "yes", version: v2 });
  }, 120_000);

  it("rolls a worse challenger back by itself, and says why", async () => {
    await teach("worse", 11, 1);
    const v2 = await teach("worse", 12, -1);
    await live("worse", 13, 1, 3, 320);
    const rollout = await newest("worse");
    expect(rollout.state).toBe("rolled-back");
    expect(rollout.verdict).toMatch(/v2 is worse|Stop/);
    const [evidence] = (await test.loop.rollout(rollout.id)).evidence;
    const { method, interval, difference } = evidence?.comparison ?? {};
    expect(method).toBe("empirical Bernstein");
    expect(interval?.[0]).toBeLessThan(difference as number);
    expect(interval?.[1]).toBeLessThan(0);
    expect((await test.store.registry.champion("worse"))?.name).toBe("v1");
    expect(await test.store.registry.get("worse", v2)).toMatchObject({ role: null, state: "rolled-back" });
    const alerts = await test.store.alerts.list({ model: "worse", limit: 10 });
    expect(alerts.map((alert) => alert.type)).toContain("rollout.rolled-back");
    const answer = await test.loop.predict({ model: "worse", rows: [{ x: 1, z: 0, customer: "c1" }] });
    expect(answer.predictions[0]?.variant).toBeUndefined();
    expect(answer.version).toBe("v1");
  }, 120_000);

  it("watches a promoted version and goes back when it is worse than the one before", async () => {
    await teach("watched", 21, 1);
    await teach("watched", 22, -1);
    expect((await test.store.registry.champion("watched"))?.name).toBe("v2");
    expect((await newest("watched")).state).toBe("watching");
    await live("watched", 23, 1, 2, 400);
    expect((await newest("watched")).state).toBe("rolled-back");
    expect(await test.store.registry.champion("watched")).toMatchObject({ name: "v1", state: "live" });
    expect(await test.store.registry.get("watched", "v2")).toMatchObject({ role: null, state: "rolled-back" });
    expect((await test.loop.predict({ model: "watched", rows: [{ x: 1, z: 0, customer: "c1" }] })).version).toBe("v1");
  }, 120_000);

  it("keeps units where they are, honors the override, and obeys people", async () => {
    await teach("hands", 31, 1);
    const v2 = await teach("hands", 32, 1);
    const ask = (customer: string, variant?: "champion" | "challenger") =>
      test.loop
        .predict({ model: "hands", rows: [{ x: 1, z: 0, customer }], ...(variant === undefined ? {} : { variant }) })
        .then((answer) => answer.predictions[0]);
    const first = await Promise.all(Array.from({ length: 200 }, (_, i) => ask(`u${i}`)));
    const again = await Promise.all(Array.from({ length: 200 }, (_, i) => ask(`u${i}`)));
    expect(again.map((one) => one?.variant)).toEqual(first.map((one) => one?.variant));
    const challengers = first.filter((one) => one?.version === v2).length;
    expect(challengers).toBeGreaterThan(35);
    expect(challengers).toBeLessThan(85);
    expect(await ask("u1", "challenger")).toMatchObject({ version: v2 });
    expect((await ask("u1", "challenger"))?.variant).toBeUndefined();
    // Exposures are counted by the hour, and this one has not ended: what was seen goes up to now.
    const begun = test.clock.now();
    await test.loop.advance(begun + 20 * 60_000);
    await test.loop.tick("hands", test.clock.now());
    const [evidence] = (await test.loop.rollout((await newest("hands")).id)).evidence;
    expect(evidence).toMatchObject({ firstExposureAt: begun, lastExposureAt: test.clock.now() });

    const paused = await test.loop.changeRollout("hands", "pause", "tester", "a holiday");
    expect(paused).toMatchObject({ state: "paused" });
    await expect(test.loop.changeRollout("hands", "pause", "tester", "again")).rejects.toMatchObject({
      code: "ROLLOUT_CONFLICT",
    });
    expect(await test.loop.changeRollout("hands", "resume", "tester", "back")).toMatchObject({ state: "open" });
    await expect(test.loop.startRollout("hands", v2, "tester")).rejects.toMatchObject({ code: "ROLLOUT_CONFLICT" });
    expect(await test.loop.changeRollout("hands", "abort", "tester", "no need")).toMatchObject({ state: "aborted" });
    await expect(test.loop.changeRollout("hands", "promote", "tester", "late")).rejects.toMatchObject({
      code: "ROLLOUT_UNKNOWN",
    });
    await expect(test.loop.rollout("nothing")).rejects.toMatchObject({ code: "ROLLOUT_UNKNOWN" });
    await test.loop.startRollout("hands", v2, "tester");
    expect(await test.loop.changeRollout("hands", "promote", "tester", "sure")).toMatchObject({ state: "promoted" });
    expect((await test.store.registry.champion("hands"))?.name).toBe(v2);
    const audit = (await test.store.settings.auditLog({ limit: 100 })).filter((one) => one.actor === "tester");
    expect(audit.map((one) => one.action)).toEqual(
      expect.arrayContaining(["rollout.pause", "rollout.resume", "rollout.start", "promotion"]),
    );
  }, 120_000);

  it("lets a newer candidate wait, or take the challenger's place when it is better", async () => {
    await test.loop.advance(test.clock.now() + HOUR_MS);
    // Champion v2 of "hands" is right; a rollout of an equal one is open.
    const v3 = await teach("hands", 33, 1);
    expect(await newest("hands")).toMatchObject({ state: "open", challenger: v3 });
    const v4 = await teach("hands", 34, 1, 40);
    expect(await newest("hands")).toMatchObject({ challenger: v3, waiting: { version: v4 } });
    const v5 = await teach("hands", 35, 1, 40);
    expect(await newest("hands")).toMatchObject({ challenger: v3, waiting: { version: v5 } });
    await test.loop.changeRollout("hands", "rollback", "tester", "enough");
    expect(await newest("hands")).toMatchObject({ state: "open", challenger: v5 });
  }, 120_000);

  it("replays logged requests at the entry of a shadow stage, and judges them by the labels they have", async () => {
    await teach("logged", 51, -1);
    const v2 = await teach("logged", 52, 1);
    await test.loop.changeRollout("logged", "abort", "tester", "later");
    await live("logged", 53, 1, 4, 130);
    // Nothing older than asked for is answered.
    await test.loop.startRollout("logged", v2, "tester", { replayMs: 13 * HOUR_MS });
    await test.loop.advance(test.clock.now() + HOUR_MS);
    let rollout = await newest("logged");
    expect(rollout).toMatchObject({ state: "open", phases: [{ kind: "shadow", replayed: 260 }] });
    const [evidence] = (await test.loop.rollout(rollout.id)).evidence;
    expect(evidence?.exposures).toEqual({ champion: 0, challenger: 0, mirrored: 260 });
    expect(evidence?.comparison).toMatchObject({ design: "paired", challengerRows: 260, verdict: "better" });
    await test.loop.advance(test.clock.now() + 2 * DAY_MS);
    rollout = await newest("logged");
    expect(rollout).toMatchObject({ state: "promoted", phases: [{ outcome: "yes" }] });
    const [replay] = (await test.store.decisions.list({ model: "logged", kind: "rollout", limit: 100 })).filter(
      (one) => one.subject === "replay",
    );
    expect(replay?.reason).toBe(
      "Logged requests of the last 13h are answered at once. 260 requests were answered by v2.",
    );
    await expect(test.loop.startRollout("hands", "v1", "tester", { replayMs: DAY_MS })).rejects.toMatchObject({
      code: "ROLLOUT_CONFLICT",
      message: expect.stringMatching(/first stage of hands is canary/),
    });
  }, 60_000);

  it("replaces a stage nobody asks anything in by a replay of what was asked before, and ends it by that", async () => {
    await teach("forgotten", 61, -1);
    const v2 = await teach("forgotten", 62, 1);
    await test.loop.changeRollout("forgotten", "abort", "tester", "later");
    await live("forgotten", 63, 1, 4, 130);
    await test.loop.startRollout("forgotten", v2, "tester");
    await test.loop.advance(test.clock.now() + 23 * HOUR_MS);
    expect(await newest("forgotten")).toMatchObject({ state: "open", phases: [{ kind: "canary" }] });
    await test.loop.advance(test.clock.now() + 2 * HOUR_MS);
    const rollout = await newest("forgotten");
    expect(rollout).toMatchObject({ state: "promoted", phases: [{ outcome: "yes", replayed: 520 }] });
    expect(rollout.phases[0]?.reason).toBe(
      "No request for 24 hours; 520 logged requests were replayed, it is better. Canary at 10 % was replaced by them.",
    );
    const [evidence] = (await test.loop.rollout(rollout.id)).evidence;
    expect(evidence).toMatchObject({ exposures: { champion: 0, challenger: 0, mirrored: 520 }, firstExposureAt: null });
  }, 60_000);

  it("replaces stages nobody asks anything in, with a record", async () => {
    await teach("idle", 41, 1);
    await teach("idle", 42, 1);
    await test.loop.advance(test.clock.now() + 3 * DAY_MS);
    const rollout = await newest("idle");
    expect(rollout.state).toBe("promoted");
    expect(rollout.phases.map((phase) => [phase.kind, phase.outcome, phase.replayed])).toEqual([
      ["shadow", "skipped", 0],
      ["canary", "skipped", 0],
    ]);
  }, 60_000);
});
