import process from "node:process";
import { afterAll, describe, expect, it } from "vitest";
import { silentLogger, systemClock } from "../../src/core/index.ts";
import { createDbosEngine } from "../../src/engine/index.ts";
import { openTestDatabase, type TestDatabase } from "../../src/testing/database.ts";

describe("a durable engine whose database fails for a moment", () => {
  let test: TestDatabase | undefined;
  afterAll(() => test?.dispose());

  it("ends every acknowledged workflow with the right output", async () => {
    // A commit's fsync fails once under the load below; the embedded database then closes and opens again by itself.
    process.env.RETRAIN_FAULT = "fsync-eio:400";
    test = await openTestDatabase({ isMigrated: false });
    delete process.env.RETRAIN_FAULT;
    const { database } = test;
    const outages: string[] = [];
    database.onUnavailable((reason) => outages.push(reason));
    const engine = createDbosEngine({
      pool: database.pool,
      systemClock,
      logger: silentLogger,
      executorId: "one",
      applicationVersion: "1",
      heartbeatMs: 200,
      silentAfterMs: 1500,
    });
    engine.register("chain", async (context, input) => {
      let value = input as number;
      for (let step = 0; step < 6; step++) value = await context.step(`step-${step}`, async () => value * 2);
      return value;
    });
    await engine.start();
    const acked: number[] = [];
    for (let n = 0; outages.length === 0 || acked.length < 20; n++) {
      const request = { workflow: "chain", id: `chain-${n}`, queue: "runs", partition: `p${n % 3}`, input: n };
      await engine.enqueue(request).then(
        () => acked.push(n),
        // Refused while down, and said so.
        () => systemClock.sleep(20),
      );
    }
    expect(outages.length).toBeGreaterThan(0);
    for (const n of acked) {
      const status = await engine.wait(`chain-${n}`);
      expect(status).toMatchObject({ state: "done", output: n * 64 });
    }
    await engine.stop();
  }, 120_000);
});
