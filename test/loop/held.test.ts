import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { defineConfig, defineModel, f, gate, linear, when } from "../../src/config/index.ts";
import { createRandom, DAY_MS, HOUR_MS } from "../../src/core/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

const START = Date.UTC(2026, 0, 1);

function model(name: string, timed: boolean) {
  return defineModel({
    name,
    task: "binary",
    id: "customer",
    ...(timed ? { time: "at" as const } : {}),
    features: { x: f.number() },
    label: f.boolean(),
    threshold: 0.5,
    trainer: linear({ epochs: 5 }),
    data: { minRows: 400 },
    retrain: { when: when.manual() },
    // True accuracy is about 0.80: 200 rows cannot certify 0.78, 2,000 can.
    gates: [gate.atLeast("accuracy", 0.78)],
  });
}

/** Labels follow x but for a tenth of them, plus what the noise near zero costs. */
function rows(count: number, from: number, seed: number, flipped = 0.1) {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const x = random.nextFloat() * 4 - 2;
    const label = random.nextFloat() < 1 / (1 + Math.exp(-3 * x));
    const row = { customer: `${seed}-${i}`, x, label: random.nextFloat() < flipped ? !label : label };
    return { rowNumber: i + 1, row: { ...row, at: from + i * 60_000 } };
  });
}
const untimed = (readings: ReturnType<typeof rows>) =>
  readings.map(({ rowNumber, row: { at: _, ...row } }) => ({ rowNumber, row }));

describe("a held candidate", () => {
  let test: TestLoop;
  beforeAll(async () => {
    test = await openTestLoop(
      defineConfig({
        models: [
          model("timed", true),
          model("timeless", false),
          model("superseded", true),
          model("aged", true),
          model("worse", true),
        ],
        alerts: [],
      }),
      START,
    );
  }, 60_000);
  afterAll(async () => test.dispose());

  const send = (name: string, readings: ReturnType<typeof rows>) =>
    test.loop.ingest({
      model: name,
      form: "observation",
      origin: "test",
      rows: name === "timeless" ? untimed(readings) : readings,
    });
  /** A first version that is held on its 200 held-out rows. */
  async function hold(name: string) {
    await send(name, rows(600, START - 20 * DAY_MS, 11));
    const { run } = await test.loop.requestRun(name, { reason: "first", actor: "test" });
    await test.engine.wait(run.id);
    const ended = await test.store.runs.get(run.id);
    expect(ended).toMatchObject({ state: "held", version: "v1" });
    await advance(HOUR_MS);
    return ended;
  }
  const advance = (ms: number) => test.loop.advance(test.clock.now() + ms);
  const decisionsOf = async (name: string, subject: string) =>
    (await test.store.decisions.list({ model: name, limit: 100 })).filter((one) => one.subject === subject);

  it.each(["timed", "timeless"])(
    "is gated again and goes live when the missing rows have arrived (%s)",
    async (name) => {
      const first = await hold(name);
      const wanted = first?.gate?.checks[0]?.rowsNeeded as number;
      const seen = first?.gate?.checks[0]?.rows as number;
      expect(wanted).toBeGreaterThan(seen);
      expect((await advance(6 * HOUR_MS)).runs).toEqual([]);
      const missing = wanted - seen - 1;
      // A row a minute, the last of them an hour ago, however many are wanted.
      await send(name, rows(missing, test.clock.now() - HOUR_MS - missing * 60_000, 4));
      expect((await advance(HOUR_MS)).runs).toEqual([]);
      await send(name, rows(2_000, test.clock.now() - DAY_MS, 5));
      const { runs } = await advance(2 * HOUR_MS);
      expect(runs).toHaveLength(1);
      const run = await test.store.runs.get(runs[0] as string);
      expect(run).toMatchObject({ state: "promoted", version: "v1", cause: { trigger: "held" } });
      expect(run?.steps.filter(({ state }) => state === "skipped").map(({ step }) => step)).toEqual([
        "assess",
        "prepare",
        "train",
      ]);
      expect(run?.gate?.checks[0]?.rows).toBeGreaterThanOrEqual(wanted);
      const version = await test.store.registry.get(name, "v1");
      expect(version).toMatchObject({
        role: "champion",
        runId: first?.id,
        gateRunId: run?.id,
        gate: { outcome: "promote" },
      });
      expect((await decisionsOf(name, "held v1")).map(({ outcome }) => outcome)).toEqual(["yes"]);
      expect(await test.loop.evaluation(run?.id as string)).toMatchObject({ rows: run?.gate?.checks[0]?.rows });
      // Nothing waits any more.
      await send(name, rows(2_000, test.clock.now() - HOUR_MS, 6));
      expect((await advance(2 * HOUR_MS)).runs).toEqual([]);
    },
    60_000,
  );

  it("is refused for good when the rows speak against it", async () => {
    const first = await hold("worse");
    const wanted = Math.max(2_500, first?.gate?.checks[0]?.rowsNeeded ?? 0);
    await send("worse", rows(wanted, test.clock.now() - 6 * DAY_MS, 7, 0.4));
    const { runs } = await advance(2 * HOUR_MS);
    expect(await test.store.runs.get(runs[0] as string)).toMatchObject({ state: "rejected", version: "v1" });
    expect(await test.store.registry.get("worse", "v1")).toMatchObject({ state: "rejected", role: null });
    await send("worse", rows(2_500, test.clock.now() - DAY_MS, 8));
    expect((await advance(2 * HOUR_MS)).runs).toEqual([]);
  }, 60_000);

  it("gives way to a newer version, and does not count as a training", async () => {
    await hold("superseded");
    await test.loop.promote("superseded", "v1", "tester", "known to be good");
    await send("superseded", rows(2_500, test.clock.now() - 2 * DAY_MS, 9));
    expect((await advance(2 * HOUR_MS)).runs).toEqual([]);
    expect((await decisionsOf("superseded", "held v1"))[0]).toMatchObject({
      outcome: "no",
      reason: "v1 is live by now.",
    });
    expect(await test.store.runs.countSince("timed", 0)).toBe(1);
    expect((await test.store.runs.last("timed", { training: true }))?.cause.trigger).toBe("manual");
    expect((await test.store.runs.last("timed"))?.cause.trigger).toBe("held");
  }, 60_000);

  it("is given up after 30 days", async () => {
    await hold("aged");
    expect((await advance(31 * DAY_MS)).runs).toEqual([]);
    expect((await decisionsOf("aged", "held v1"))[0]).toMatchObject({
      outcome: "no",
      reason: expect.stringContaining("for 30 days"),
    });
    await send("aged", rows(2_500, test.clock.now() - 2 * DAY_MS, 10));
    expect((await advance(2 * HOUR_MS)).runs).toEqual([]);
  }, 60_000);
});

