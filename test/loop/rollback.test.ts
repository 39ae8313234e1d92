/** Going back by hand, more than once: along versions that were live, never forward to one that was taken back. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, stage } from "../../src/config/index.ts";
import { HOUR_MS } from "../../src/core/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { labelledRows, purchases, START } from "../server/support.ts";

const MODEL = "purchases";
const model = {
  ...purchases,
  gates: [],
  rollout: [stage.canary(0.5, "2d"), stage.full({ watch: "0s" })],
} as typeof purchases;

describe("rolling back again and again", () => {
  let test: TestLoop;
  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [model] }), START);
    const rows = labelledRows(1200, START - 20 * 86_400_000, 1, 20 * 60_000);
    const readings = rows.map((row, i) => ({ rowNumber: i + 1, row }));
    await test.loop.ingest({ model: MODEL, form: "observation", origin: "http", rows: readings });
    await test.loop.advance(START + 2 * HOUR_MS);
    for (const version of ["v2", "v3"]) {
      const { run } = await test.loop.requestRun(MODEL, { reason: "another", actor: "tester" });
      await test.engine.wait(run.id);
      await test.loop.promote(MODEL, version, "tester", "as a test");
      await test.loop.advance(test.clock.now() + HOUR_MS);
    }
  }, 120_000);
  afterAll(async () => test?.dispose());

  const back = async () => (await test.loop.rollback(MODEL, "tester", "complaints")).champion;
  const states = async () =>
    Object.fromEntries((await test.store.registry.list(MODEL)).map(({ name, state }) => [name, state]));

  it("goes one version further back each time, and is refused at the first", async () => {
    expect(await states()).toEqual({ v1: "retired", v2: "retired", v3: "live" });
    expect(await test.loop.rollbackPlan(MODEL)).toMatchObject({
      from: "v3",
      to: "v2",
      endsRollout: false,
      refusal: null,
    });
    expect(await back()).toBe("v2");
    expect(await test.loop.rollbackPlan(MODEL)).toMatchObject({ from: "v2", to: "v1" });
    expect(await back()).toBe("v1");
    expect(await test.loop.rollbackPlan(MODEL)).toMatchObject({
      from: "v1",
      to: null,
      refusal: { message: expect.stringMatching(/v2.*v3|v3.*v2/), remedy: expect.stringContaining("retrain promote") },
    });
    expect(await states()).toEqual({ v1: "live", v2: "rolled-back", v3: "rolled-back" });
    expect((await test.loop.status(MODEL)).sentence).toMatch(/passed the gate with v3, which was rolled back since\.$/);
    await expect(test.loop.rollback(MODEL, "tester", "complaints")).rejects.toMatchObject({
      code: "ROLLBACK_IMPOSSIBLE",
      message: expect.stringMatching(/v2.*v3|v3.*v2/),
      remedy: expect.stringContaining(`retrain promote ${MODEL} v`),
    });
    expect((await test.store.registry.champion(MODEL))?.name).toBe("v1");
  });

  it("forgets a rollback once a person makes the version live again", async () => {
    await test.loop.promote(MODEL, "v3", "tester", "it was not the model");
    await test.loop.promote(MODEL, "v1", "tester", "to compare");
    expect(await back()).toBe("v3");
    expect(await states()).toMatchObject({ v1: "rolled-back", v3: "live" });
  });

  it("does not go to one that was taken back and then merely tried again", async () => {
    await test.loop.promote(MODEL, "v1", "tester", "the first again");
    await test.loop.promote(MODEL, "v3", "tester", "the third again");
    await test.loop.startRollout(MODEL, "v2", "tester");
    expect(await test.loop.rollbackPlan(MODEL)).toMatchObject({ from: "v2", to: "v3", endsRollout: true });
    await test.loop.changeRollout(MODEL, "abort", "tester", "not now");
    expect(await states()).toMatchObject({ v2: "candidate" });
    expect(await back()).toBe("v1");
  });
});
