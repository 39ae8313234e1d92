/** What every store must do with runs, versions, decisions, alerts and settings. */
import { describe, expect, it } from "vitest";
import { type NewDecision, type RunRecord, systemClock, type VersionRecord } from "../../src/core/index.ts";
import { eventually, START } from "../storage/support/events.ts";
import { codeThrown, type StorePlace } from "./store-place.ts";

function runRecord(model: string, id: string, change: Partial<RunRecord> = {}): RunRecord {
  return {
    id,
    model,
    definitionRevision: "r1",
    state: "queued",
    strategy: "full",
    cause: { trigger: "manual", reason: "asked", decisionIds: [] },
    queuedAt: START,
    asOf: START,
    seed: 7,
    steps: [{ step: "snapshot", state: "waiting", attempt: 0 }],
    attempt: 0,
    ...change,
  };
}

function newVersion(model: string, runId: string) {
  return {
    model,
    runId,
    createdAt: START,
    artifact: "a".repeat(64),
    definitionRevision: "r1",
    trainer: "linear",
    strategy: "full" as const,
    datasetHash: "d",
    datasetRows: 10,
    trainedThrough: START,
    gate: { outcome: "promote" as const, reason: "better", checks: [] },
    metrics: { logLoss: 0.3 },
  };
}

export function describeRecords(place: StorePlace): void {
  const promotion = (model: string, version: string, change = {}) =>
    place.store.registry.promote({
      model,
      version,
      reason: "better",
      actor: "loop",
      action: "promotion",
      at: START,
      ...change,
    });

  describe("leases", () => {
    it("belong to one owner until they run out, are dropped, or are renewed", async () => {
      const { settings } = place.store;
      expect(await settings.takeLease("timers", "a", 60_000)).toBe(true);
      expect(await Promise.all(["b", "c"].map((owner) => settings.takeLease("timers", owner, 60_000)))).toEqual([
        false,
        false,
      ]);
      expect(await settings.takeLease("timers", "a", 60_000)).toBe(true);
      await settings.dropLease("timers", "b");
      expect(await settings.takeLease("timers", "b", 60_000)).toBe(false);
      await settings.dropLease("timers", "a");
      const taken = await Promise.all(["b", "c", "d"].map((owner) => settings.takeLease("timers", owner, 1)));
      expect(taken.filter(Boolean).length).toBeGreaterThanOrEqual(1);
      await expect.poll(() => settings.takeLease("timers", "e", 60_000)).toBe(true);
    });
  });

  describe("runs", () => {
    it("gives a run back as it was created, and creates it once", async () => {
      const run = runRecord("runs-create", "run-create-1");
      expect(await place.store.runs.create(run)).toBe(true);
      expect(await place.store.runs.create(run)).toBe(true);
      expect(await place.store.runs.get(run.id)).toEqual(run);
      expect(await place.store.runs.list({ model: "runs-create", limit: 10 })).toEqual([run]);
      expect(await place.store.runs.get("absent")).toBeUndefined();
    });

    it("takes one open run per model, also from two callers at once", async () => {
      const results = await Promise.all(
        ["a", "b", "c"].map((id) => place.store.runs.create(runRecord("runs-open", `run-open-${id}`))),
      );
      expect(results.filter(Boolean)).toHaveLength(1);
      const active = (await place.store.runs.active("runs-open")) as RunRecord;
      const attempt = await place.store.runs.beginAttempt(active.id, START + 1);
      await place.store.runs.update(active.id, attempt, { state: "promoted", endedAt: START + 2 });
      expect(await place.store.runs.active("runs-open")).toBeUndefined();
      expect(await place.store.runs.create(runRecord("runs-open", "run-open-next"))).toBe(true);
      const reopened = place.store.runs.update(active.id, attempt, { state: "running" });
      expect(await codeThrown(reopened)).toBe("RUN_ACTIVE");
    });

    it("fences every write of an attempt that was taken over", async () => {
      const id = "run-fence";
      await place.store.runs.create(runRecord("runs-fence", id));
      const first = await place.store.runs.beginAttempt(id, START + 1);
      const second = await place.store.runs.beginAttempt(id, START + 2);
      expect(second).toBe(first + 1);
      const taken = await place.store.runs.get(id);
      expect(taken).toMatchObject({ state: "running", startedAt: START + 1, attempt: second });
      const point = { runId: id, epoch: 1, metrics: { trainLoss: 1 }, elapsedMs: 5 };
      const step = { step: "train", state: "done", attempt: first } as const;
      const stale = [
        place.store.runs.update(id, first, { state: "failed" }),
        place.store.runs.recordStep(id, first, step),
        place.store.runs.appendTrace(id, first, [point]),
        place.store.registry.register(newVersion("runs-fence", id), first),
      ];
      expect(await Promise.all(stale.map(codeThrown))).toEqual(Array(4).fill("ATTEMPT_STALE"));
      expect(await place.store.runs.get(id)).toEqual(taken);
      expect(await place.store.runs.trace(id)).toEqual([]);
      expect(await place.store.registry.list("runs-fence")).toEqual([]);
      await place.store.runs.recordStep(id, second, { ...step, attempt: second });
      await place.store.runs.appendTrace(id, second, [point]);
      const version = await place.store.registry.register(newVersion("runs-fence", id), second);
      const stalePromotion = promotion("runs-fence", version.name, { runId: id, attempt: first });
      expect(await codeThrown(stalePromotion)).toBe("ATTEMPT_STALE");
      expect(await place.store.registry.champion("runs-fence")).toBeUndefined();
    });

    it("tells runs that train from those that gate a held version again", async () => {
      const model = "runs-held";
      const held = { trigger: "held", reason: "rows arrived", decisionIds: [] };
      const runs = [
        runRecord(model, "held-1", { state: "held" }),
        runRecord(model, "held-2", { state: "running", cause: held, regate: { version: "v1" } }),
      ];
      for (const run of runs) await place.store.runs.create(run);
      expect((await place.store.runs.last(model))?.id).toBe("held-2");
      expect((await place.store.runs.last(model, { training: true }))?.id).toBe("held-1");
      expect(await place.store.runs.countSince(model, 0)).toBe(1);
      const attempt = await place.store.runs.beginAttempt("held-2", START + 1);
      const { name } = await place.store.registry.register(newVersion(model, "held-1"), 0);
      const gate = { outcome: "reject" as const, reason: "worse", checks: [] };
      const judged = () => place.store.registry.setGate(model, name, gate, { id: "held-2", attempt });
      await judged();
      expect(await place.store.registry.get(model, name)).toMatchObject({ gate, gateRunId: "held-2", runId: "held-1" });
      await place.store.runs.beginAttempt("held-2", START + 2);
      expect(await codeThrown(judged())).toBe("ATTEMPT_STALE");
    });

    it("keeps steps in the order of the loop and one trace point per epoch", async () => {
      const id = "run-trace";
      await place.store.runs.create(runRecord("runs-trace", id, { steps: [] }));
      const attempt = await place.store.runs.beginAttempt(id, START);
      await place.store.runs.recordStep(id, attempt, { step: "train", state: "running", attempt });
      await place.store.runs.recordStep(id, attempt, {
        step: "assess",
        state: "done",
        attempt,
        output: 'quote " and\nline',
      });
      await place.store.runs.recordStep(id, attempt, { step: "train", state: "done", attempt });
      const steps = (await place.store.runs.get(id))?.steps ?? [];
      expect(steps.map((step) => `${step.step} ${step.state}`)).toEqual(["assess done", "train done"]);
      const point = (epoch: number, loss: number) => ({ runId: id, epoch, metrics: { loss }, elapsedMs: epoch });
      await place.store.runs.appendTrace(id, attempt, [point(0, 3), point(1, 2)]);
      await place.store.runs.appendTrace(id, attempt, [point(1, 2), point(2, 1)]);
      expect(await place.store.runs.trace(id)).toEqual([point(0, 3), point(1, 2), point(2, 1)]);
      expect(await place.store.runs.trace(id, { afterEpoch: 1 })).toEqual([point(2, 1)]);
    });

    it("pages through runs newest first and counts those since an instant", async () => {
      for (let i = 0; i < 5; i++) {
        const id = `run-page-${i}`;
        await place.store.runs.create(runRecord("runs-page", id, { state: "rejected", queuedAt: START + i }));
      }
      const page = await place.store.runs.list({ model: "runs-page", limit: 2 });
      expect(page.map(({ id }) => id)).toEqual(["run-page-4", "run-page-3"]);
      const next = await place.store.runs.list({
        model: "runs-page",
        limit: 9,
        before: "run-page-3",
        states: ["rejected"],
      });
      expect(next.map(({ id }) => id)).toEqual(["run-page-2", "run-page-1", "run-page-0"]);
      expect(await place.store.runs.countSince("runs-page", START + 3)).toBe(2);
      expect((await place.store.runs.last("runs-page"))?.id).toBe("run-page-4");
      expect(await codeThrown(place.store.runs.beginAttempt("absent", START))).toBe("RUN_UNKNOWN");
    });

    it("does not open a finished run again when its workflow is replayed", async () => {
      await place.store.runs.create(runRecord("runs-done", "run-done", { state: "rejected" }));
      const attempt = await place.store.runs.beginAttempt("run-done", START);
      expect(await place.store.runs.get("run-done")).toMatchObject({ state: "rejected", attempt });
    });
  });

  describe("versions", () => {
    const twoVersions = async (model: string) => {
      for (const id of ["a", "b"]) await place.store.registry.register(newVersion(model, `${model}-${id}`), 1);
    };

    it("numbers versions per model, once per run, also when registered at once", async () => {
      const ids = ["a", "b", "a", "b", "c"];
      const made = await Promise.all(
        ids.map((id) => place.store.registry.register(newVersion("versions-number", `number-${id}`), 1)),
      );
      expect(new Set(made.map((version) => version.name))).toEqual(new Set(["v1", "v2", "v3"]));
      expect((made[0] as VersionRecord).name).toBe((made[2] as VersionRecord).name);
      const listed = await place.store.registry.list("versions-number");
      expect(listed.map((version) => version.number)).toEqual([3, 2, 1]);
      expect(await place.store.registry.get("versions-number", "v1")).toEqual(listed[2]);
      expect(await place.store.registry.get("versions-number", "v01")).toBeUndefined();
      expect(listed.every((version) => version.state === "candidate" && version.role === null)).toBe(true);
    });

    it("moves the champion in one step, with audit, decision and routing number, and only once", async () => {
      const model = "versions-promote";
      await twoVersions(model);
      expect(await promotion(model, "v1", { expectedChampion: null })).toMatchObject({
        changed: true,
        routing: { number: 1, champion: "v1", stage: "full" },
      });
      expect(await promotion(model, "v2", { expectedChampion: "v1" })).toMatchObject({ changed: true });
      const again = await promotion(model, "v2", { expectedChampion: "v1" });
      expect(again).toMatchObject({ changed: false, routing: { number: 2, champion: "v2" } });
      expect(await place.store.registry.routing(model)).toEqual(again.routing);
      const [second, first] = await place.store.registry.list(model);
      expect(second).toMatchObject({ role: "champion", state: "live", promotedAt: START });
      expect(first).toMatchObject({ role: null, state: "retired", retiredAt: START });
      const audit = (await place.store.settings.auditLog({ limit: 50 })).filter(({ subject }) =>
        subject.startsWith(model),
      );
      expect(audit.map(({ subject }) => subject)).toEqual([`${model}/v2`, `${model}/v1`]);
      const decisions = await place.store.decisions.list({ model, kind: "promotion", limit: 9 });
      expect(decisions.reduce((sum, { count }) => sum + count, 0)).toBe(2);
    });

    it("tells a version that was taken back from one that was replaced", async () => {
      const model = "versions-rolled-back";
      await twoVersions(model);
      await promotion(model, "v1");
      await promotion(model, "v2");
      await promotion(model, "v1", { action: "rollback" });
      const states = async () => (await place.store.registry.list(model)).map(({ name, state }) => [name, state]);
      expect(await states()).toEqual([
        ["v2", "rolled-back"],
        ["v1", "live"],
      ]);
      await promotion(model, "v2");
      expect(await states()).toEqual([
        ["v2", "live"],
        ["v1", "retired"],
      ]);
    });

    it("refuses a promotion over another champion than the expected one, and an unknown version", async () => {
      const model = "versions-conflict";
      await twoVersions(model);
      await promotion(model, "v1");
      expect(await codeThrown(promotion(model, "v2", { expectedChampion: null }))).toBe("PROMOTION_CONFLICT");
      expect(await codeThrown(promotion(model, "v9"))).toBe("VERSION_UNKNOWN");
      expect((await place.store.registry.champion(model))?.name).toBe("v1");
    });

    it("has one champion after many promotions at once", async () => {
      const model = "versions-race";
      await twoVersions(model);
      await Promise.all(Array.from({ length: 8 }, (_, i) => promotion(model, i % 2 === 0 ? "v1" : "v2")));
      const champions = (await place.store.registry.list(model)).filter(({ role }) => role === "champion");
      expect(champions).toHaveLength(1);
      expect((await place.store.registry.routing(model)).champion).toBe(champions[0]?.name);
    });

    it("cannot hold two champions even by hand: the index version_one_champion refuses", async () => {
      const model = "versions-index";
      await twoVersions(model);
      await promotion(model, "v1");
      const byHand = place.test.database.query("update version set role = 'champion' where model = $1", [model]);
      await expect(byHand).rejects.toMatchObject({ code: "23505", constraint: "version_one_champion" });
    });

    it("tells listeners of a routing change once, here and in another store on the same database", async () => {
      const model = "versions-listen";
      await twoVersions(model);
      const other = await place.openOne();
      const seen: string[] = [];
      const stopHere = place.store.registry.onRouting((routing) => seen.push(`here ${routing.champion}`));
      other.registry.onRouting((routing) => seen.push(`there ${routing.champion}`));
      await promotion(model, "v1");
      await promotion(model, "v2");
      await promotion(model, "v2");
      await eventually(() => expect(seen.filter((line) => line.startsWith("there"))).toHaveLength(2));
      expect(seen.filter((line) => line.startsWith("here"))).toEqual(["here v1", "here v2"]);
      expect(seen.filter((line) => line.startsWith("there"))).toEqual(["there v1", "there v2"]);
      stopHere();
      await other.close();
    });

    it("tells a change whose notification was lost", async () => {
      const model = "versions-lost";
      const seen: number[] = [];
      const stop = place.store.registry.onRouting((routing) => {
        if (routing.model === model) seen.push(routing.number);
      });
      await place.test.database.query("insert into routing (model, number, champion, at) values ($1, 4, 'v1', 0)", [
        model,
      ]);
      await eventually(() => expect(seen).toEqual([4]));
      stop();
    });

    it("keeps the first text of a definition revision", async () => {
      const revision = { model: "definitions", revision: "abc", definition: { a: 1 }, createdAt: START };
      await place.store.registry.saveDefinition(revision);
      await place.store.registry.saveDefinition({ ...revision, createdAt: START + 1 });
      expect(await place.store.registry.definition("definitions", "abc")).toEqual(revision);
      expect(await place.store.registry.definition("definitions", "xyz")).toBeUndefined();
    });
  });

  describe("decisions, alerts and settings", () => {
    const decision = (change: Partial<NewDecision> = {}): NewDecision => ({
      model: "decisions",
      kind: "trigger",
      subject: "schedule",
      outcome: "no",
      rule: "0 3 * * 1",
      inputs: { n: 1 },
      reason: "not due",
      at: START,
      ...change,
    });

    it("deletes decisions last made before an instant, and no other", async () => {
      const model = "decisions-kept";
      await place.store.decisions.record(decision({ model, reason: "old", at: START - 20 }));
      await place.store.decisions.record(decision({ model, reason: "extended", at: START - 20 }));
      await place.store.decisions.record(decision({ model, reason: "extended", at: START }));
      expect(await place.store.decisions.deleteBefore(START - 10)).toBeGreaterThanOrEqual(1);
      const left = await place.store.decisions.list({ model, limit: 5 });
      expect(left.map(({ reason }) => reason)).toEqual(["extended"]);
    });

    it("extends the last record by an equal decision and begins a new one by another", async () => {
      const first = await place.store.decisions.record(decision());
      const second = await place.store.decisions.record(decision({ at: START + 5, inputs: { n: 2 } }));
      expect(second).toEqual({ ...first, lastAt: START + 5, count: 2, inputs: { n: 2 } });
      await place.store.decisions.record(decision({ subject: "other" }));
      await place.store.decisions.record(decision({ outcome: "yes", reason: "due", at: START + 6 }));
      const back = await place.store.decisions.record(decision({ at: START + 7 }));
      expect(back).toMatchObject({ count: 1, firstAt: START + 7 });
      const otherRun = await place.store.decisions.record(decision({ at: START + 8, runId: "r1" }));
      expect(otherRun).toMatchObject({ count: 1, runId: "r1" });
      expect(await place.store.decisions.list({ model: "decisions", limit: 10 })).toHaveLength(5);
      expect(await place.store.decisions.list({ runId: "r1", limit: 10 })).toEqual([otherRun]);
      const older = await place.store.decisions.list({ model: "decisions", limit: 10, before: back.id });
      expect(older.map(({ subject, outcome }) => `${subject} ${outcome}`)).toEqual([
        "schedule yes",
        "other no",
        "schedule no",
      ]);
    });

    it("records several decisions as it would one after the other", async () => {
      const model = "decisions-at-once";
      const recordAll = (decisions: readonly NewDecision[]) => place.store.decisions.recordAll(decisions);
      const some = (at: number, reason = "a line\nand another") => [
        decision({ model, subject: "schedule", at, reason, inputs: { at } }),
        decision({ model, subject: "staleness", at, runId: "r-all" }),
        decision({ model, subject: "volume", at, outcome: at === START ? "no" : "yes" }),
      ];
      const first = await recordAll(some(START));
      expect(first.map(({ subject, count, firstAt }) => [subject, count, firstAt])).toEqual([
        ["schedule", 1, START],
        ["staleness", 1, START],
        ["volume", 1, START],
      ]);
      const second = await recordAll(some(START + 5));
      expect(second.map(({ count, lastAt }) => [count, lastAt])).toEqual([
        [2, START + 5],
        [2, START + 5],
        [1, START + 5],
      ]);
      expect(second[0]).toEqual({ ...first[0], lastAt: START + 5, count: 2, inputs: { at: START + 5 } });
      const listed = await place.store.decisions.list({ model, limit: 9 });
      expect(listed.map(({ id }) => id)).toEqual([second[2]?.id, first[2]?.id, first[1]?.id, first[0]?.id]);
      const twice = await recordAll([decision({ model, at: START + 6 }), decision({ model, at: START + 7 })]);
      expect(twice.map(({ id, count }) => [id === twice[0]?.id, count])).toEqual([
        [true, 1],
        [true, 2],
      ]);
      expect(await recordAll([])).toEqual([]);
    });

    it("writes settings with the decisions they belong to", async () => {
      const model = "decisions-with-settings";
      const { decisions, settings } = place.store;
      const one = (subject: string, at: number) => decision({ model, subject, at });
      const cases = [[one("a", START), one("b", START)], [one("b", START + 1)], [one("a", START), one("a", START)], []];
      for (const [i, given] of cases.entries()) {
        const recorded = await decisions.recordAll(given, { "with:kept": [i, "two\nlines"] });
        expect([recorded.length, await settings.get("with:kept")]).toEqual([given.length, [i, "two\nlines"]]);
      }
      expect((await decisions.list({ model, limit: 9 })).map(({ count }) => count)).toEqual([2, 3]);
    });

    it("keeps one open alert per key and delivers each change once", async () => {
      const alert = {
        model: "alerts",
        key: "alerts/gate",
        type: "gate.rejected",
        severity: "warning" as const,
        title: "t",
        message: "m",
        evidence: { x: 1 },
        at: START,
      };
      const first = await place.store.alerts.raise(alert);
      const second = await place.store.alerts.raise({ ...alert, at: START + 3, message: "again" });
      expect([first.isNew, second.isNew]).toEqual([true, false]);
      expect(second.alert).toMatchObject({ id: first.alert.id, count: 2, lastAt: START + 3, message: "again" });
      const claimed = await place.store.alerts.claimDeliveries(10, 60_000);
      expect(claimed).toHaveLength(1);
      expect(claimed[0]).toMatchObject({ event: "opened", attempt: 1, alert: first.alert });
      expect(await place.store.alerts.claimDeliveries(10, 60_000)).toEqual([]);
      const delivery = claimed[0] as (typeof claimed)[number];
      await place.store.alerts.finishDelivery(delivery.id, { ok: false, error: "503", retryAt: 0 });
      const [retried] = await place.store.alerts.claimDeliveries(10, 60_000);
      expect(retried).toMatchObject({ id: delivery.id, attempt: 2 });
      await place.store.alerts.finishDelivery(delivery.id, { ok: true });
      const resolved = await place.store.alerts.resolve("alerts/gate", START + 9, "fine again");
      expect(resolved).toMatchObject({ state: "resolved", resolvedAt: START + 9, message: "fine again" });
      expect(await place.store.alerts.resolve("alerts/gate", START + 9, "twice")).toBeUndefined();
      expect(await place.store.alerts.claimDeliveries(10, 60_000)).toMatchObject([{ event: "resolved" }]);
      expect((await place.store.alerts.raise(alert)).isNew).toBe(true);
      expect(await place.store.alerts.list({ model: "alerts", state: "resolved", limit: 5 })).toEqual([resolved]);
      expect(await place.store.alerts.list({ model: "alerts", limit: 5 })).toHaveLength(2);
    });

    it("gives a claimed delivery back when its sender died", async () => {
      await place.store.alerts.claimDeliveries(100, 60_000);
      await place.store.alerts.raise({
        model: null,
        key: "lease",
        type: "place.store.down",
        severity: "critical",
        title: "t",
        message: "m",
        evidence: {},
        at: START,
      });
      const first = await place.store.alerts.claimDeliveries(10, 20);
      expect(first).toHaveLength(1);
      await eventually(async () => {
        const again = await place.store.alerts.claimDeliveries(10, 60_000);
        expect(again.map(({ id }) => id)).toEqual(first.map(({ id }) => id));
      });
    });

    it("keeps settings, positions, signals and audit", async () => {
      await place.store.settings.set("a/one", { x: [1, "two", null] });
      await place.store.settings.setAll({ "a/two": 2, "a%": true, "b/one": "text\nwith line" });
      expect(await place.store.settings.get("a/one")).toEqual({ x: [1, "two", null] });
      expect(await place.store.settings.get("absent")).toBeUndefined();
      expect(await place.store.settings.entries("a/")).toEqual({ "a/one": { x: [1, "two", null] }, "a/two": 2 });
      const position = { source: "s", model: "m", position: { offset: 5 }, updatedAt: START };
      await place.store.settings.saveSourcePosition(position);
      await place.store.settings.saveSourcePosition({ ...position, position: { offset: 6 } });
      expect((await place.store.settings.sourcePosition("s"))?.position).toEqual({ offset: 6 });
      const signal = (value: number) => ({
        model: "signals",
        monitor: "performance",
        subject: "logLoss",
        at: START,
        verdict: "no" as const,
        value,
        threshold: null,
        details: {},
      });
      await place.store.settings.saveSignals([signal(1), signal(2)]);
      expect(await place.store.settings.signals({ model: "signals", limit: 1 })).toEqual([signal(2)]);
    });

    it("keeps tokens and revokes one once", async () => {
      const token = { id: "t1", name: "ci", role: "admin" as const, scopes: [], hash: "h", createdAt: START };
      await place.store.settings.saveToken(token);
      expect(await place.store.settings.tokens()).toEqual([token]);
      expect(await place.store.settings.revokeToken("t1", START + 1)).toBe(true);
      expect(await place.store.settings.revokeToken("t1", START + 2)).toBe(false);
      expect(await place.store.settings.tokens()).toEqual([{ ...token, revokedAt: START + 1 }]);
    });

    it("keeps the first answer of an idempotency key until it is pruned", async () => {
      await place.store.settings.saveIdempotent("k", "h", { ok: 1 });
      await place.store.settings.saveIdempotent("k", "other", { ok: 2 });
      expect(await place.store.settings.idempotent("k")).toEqual({ hash: "h", response: { ok: 1 } });
      await place.store.settings.pruneIdempotent(systemClock.now() + 1000);
      expect(await place.store.settings.idempotent("k")).toBeUndefined();
    });
  });
}