describe("a candidate whose champion changed after its gate", () => {
  let test: TestLoop;
  /** Somebody acts while the gate of a run is asked. */
  let meanwhile = async () => {};
  let asked = 0;
  const overtaken = defineModel({
    ...model("overtaken", true),
    gates: [
      gate.custom("meanwhile", async () => {
        asked += 1;
        await meanwhile();
        return { outcome: asked === 1 ? "no" : "yes", reason: `It was asked ${asked} times.` };
      }),
    ],
  });
  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [overtaken], alerts: [] }), START);
    const readings = rows(600, START - 20 * DAY_MS, 11);
    await test.loop.ingest({ model: "overtaken", form: "observation", origin: "test", rows: readings });
  }, 60_000);
  afterAll(async () => test.dispose());

  const promote = async (version: string) => void (await test.loop.promote("overtaken", version, "tester", "by hand"));
  const train = async () => {
    const { run } = await test.loop.requestRun("overtaken", { reason: "another", actor: "tester" });
    await test.engine.wait(run.id);
    meanwhile = async () => {};
    return test.store.runs.get(run.id);
  };
  const champion = async () => (await test.store.registry.champion("overtaken"))?.name;
  /** What the next tick makes of a version that waits. */
  const nextTick = async () => {
    const { runs } = await test.loop.advance(test.clock.now() + HOUR_MS);
    expect(runs).toHaveLength(1);
    return test.store.runs.get(runs[0] as string);
  };

  it("does not take the place of the first version somebody makes live in that instant", async () => {
    expect(await train()).toMatchObject({ state: "rejected", version: "v1" });
    const { registry } = test.store;
    const write = registry.promote.bind(registry);
    const spy = vi.spyOn(registry, "promote").mockImplementationOnce(async (change) => {
      await promote("v1");
      return write(change);
    });
    expect(await train()).toMatchObject({ state: "held", version: "v2" });
    spy.mockRestore();
    expect(await champion()).toBe("v1");
    expect(await nextTick()).toMatchObject({ state: "promoted", version: "v2", champion: "v1" });
  }, 60_000);

  it("is held, and gated again against the champion of now before it goes live", async () => {
    meanwhile = () => promote("v1");
    const run = await train();
    expect(run).toMatchObject({ state: "held", version: "v3", champion: "v2", gate: { outcome: "promote" } });
    expect(run?.steps.at(-1)).toMatchObject({
      step: "rollout",
      state: "stopped",
      output: "v3 was gated against v2, but v1 is champion now. It is gated again.",
    });
    expect(await champion()).toBe("v1");
    const { predictions: _, ...answer } = await test.loop.predict({ model: "overtaken", rows: [{ x: 1 }], log: false });
    expect(answer.version).toBe("v1");
    const again = await nextTick();
    expect(again).toMatchObject({ state: "promoted", version: "v3", champion: "v1", cause: { trigger: "held" } });
    expect(await champion()).toBe("v3");
  }, 60_000);

  it("does not begin a rollout against one who is champion no more", async () => {
    const { rollouts } = test.store;
    const write = rollouts.change.bind(rollouts);
    const spy = vi.spyOn(rollouts, "change");
    // The first change ends the watch of the last promotion; the second begins the rollout.
    spy.mockImplementationOnce(write).mockImplementationOnce(async (change) => {
      expect(change.rollout).toMatchObject({ champion: "v3", challenger: "v4", revision: 1 });
      await promote("v1");
      return write(change);
    });
    expect(await train()).toMatchObject({ state: "held", version: "v4", champion: "v3" });
    spy.mockRestore();
    expect(await champion()).toBe("v1");
    expect(await nextTick()).toMatchObject({ state: "promoted", version: "v4", champion: "v1" });
  }, 60_000);
});
