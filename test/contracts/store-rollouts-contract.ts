/** What every store must do with rollouts. */
import { beforeAll, describe, expect, it } from "vitest";
import type { RolloutChange, RolloutRecord } from "../../src/core/index.ts";
import { START } from "../storage/support/events.ts";
import type { StorePlace } from "./store-place.ts";

export function describeRollouts(place: StorePlace): void {
  describe("rollouts", () => {
    const record = (id: string, model: string, change: Partial<RolloutRecord> = {}): RolloutRecord => ({
      id,
      model,
      champion: "v1",
      challenger: "v2",
      state: "open",
      salt: "s",
      stages: [],
      phases: [],
      verdict: "It begins.",
      createdAt: START,
      revision: 1,
      ...change,
    });
    const changeOf = (rollout: RolloutRecord, change: Partial<RolloutChange> = {}): RolloutChange => ({
      rollout,
      actor: "test",
      action: "start",
      reason: "a test",
      at: START,
      ...change,
    });
    const routing = (champion: string, challenger: string | null) => ({
      routing: { champion, challenger, plan: null, urgent: false },
    });
    const promote = (model: string, version: string) =>
      place.store.registry.promote({
        model,
        version,
        reason: "by hand",
        actor: "test",
        action: "promotion",
        at: START,
      });
    const audited = async (model: string) =>
      (await place.store.settings.auditLog({ limit: 50 })).filter(({ subject }) => subject.startsWith(`${model}/`))
        .length;
    const models = ["rollouts-cas", "rollouts-one", "rollouts-late"];

    beforeAll(async () => {
      for (const model of models) {
        for (const runId of ["a", "b", "c"]) {
          await place.store.registry.register(
            {
              model,
              runId: `${model}-${runId}`,
              createdAt: START,
              artifact: "a".repeat(64),
              definitionRevision: "r1",
              trainer: "linear",
              strategy: "full",
              datasetHash: "d",
              datasetRows: 10,
              trainedThrough: START,
              gate: { outcome: "promote", reason: "better", checks: [] },
              metrics: {},
            },
            0,
          );
        }
        await promote(model, "v1");
      }
    });

    it("are moved on by one of two who saw the same revision; the other writes nothing", async () => {
      const model = "rollouts-cas";
      const { rollouts, registry } = place.store;
      expect(await rollouts.change(changeOf(record("cas", model), routing("v1", "v2")))).toMatchObject({
        applied: true,
      });
      const promoted = record("cas", model, { state: "promoted", revision: 2 });
      const aborted = record("cas", model, { state: "aborted", revision: 2 });
      expect(await rollouts.change(changeOf(promoted, routing("v2", null)))).toMatchObject({ applied: true });
      const before = await audited(model);
      expect(await rollouts.change(changeOf(aborted, routing("v1", null)))).toEqual({ applied: false });
      expect(await rollouts.progress(aborted)).toBe(false);
      expect(await rollouts.get("cas")).toEqual(promoted);
      expect((await registry.champion(model))?.name).toBe("v2");
      expect(await audited(model)).toBe(before);
    });

    it("are open one at a time for a model", async () => {
      const model = "rollouts-one";
      const { rollouts } = place.store;
      const results = await Promise.all(
        ["one", "two"].map((id) => rollouts.change(changeOf(record(id, model), routing("v1", "v2")))),
      );
      expect(results.filter(({ applied }) => applied)).toHaveLength(1);
      expect(await rollouts.list({ model, limit: 5 })).toHaveLength(1);
    });

    it("begin against the champion they name, or not at all", async () => {
      const model = "rollouts-late";
      const { rollouts, registry } = place.store;
      await promote(model, "v3");
      expect(await rollouts.change(changeOf(record("late", model), routing("v2", null)))).toEqual({ applied: false });
      expect(await rollouts.get("late")).toBeUndefined();
      expect((await registry.champion(model))?.name).toBe("v3");
    });
  });
}
