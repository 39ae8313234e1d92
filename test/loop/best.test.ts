/** The strategy `best` through the whole loop: several trainings, the choice on validation, the winner gated, registered and reproduced. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { best, defineConfig, defineModel, f, gate, gbdt, linear, when } from "../../src/config/index.ts";
import { type CandidateChoice, createRandom, DAY_MS } from "../../src/core/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

const START = Date.UTC(2026, 0, 1);
const retrain = { when: when.newLabels(100_000), cooldown: "1h", maxPerDay: 50 } as const;
const loans = defineModel({
  name: "loans",
  task: "binary",
  id: "loan",
  time: "at",
  features: { income: f.number(), debt: f.number(), region: f.category() },
  label: f.boolean(),
  trainer: linear({ epochs: 20 }),
  data: { minRows: 300 },
  retrain: { ...retrain, how: best({ of: ["full", "warm-start", { trainer: gbdt({ epochs: 40, maxLeaves: 8 }) }] }) },
  gates: [gate.betterThanBaseline("logLoss"), gate.noWorseThanChampion("logLoss", { margin: 0.05 })],
});
/** A budget that the first candidate has always used up. */
const hasty = defineModel({
  ...loans,
  name: "hasty",
  retrain: { ...retrain, how: best({ of: ["full", { trainer: gbdt({ epochs: 40 }) }], budget: "1ms" }) },
});

/** Income and debt count only where they differ in sign: trees see it, a sum of columns does not. */
function rows(count: number, seed: number, from = START - 20 * DAY_MS) {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const [income, debt] = [random.nextFloat() * 2 - 1, random.nextFloat() * 2 - 1];
    const label = random.nextFloat() < (income > 0 === debt > 0 ? 0.9 : 0.1);
    return { loan: `${seed}-${i}`, at: from + i * 60_000, income, debt, region: `r${random.nextInt(4)}`, label };
  });
}
const readings = (list: readonly Record<string, unknown>[]) => list.map((row, i) => ({ rowNumber: i + 1, row }));

describe("the best of several trainings", () => {
  let test: TestLoop;
  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [loans, hasty] }), START);
    for (const model of ["loans", "hasty"]) await ingest(model, rows(900, 1));
  }, 60_000);
  afterAll(async () => test.dispose());
  const ingest = (model: string, list: ReturnType<typeof rows>) =>
    test.loop.ingest({ model, form: "observation", origin: "http", rows: readings(list) });
  const run = async (model: string) => {
    const started = await test.loop.requestRun(model, { reason: "a test", actor: "somebody" });
    await test.engine.wait(started.run.id);
    return await test.store.runs.get(started.run.id);
  };
  const choiceOf = (ran: Awaited<ReturnType<typeof run>>) =>
    ran?.steps.find(({ step }) => step === "train")?.details?.choice as unknown as CandidateChoice;

  it("chooses by validation, leaves out what has nothing to start from, and keeps traces and costs", async () => {
    const ran = await run("loans");
    expect(ran?.error).toBeUndefined();
    expect(ran).toMatchObject({ state: "promoted", strategy: "best", version: "v1" });
    const { metric, rows: judged, candidates } = choiceOf(ran);
    expect(metric).toBe("logLoss");
    expect(judged).toBe(135);
    expect(candidates.map(({ name, state }) => [name, state])).toEqual([
      ["linear full", "trained"],
      ["linear warm-start", "skipped"],
      ["gbdt full", "chosen"],
    ]);
    expect(candidates[1]?.reason).toBe("There is no earlier version to start from.");
    const [first, , third] = candidates;
    expect(third?.value as number).toBeLessThan(0.8 * (first?.value as number));
    expect(third).toMatchObject({ epochs: expect.any(Number), durationMs: expect.any(Number), trainRows: 540 });
    expect(first?.trace?.length).toBeGreaterThan(3);
    const trace = await test.store.runs.trace(ran?.id as string);
    expect(trace.map(({ epoch }) => epoch)).toEqual(third?.trace?.map(([epoch]) => epoch));
    // The gate looked at other rows than the choice did.
    const evaluation = await test.loop.evaluation(ran?.id as string);
    expect(evaluation?.rows).toBe(225);
    const record = await test.store.registry.get("loans", "v1");
    expect(record).toMatchObject({ trainer: "gbdt", strategy: "full" });
  }, 60_000);

  it("reproduces the winner", async () => {
    expect(await test.loop.reproduce("loans", "v1")).toMatchObject({ equal: true });
  }, 60_000);

  it("tries a warm start again once there is a champion of its trainer, and else says why not", async () => {
    await ingest("loans", rows(600, 2, START - 10 * DAY_MS));
    const { candidates } = choiceOf(await run("loans"));
    expect(candidates[1]).toMatchObject({
      state: "skipped",
      reason: 'The base was trained by "gbdt", this run uses "linear".',
    });
    expect(candidates[2]?.state).toBe("chosen");
  }, 60_000);

  it("begins no further candidate when the budget is spent", async () => {
    const { candidates } = choiceOf(await run("hasty"));
    expect(candidates.map(({ state }) => state)).toEqual(["chosen", "skipped"]);
    expect(candidates[1]?.reason).toMatch(/^The candidates before it took [\d.]+ s; the budget is 0\.001\d* s\.$/);
  }, 60_000);
});
