import { describe, expect, it } from "vitest";
import type { RunRecord } from "../../src/core/index.ts";
import { findTestServer, openPostgresTestDatabase } from "../../src/testing/database.ts";
import { describeStore } from "../contracts/store-contract.ts";
import { codeThrown, openPlace } from "../contracts/store-place.ts";
import { START } from "../storage/support/events.ts";

const RUN: RunRecord = {
  id: "run-overtaken",
  model: "overtaken",
  definitionRevision: "r1",
  state: "queued",
  strategy: "full",
  cause: { trigger: "manual", reason: "asked", decisionIds: [] },
  queuedAt: START,
  asOf: START,
  seed: 7,
  steps: [],
  attempt: 0,
};

const server = await findTestServer();
if ("skipReason" in server) {
  describe.skip("a store over a server", () => {
    it(`skips because ${server.skipReason}`, () => {});
  });
} else {
  describeStore("server", openPostgresTestDatabase);

  describe("a run that another process takes over in this instant", () => {
    // The embedded database has one session: there a write has ended before the next one begins.
    it("is not written any more by whoever looked at it before", async () => {
      const { test, store } = await openPlace(openPostgresTestDatabase);
      try {
        const { runs } = store;
        await runs.create(RUN);
        const attempt = await runs.beginAttempt(RUN.id, START);
        let begun = () => {};
        const begins = new Promise<void>((resolve) => (begun = resolve));
        const takesOver = test.database.transaction(async (transaction) => {
          await transaction.query("update run set attempt = attempt + 1 where id = $1", [RUN.id]);
          begun();
          await transaction.query("select pg_sleep(0.5)");
        });
        await begins;
        const point = { runId: RUN.id, epoch: 1, metrics: { trainLoss: 1 }, elapsedMs: 5 };
        const writes = [
          runs.update(RUN.id, attempt, { state: "failed" }),
          runs.recordStep(RUN.id, attempt, { step: "train", state: "done", attempt }),
          runs.appendTrace(RUN.id, attempt, [point]),
        ];
        const codes = Promise.all(writes.map(codeThrown));
        await takesOver;
        expect(await codes).toEqual(Array(3).fill("ATTEMPT_STALE"));
        expect(await runs.get(RUN.id)).toMatchObject({ state: "running", attempt: attempt + 1, steps: [] });
        expect(await runs.trace(RUN.id)).toEqual([]);
      } finally {
        await store.close();
        await test.dispose();
      }
    });
  });
}
