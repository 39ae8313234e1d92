import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, gate, linear, when } from "../../src/config/index.ts";
import { createRandom, HOUR_MS, type RunRecord } from "../../src/core/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

const START = Date.UTC(2026, 0, 1);
const base = {
  task: "binary",
  id: "customer",
  features: { x: f.number(), job: f.category(), lucky: f.number() },
  label: f.boolean(),
  trainer: linear({ epochs: 5 }),
  data: { minRows: 300 },
  retrain: { when: when.manual(), cooldown: "0s" },
} as const;
const everything = defineModel({
  ...base,
  name: "everything",
  gates: [
    gate.betterThanBaseline("logLoss"),
    gate.noWorseThanChampion("rocAuc"),
    gate.slices(["job"]),
    gate.slices(),
    gate.calibration({ max: 0.3 }),
    gate.latency("1ms"),
    gate.size({ maxMiB: 1 }),
    gate.probes({
      golden: [{ row: { x: 3, job: "nurse", lucky: 0 }, decision: true, min: 0.8 }],
      invariances: [{ feature: "lucky", values: [0, 1], maxChange: 0.2 }],
      directions: [{ feature: "x", add: 1, expect: "up" }],
    }),
    gate.custom("enough rows", ({ rows }) => ({ outcome: rows > 100 ? "yes" : "no", reason: `It saw ${rows} rows.` })),
  ],
});
const wrongWay = defineModel({
  ...base,
  name: "wrong-way",
  gates: [gate.probes({ directions: [{ feature: "x", add: 1, expect: "down" }] })],
});
const thrower = defineModel({
  ...base,
  name: "thrower",
  gates: [
    gate.custom("fails", () => {
      throw new Error("the service is away");
    }),
  ],
});
const approved = defineModel({
  ...base,
  name: "approved",
  gates: [gate.betterThanBaseline("logLoss"), gate.approval({ role: "operator", people: 2, validFor: "2d" })],
});
const looked = defineModel({ ...base, name: "looked", gates: [gate.atLeast("rocAuc", 0.999)] });

function rows(count: number, seed: number) {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const x = random.nextFloat() * 4 - 2;
    const job = ["clerk", "nurse", "farmer"][random.nextInt(3)] as string;
    const label = random.nextFloat() < 1 / (1 + Math.exp(-3 * x));
    return { rowNumber: i + 1, row: { customer: `${seed}-${i}`, x, job, lucky: random.nextFloat(), label } };
  });
}

