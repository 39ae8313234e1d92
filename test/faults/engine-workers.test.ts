import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { WorkflowStatus } from "../../src/core/index.ts";
import { findTestServer, openPostgresTestDatabase, type TestDatabase } from "../../src/testing/database.ts";
import { EngineProcess } from "./engine-process.ts";
import { CHAIN_STEPS, chainResult } from "./engine-server.ts";

const server = await findTestServer();
/** Rounds until two workers shared one, at most. */
const ROUNDS = 8;
/** A second try has runs of its own. */
let races = 0;
const reason = "skipReason" in server ? server.skipReason : undefined;

describe.skipIf(reason !== undefined)(
  `several workers on one server${reason === undefined ? "" : ` (${reason})`}`,
  () => {
    let test: TestDatabase & { url: string };
    const processes: EngineProcess[] = [];
    beforeAll(async () => {
      test = await openPostgresTestDatabase({ isMigrated: false });
    });
    afterAll(async () => {
      await Promise.all(processes.map((process) => process.kill()));
      await test.dispose();
    });
    function open(settings: ConstructorParameters<typeof EngineProcess>[0]): EngineProcess {
      const process = new EngineProcess({ url: test.url, ...settings });
      processes.push(process);
      return process;
    }
    type LogRow = { workflow: string; step: number; executor: string; ended: boolean };
    const logOf = async (prefix: string) =>
      (
        await test.database.query<LogRow>(
          "select workflow, step, executor, ended from fault_log where workflow like $1 order by id",
          [`${prefix}%`],
        )
      ).rows;

    /** Sixty runs of ten models, asked for by a worker of its own; which workers took them. */
    async function race(name: string): Promise<ReadonlySet<string>> {
      const requests = Array.from({ length: 60 }, (_, n) => ({
        workflow: "chain",
        id: `${name}-${n}`,
        partition: `model-${n % 10}`,
        input: n,
      }));
      const ids = requests.map((request) => request.id);
      const asking = open({ executorId: name, requests, waitFor: ids });
      const ended = (await asking.until("end", ids.length, 60_000)).map((line) => JSON.parse(line) as WorkflowStatus);
      for (const [n, status] of ended.entries()) {
        expect(status).toEqual({ id: `${name}-${n}`, state: "done", output: chainResult(n) });
      }
      const log = await logOf(`${name}-`);
      expect(log.filter((row) => !row.ended).length).toBe(ids.length * CHAIN_STEPS);
      expect(new Set(log.map((row) => `${row.workflow}/${row.step}`)).size).toBe(ids.length * CHAIN_STEPS);
      for (const id of ids) {
        expect(new Set(log.filter((row) => row.workflow === id).map((row) => row.executor)).size).toBe(1);
      }
      // One run per model at a time, whoever runs it: between a step's begin and end no other run of that model says a word.
      for (let model = 0; model < 10; model++) {
        const ofModel = log.filter((row) => Number(row.workflow.slice(name.length + 1)) % 10 === model);
        const order = ofModel.map((row) => row.workflow).filter((workflow, i, all) => workflow !== all[i - 1]);
        expect(order.length).toBe(6);
      }
      return new Set(log.map((row) => row.executor));
    }

    it("race for runs, and each step of each run happens once, in one of them", async () => {
      for (const side of ["left", "right"]) await open({ executorId: `${side}${races}` }).until("ready");
      // On a busy machine the one that asks can have done all before the others look.
      let workers: ReadonlySet<string> = new Set();
      for (let round = 0; workers.size < 2 && round < ROUNDS; round++) workers = await race(`race${races++}`);
      expect(workers.size).toBeGreaterThan(1);
    });

    it("take over the run of one that was killed, from its last finished step", async () => {
      // Only the named worker hangs, so no other may take the run first.
      await Promise.all(processes.map((process) => process.kill()));
      const dying = open({
        executorId: "dying",
        requests: [{ workflow: "hang", id: "orphan", partition: "orphan", input: "dying" }],
      });
      await dying.until("hanging");
      await dying.kill();
      const heir = open({ executorId: "heir", silentAfterMs: 1500, heartbeatMs: 200, waitFor: ["orphan"] });
      const [end] = await heir.until("end", 1, 20_000);
      expect(JSON.parse(end as string)).toEqual({ id: "orphan", state: "done", output: "heir" });
      expect((await logOf("orphan")).map((row) => `${row.executor} ${row.step}`)).toEqual([
        "dying 0",
        "dying 1",
        "dying 2",
        "heir 2",
      ]);
    });

    it("leave the runs of one alone that is alive", async () => {
      const alive = open({
        executorId: "alive",
        heartbeatMs: 200,
        requests: [{ workflow: "hang", id: "busy", partition: "busy", input: "alive" }],
      });
      await alive.until("hanging");
      open({ executorId: "other", silentAfterMs: 1000, heartbeatMs: 100 });
      await vi.waitFor(
        async () => {
          const { rows } = await test.database.query<{ lived: number }>(
            "select (beat_at - started_at)::int as lived from retrain_engine.worker where executor_id = 'other'",
          );
          expect(rows[0]?.lived).toBeGreaterThan(2500);
        },
        { timeout: 20_000, interval: 100 },
      );
      expect((await logOf("busy")).every((row) => row.executor === "alive")).toBe(true);
    });
  },
);
