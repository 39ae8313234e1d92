import { silentLogger } from "../../../src/core/index.ts";
import { createDbosEngine, type DbosEngineOptions } from "../../../src/engine/index.ts";
import type { TestDatabase } from "../../../src/testing/database.ts";
import type { EngineHarness } from "../../contracts/engine-contract.ts";
import { shiftedClock } from "./shifted-clock.ts";

export async function durableHarness(open: () => Promise<TestDatabase>): Promise<EngineHarness> {
  const test = await open();
  const clock = shiftedClock();
  return {
    open: (options: Partial<DbosEngineOptions> = {}) =>
      createDbosEngine({
        pool: test.database.pool,
        systemClock: clock,
        logger: silentLogger,
        executorId: "one",
        applicationVersion: "1",
        ...options,
      }),
    advance: async (_engine, ms) => clock.advance(ms),
    now: () => clock.now(),
    dispose: () => test.dispose(),
  };
}
