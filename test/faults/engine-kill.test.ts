import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock, type WorkflowStatus } from "../../src/core/index.ts";
import { openDatabase } from "../../src/storage/pool.ts";
import { findTestServer, openPostgresTestDatabase, type TestDatabase } from "../../src/testing/database.ts";
import { EngineProcess } from "./engine-process.ts";
import { CHAIN_STEPS, chainResult } from "./engine-server.ts";

const KILLS = 30;
const server = await findTestServer();

type Place = { readonly url: string } | { readonly directory: string };

/** Kills the server again and again while it takes and runs workflows; then lets a last one finish everything it ever acknowledged. */
async function killRepeatedly(place: Place) {
  const acked: string[] = [];
  for (let round = 0; round < KILLS; round++) {
    const life = new EngineProcess({ ...place, executorId: "one", prefix: `r${round}` });
    await life.until("ready");
    // After ever other numbers of acknowledgements and milliseconds, so that the blow falls at many places.
    await life.until("ack", 2 + (round % 9));
    await systemClock.sleep((round * 5) % 23);
    await life.kill();
    acked.push(...life.said("ack"));
  }
  const last = new EngineProcess({ ...place, executorId: "one", waitFor: acked });
  const ended = await last.until("end", acked.length, 300_000);
  await last.ended;
  return { acked, statuses: ended.map((line) => JSON.parse(line) as WorkflowStatus) };
}

async function expectAllRight(place: Place): Promise<void> {
  const { acked, statuses } = await killRepeatedly(place);
  expect(acked.length).toBeGreaterThan(KILLS * 5);
  expect(new Set(acked).size).toBe(acked.length);
  for (const [i, id] of acked.entries()) {
    const input = Number(id.slice(id.indexOf("-") + 1));
    expect(statuses[i]).toEqual({ id, state: "done", output: chainResult(input) });
  }
  const database = await openDatabase({ systemClock, ...place });
  const { rows } = await database.query<{ ran: number; wanted: number }>(
    "select count(*)::int as ran, (count(distinct workflow) * $1)::int as wanted from fault_log where not ended",
    [CHAIN_STEPS],
  );
  const { ran, wanted } = rows[0] as { ran: number; wanted: number };
  // Resumed from the last finished step: what ran again is at most what was under way at a kill (8 at a time), not whole workflows.
  expect(ran).toBeGreaterThanOrEqual(wanted);
  expect(ran - wanted).toBeLessThanOrEqual(KILLS * 8);
  await database.close();
}

describe("a durable engine whose process is killed 30 times", () => {
  let home: string;
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "retrain-engine-kill-"));
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  it("ends every acknowledged workflow with the right output on the embedded database", async () => {
    // A folder per try: the workflows of an earlier one would answer for this one's.
    await expectAllRight({ directory: mkdtempSync(join(home, "embedded-")) });
  }, 900_000);

  it.skipIf("skipReason" in server)("ends every acknowledged workflow with the right output on a server", async () => {
    const test: TestDatabase & { url: string } = await openPostgresTestDatabase({ isMigrated: false });
    try {
      await expectAllRight({ url: test.url });
    } finally {
      await test.dispose();
    }
  });

  it("gives a workflow up that kills every process it enters", async () => {
    const directory = mkdtempSync(join(home, "poison-"));
    const settings = { directory, executorId: "one", maxRecoveryAttempts: 2 };
    const requests = [{ workflow: "poison", id: "poison", partition: "p", input: null }];
    const first = new EngineProcess({ ...settings, requests });
    await first.ended;
    let lives = 1;
    for (; lives < 10; lives++) {
      const next = new EngineProcess({ ...settings, waitFor: ["poison"] });
      await next.ended;
      const end = next.said("end")[0];
      if (end === undefined) continue;
      const status = JSON.parse(end) as WorkflowStatus;
      expect(status.state).toBe("failed");
      expect(JSON.parse(status.error as string).code).toBe("ENGINE_GAVE_UP");
      break;
    }
    // The first start and two recoveries, then the life that found it given up.
    expect(lives).toBe(3);
  });
});
