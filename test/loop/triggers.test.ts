import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, majority, when } from "../../src/config/index.ts";
import { DAY_MS, HOUR_MS } from "../../src/core/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

/** A Monday. */
const START = Date.UTC(2026, 2, 2);

const model = defineModel({
  name: "m",
  task: "binary",
  id: "id",
  time: "at",
  features: { x: f.number() },
  label: f.boolean(),
  trainer: majority(),
  gates: [],
  data: { minRows: 300 },
  retrain: {
    when: when.any(when.schedule("0 4 * * *"), when.debounce("2h", when.newLabels(40)), when.event("catalog-changed")),
    cooldown: "6h",
    maxPerDay: 10,
    quietHours: { from: "12:00", to: "14:00" },
  },
});

describe("triggers behind guards", () => {
  let test: TestLoop;
  let sent = 0;
  const send = (count: number) =>
    test.loop.ingest({
      model: "m",
      form: "observation",
      origin: "http",
      rows: Array.from({ length: count }, (_, i) => {
        const id = `r${sent++}`;
        return {
          rowNumber: i + 1,
          row: { id, at: test.clock.now() - DAY_MS + sent, x: sent % 7, label: sent % 3 === 0 },
        };
      }),
    });
  const runs = async () =>
    (await test.store.runs.list({ model: "m", limit: 50 })).map((run) => ({
      trigger: run.cause.trigger,
      at: (run.queuedAt - START) / HOUR_MS,
    }));

  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [model], server: { tickEvery: "1h" } }), START - DAY_MS);
    await send(400);
    await test.loop.advance(START);
  }, 60_000);
  afterAll(async () => test.dispose());

  it("hold a schedule that falls into the cool-down, and start its run when that ends", async () => {
    await send(20);
    await test.loop.advance(START + 4 * HOUR_MS);
    expect((await runs())[0]).toEqual({ trigger: "schedule", at: 4 });
    await test.loop.advance(START + 5 * HOUR_MS);
    await test.loop.raiseEvent("catalog-changed", "m", {});
    // Cool-down until 10:00; the event waits too, and both are one run.
    await test.loop.advance(START + DAY_MS);
    expect((await runs())[0]).toEqual({ trigger: "event", at: 10 });
    await send(20);
    // Run by hand at 01:00: the schedule of 04:00 falls into its cool-down, which ends at 07:00.
    await test.loop.advance(START + DAY_MS + HOUR_MS);
    const { run } = await test.loop.requestRun("m", { reason: "by hand", actor: "test" });
    await test.engine.wait(run.id);
    await send(5);
    await test.loop.advance(START + DAY_MS + 5 * HOUR_MS);
    expect((await runs())[0]).toEqual({ trigger: "manual", at: 25 });
    const why = await test.loop.explainTriggers("m");
    expect(why.answer).toMatch(
      /^A trigger fires \(The scheduled time 2026-03-03T04:00:00Z has come\), but the guard "cool-down"/,
    );
    expect(why.wouldStart).toBe(false);
    await test.loop.advance(START + DAY_MS + 8 * HOUR_MS);
    expect((await runs())[0]).toEqual({ trigger: "schedule", at: 31 });
  }, 60_000);

  it("start one run for the schedules of a downtime", async () => {
    await send(5);
    const before = (await runs()).length;
    // Three days without a tick: the clock moves, nobody looks.
    test.clock.advanceTo(START + 5 * DAY_MS + HOUR_MS);
    await test.loop.advance(START + 5 * DAY_MS + 3 * HOUR_MS);
    const after = await runs();
    expect(after.length).toBe(before + 1);
    expect(after[0]?.trigger).toBe("schedule");
    const said = await test.store.decisions.list({ model: "m", kind: "trigger", limit: 20 });
    expect(said.find((one) => one.outcome === "yes" && one.subject.startsWith("schedule"))?.inputs).toMatchObject({
      missed: 2,
    });
  }, 60_000);

  it("wait for a debounce and for the end of quiet hours, and say so", async () => {
    await test.loop.advance(START + 5 * DAY_MS + 10 * HOUR_MS);
    await send(50);
    await test.loop.advance(START + 5 * DAY_MS + 11 * HOUR_MS);
    const waiting = await test.loop.explainTriggers("m");
    expect(waiting.answer).toBe("It does not retrain now: no trigger fires.");
    expect(waiting.triggers.of[1]).toMatchObject({
      subject: "debounce(2h)",
      outcome: "no",
      reason: "It has fired for less than 2h.",
      of: [{ subject: "newLabels(40)", outcome: "yes", inputs: { labels: 50 }, threshold: 40 }],
    });
    await test.loop.advance(START + 5 * DAY_MS + 13 * HOUR_MS);
    const quiet = await test.loop.explainTriggers("m");
    expect(quiet.guards.find((one) => one.refuses)).toMatchObject({
      guard: "quiet hours",
      until: START + 5 * DAY_MS + 14 * HOUR_MS,
    });
    await test.loop.advance(START + 5 * DAY_MS + 15 * HOUR_MS);
    expect((await runs())[0]).toEqual({ trigger: "newLabels", at: 5 * 24 + 14 });
  }, 60_000);

  it("explain without changing anything", async () => {
    const before = await test.store.decisions.list({ model: "m", limit: 500 });
    await test.loop.explainTriggers("m");
    expect(await test.store.decisions.list({ model: "m", limit: 500 })).toEqual(before);
    await expect(test.loop.explainTriggers("mm")).rejects.toMatchObject({ code: "MODEL_UNKNOWN" });
  });
});
