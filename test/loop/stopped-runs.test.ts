/** Runs that end before they train, because the data is too little or broken: recorded, alerted, and the model left as it was. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DAY_MS } from "../../src/core/index.ts";
import { defineConfig } from "../../src/config/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { labelledRows, purchases, START } from "../server/support.ts";

describe("a run", () => {
  let test: TestLoop;
  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [purchases], alerts: [] }), START);
  }, 60_000);
  afterAll(() => test.dispose());

  async function send(count: number, seed: number, label?: boolean) {
    const rows = labelledRows(count, START - 20 * DAY_MS + seed, seed, 20 * 60_000);
    await test.loop.ingest({
      model: "purchases",
      form: "observation",
      origin: "http",
      rows: rows.map((row, i) => ({ rowNumber: i + 1, row: label === undefined ? row : { ...row, label } })),
    });
  }
  async function runByHand() {
    const { run } = await test.loop.requestRun("purchases", { reason: "a test", actor: "tester" });
    await test.engine.wait(run.id);
    const ended = await test.store.runs.get(run.id);
    if (ended === undefined) throw new Error("the run is gone");
    return ended;
  }

  it("stops where fewer rows are there than the policy needs, and says how many", async () => {
    await send(50, 1, true);
    const run = await runByHand();
    expect(run).toMatchObject({ state: "stopped", error: { code: "DATASET_TOO_SMALL" } });
    expect(run.error?.message).toContain("50 labelled rows are");
    expect(run.error?.remedy).toContain("`data.minRows`");
    expect(run.steps.find(({ step }) => step === "snapshot")).toMatchObject({ state: "stopped" });
    expect(run.steps.find(({ step }) => step === "train")?.state ?? "waiting").not.toBe("done");
  }, 60_000);

  it("stops where the data is broken, not merely different, and alerts with the named anomaly", async () => {
    await send(450, 2, true);
    const run = await runByHand();
    expect(run).toMatchObject({ state: "stopped", error: { code: "DATA_BROKEN" } });
    expect(run.error?.message).toContain("there is nothing to learn");
    // Several columns may share a code: the step names the one it means.
    expect(run.steps.find(({ step }) => step === "assess")?.output).toContain("LABEL_CONSTANT (label)");
    expect(run.error?.remedy).toContain("send the rows again");
    const alerts = await test.store.alerts.list({ state: "open", limit: 10 });
    expect(alerts.some(({ model }) => model === "purchases")).toBe(true);
    expect(await test.store.registry.list("purchases")).toEqual([]);
  }, 60_000);
});
