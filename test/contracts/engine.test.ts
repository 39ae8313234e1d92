import { silentLogger, systemClock } from "../../src/core/index.ts";
import { createVirtualEngine, createVirtualMemory, type VirtualEngine } from "../../src/engine/index.ts";
import { openTestDatabase } from "../../src/testing/database.ts";
import { durableHarness } from "../engine/support/durable-harness.ts";
import { describeEngine } from "./engine-contract.ts";

describeEngine("virtual", async () => {
  const memory = createVirtualMemory();
  const origin = Date.UTC(2026, 2, 1, 12, 10);
  let ahead = 0;
  return {
    open: (options) =>
      createVirtualEngine({ systemClock, logger: silentLogger, memory, start: origin + ahead, ...options }),
    advance: async (engine, ms) => {
      ahead += ms;
      // Time also passes while no engine runs; the next one begins there.
      if (await isRunning(engine)) await (engine as VirtualEngine).advance(origin + ahead);
    },
    now: () => origin + ahead,
    dispose: async () => {},
  };
});

function isRunning(engine: { status(id: string): Promise<unknown> }): Promise<boolean> {
  return engine.status("").then(
    () => true,
    () => false,
  );
}

describeEngine("durable, embedded", () => durableHarness(() => openTestDatabase({ isMigrated: false })));