describe("gates in a run", () => {
  let test: TestLoop;
  beforeAll(async () => {
    test = await openTestLoop(
      defineConfig({ models: [everything, wrongWay, thrower, approved, looked], alerts: [] }),
      START,
    );
  }, 60_000);
  afterAll(async () => test?.dispose());

  async function run(model: string, count = 800, seed = 1): Promise<RunRecord> {
    await test.loop.advance(test.clock.now() + 60_000);
    await test.loop.ingest({ model, form: "observation", origin: "test", rows: rows(count, seed) });
    const { run: started } = await test.loop.requestRun(model, { reason: "test", actor: "test" });
    await test.engine.wait(started.id);
    return (await test.store.runs.get(started.id)) as RunRecord;
  }
  const outcomes = (record: RunRecord) => record.gate?.checks.map((one) => `${one.gate}: ${one.outcome}`);

  it("of every kind judge one candidate, and say with what evidence", async () => {
    const first = await run("everything");
    expect(first.gate?.reason).not.toBe("");
    expect(first.state).toBe("promoted");
    const second = await run("everything", 600, 2);
    expect(outcomes(second)).toEqual([
      "betterThanBaseline(logLoss): yes",
      "noWorseThanChampion(rocAuc): yes",
      "slices(job; logLoss): yes",
      "slices(automatic; logLoss): yes",
      "calibration(0.3): yes",
      "latency(1 ms): yes",
      "size(1 MiB): yes",
      "probes: yes",
      "custom(enough rows): yes",
    ]);
    expect(second.gate?.checks.find((one) => one.gate.startsWith("latency"))).toMatchObject({ notMeasured: true });
    const report = await test.loop.evaluation(second.id);
    expect(report?.differences.map(({ metric, method }) => [metric, method])).toContainEqual(["rocAuc", "DeLong"]);
    expect(report?.sliceDifferences?.[0]?.differences.map(({ slice }) => slice).toSorted()).toEqual([
      "job=clerk",
      "job=farmer",
      "job=nurse",
    ]);
    expect(report?.sliceDifferences?.[1]?.differences.length).toBeGreaterThan(10);
    expect(report?.latency?.p99UpperUs).toBeGreaterThan(0);
    expect(report?.sizeBytes).toBeGreaterThan(500);
    expect(report?.confusion?.candidate.flat().reduce((sum, one) => sum + one, 0)).toBe(report?.rows);
    expect(report?.looks).toEqual({ look: 1, alpha: 0.05, seenShare: 0 });
    const decisions = await test.store.decisions.list({ runId: second.id, kind: "gate", limit: 20 });
    expect(decisions.find(({ subject }) => subject === "size(1 MiB)")?.rule).toBe(
      "The artifact has at most 1,048,576 bytes.",
    );
    expect(decisions.find(({ subject }) => subject.startsWith("latency"))?.inputs).toMatchObject({
      measured: "not-measured",
    });
  }, 60_000);

  it("are not needed to compare two versions on the rows neither was trained on", async () => {
    const found = await test.loop.compareVersions("everything", { a: "v1", b: "v2" });
    expect(found).toMatchObject({
      a: "v1",
      b: "v2",
      knownToA: 0,
      thresholds: { a: expect.any(Number), b: expect.any(Number) },
    });
    const { report } = found;
    expect(report.differences.map(({ metric }) => metric)).toContain("rocAuc");
    const logLoss = report.differences.find(({ metric }) => metric === "logLoss");
    expect(logLoss?.difference).toBeCloseTo(
      (report.candidate["logLoss"] as number) - (report.champion?.["logLoss"] as number),
      9,
    );
    expect(report.sliceDifferences?.[0]?.differences.length).toBeGreaterThan(5);
    expect(report.championCalibration?.reduce((sum, { count }) => sum + count, 0)).toBe(found.rows);
    expect(report.confusion?.champion?.flat().reduce((sum, one) => sum + one, 0)).toBe(found.rows);
    const { decisions, confusion } = report;
    expect([decisions?.positives, decisions?.negatives]).toEqual(
      confusion?.champion?.map((row) => row.reduce((sum, one) => sum + one, 0)).toReversed(),
    );
    expect(decisions?.candidate.truePositives[0]).toBe(decisions?.positives);
    expect(decisions?.champion?.falsePositives.at(-1)).toBe(0);
    const byAccuracy = await test.loop.compareVersions("everything", { a: "v1", b: "v2", metric: "accuracy" });
    expect(byAccuracy.report.sliceDifferences?.map(({ metric }) => metric)).toEqual(["accuracy"]);
    const turned = await test.loop.compareVersions("everything", { a: "v2", b: "v1" });
    expect(turned.rows).toBe(found.rows);
    expect(turned.report.differences.find(({ metric }) => metric === "logLoss")?.difference).toBeCloseTo(
      -(logLoss?.difference ?? 0),
      9,
    );
    const compare = (a: string, b: string) => test.loop.compareVersions("everything", { a, b });
    await expect(compare("v1", "v1")).rejects.toMatchObject({ code: "BODY_INVALID" });
    await expect(compare("v1", "v9")).rejects.toMatchObject({ code: "VERSION_UNKNOWN" });
  }, 60_000);

  it("refuse a model that behaves the wrong way, and hold one whose custom function fails", async () => {
    const refused = await run("wrong-way");
    expect(refused).toMatchObject({ state: "rejected" });
    expect(refused.gate?.reason).toMatch(/x \+ 1: not up: 0 of 200 \(from .* the score moves by/);
    const held = await run("thrower");
    expect(held).toMatchObject({ state: "held" });
    expect(held.gate?.reason).toMatch(/"fails" failed: the service is away/);
  }, 60_000);

  it("wait for people: enough of them, of the role, in time; the rows are not looked at again", async () => {
    const held = await run("approved");
    expect(held).toMatchObject({ state: "held" });
    expect(held.gate?.reason).toBe("It waits for 2 people of role operator to approve.");
    const word = { model: "approved", version: "v1", verdict: "approve", reason: "fine" } as const;
    const say = async (person: string, role: "labeler" | "operator" | "admin") => {
      const { runId } = await test.loop.approve({ ...word, person, role });
      if (runId !== null) await test.engine.wait(runId);
      return runId === null ? undefined : await test.store.runs.get(runId);
    };
    expect(await say("lee", "labeler")).toMatchObject({ state: "held", cause: { trigger: "held" } });
    expect((await say("ada", "operator"))?.gate?.reason).toMatch(/waits for 1 person/);
    await test.loop.advance(test.clock.now() + 49 * HOUR_MS);
    // Ada's word has expired by now.
    expect(await say("max", "admin")).toMatchObject({ state: "held" });
    const last = await say("ada", "operator");
    expect(last).toMatchObject({ state: "promoted", regate: { version: "v1" } });
    expect(last?.cause.reason).toBe('ada (operator) approved v1: "fine"');
    expect(last?.steps.find(({ step }) => step === "evaluate")?.output).toMatch(/not looked at again/);
    expect((await test.store.registry.champion("approved"))?.name).toBe("v1");
    expect(await test.store.gates.looks("approved", null)).toHaveLength(1);
    await expect(test.loop.approve({ ...word, model: "looked", person: "ada", role: "admin" })).rejects.toMatchObject({
      code: "VERSION_UNKNOWN",
    });
  }, 60_000);

  it("refuse for good when a person says no", async () => {
    await test.loop.ingest({ model: "approved", form: "observation", origin: "test", rows: rows(500, 9) });
    const second = await run("approved", 400, 10);
    expect(second).toMatchObject({ state: "held", version: "v2" });
    const no = {
      model: "approved",
      version: "v2",
      verdict: "refuse",
      person: "ada",
      role: "admin",
      reason: "unfair",
    } as const;
    const { runId } = await test.loop.approve(no);
    await test.engine.wait(runId as string);
    expect((await test.store.runs.get(runId as string))?.gate?.reason).toBe('Refused by ada (admin): "unfair".');
    expect((await test.store.registry.get("approved", "v2"))?.state).toBe("rejected");
  }, 60_000);

  it("count the looks at a holdout that is used again, spend less error at each, and warn", async () => {
    const runs = [await run("looked"), await run("looked", 20, 3), await run("looked", 20, 4)];
    const looks = await Promise.all(runs.map(async ({ id }) => (await test.loop.evaluation(id))?.looks));
    expect(looks.map((one) => [one?.look, one?.alpha])).toEqual([
      [1, 0.05],
      [2, 0.05 / 6],
      [3, 0.05 / 12],
    ]);
    expect(runs[1]?.gate?.warnings).toBeUndefined();
    expect(runs[2]?.gate?.warnings?.[0]).toMatch(/look 3 at held-out rows of which 9\d % have served before/);
    const interval = (record: RunRecord | undefined) => record?.gate?.checks[0]?.interval as readonly [number, number];
    const width = ([low, high]: readonly [number, number]) => high - low;
    expect(width(interval(runs[2])) / width(interval(runs[0]))).toBeGreaterThan(1.3);
    const fresh = await run("looked", 5_000, 5);
    expect((await test.loop.evaluation(fresh.id))?.looks).toMatchObject({ look: 1, alpha: 0.05 });
  }, 60_000);
});
