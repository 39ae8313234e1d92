/** What every store must do with the log and its folds. */
import { describe, expect, it } from "vitest";
import {
  type AppendResult,
  type LabelEvent,
  LOG_START,
  type ObservationEvent,
  refusedRowsOf,
  type Store,
  systemClock,
} from "../../src/core/index.ts";
import { openStore } from "../../src/storage/store.ts";
import { eventually, label, logSchema, observation, prediction, START } from "../storage/support/events.ts";
import { codeOf, codeThrown, type StorePlace } from "./store-place.ts";

export function describeLog(place: StorePlace): void {
  describe("the log", () => {
    it("gives events back in order, as of the world clock, before and after compaction", async () => {
      const model = "log-order";
      place.clock.advanceTo(place.clock.now() + 1000);
      const events = [observation("e1"), prediction("p1", "e1"), label("e1", true)];
      const { receivedAt } = await place.store.log.append({ model, events });
      expect(receivedAt).toBe(place.clock.now());
      const read = await place.readAll(model, 3);
      expect(read.events).toMatchObject(events);
      expect(read.events.every((event) => event.receivedAt === receivedAt)).toBe(true);
      expect(read.more).toBe(false);
      await place.store.log.compact();
      expect((await place.store.log.segments(model)).map(({ kind, rows }) => [kind, rows])).toEqual(
        expect.arrayContaining([
          ["observation", 1],
          ["prediction", 1],
          ["label", 1],
        ]),
      );
      expect(await place.readAll(model, 3)).toEqual(read);
      expect(await place.store.log.hasAfter(model, read.cursor)).toBe(false);
      await place.store.log.append({ model, events: [observation("e2")] });
      await eventually(async () => expect(await place.store.log.hasAfter(model, read.cursor)).toBe(true));
      const rest = await place.readAll(model, 1, {}, read.cursor);
      expect(rest.events).toMatchObject([observation("e2")]);
      const labels = await place.readAll(model, 1, { kinds: ["label"] });
      expect(labels.events).toMatchObject([label("e1", true)]);
    });

    it("says which rows of a request cannot be stored, stores nothing of it, and fails no request beside it", async () => {
      const model = "log-refused";
      const { database } = place.test;
      await database.query(
        "alter table ingest add constraint no_poison check (model <> 'log-refused' or example_ids not like '%poison%')",
      );
      try {
        const ids = Array.from({ length: 40 }, (_, i) => (i === 7 || i === 31 ? `poison-${i}` : `e${i}`));
        const bad = place.store.log.append({ model, events: ids.map((id) => observation(id)) });
        const good = place.store.log.append({ model, events: [observation("beside")] });
        const error: unknown = await bad.catch((one: unknown) => one);
        expect(refusedRowsOf(error)?.map(({ index }) => index)).toEqual([7, 31]);
        expect((error as Error).message).toMatch(
          /^2 rows of the request cannot be stored; nothing of it was\. Row 8: /,
        );
        await good;
        expect((await place.readAll(model, 1)).events).toMatchObject([observation("beside")]);
        expect((await place.store.log.counts(model, {})).events.observation).toBe(1);
      } finally {
        await database.query("alter table ingest drop constraint no_poison");
      }
      const unspeakable = { ...observation("e1"), features: { amount: Number.NaN } };
      const refused = await place.store.log
        .append({ model, events: [observation("e0"), unspeakable] })
        .catch((one: unknown) => refusedRowsOf(one));
      expect(refused).toMatchObject([{ index: 1, code: "NUMBER_NOT_FINITE" }]);
    });

    it("keeps of each row when it was received and known, of requests that share a commit too", async () => {
      const model = "log-shared-commit";
      const now = place.clock.now();
      const one = (id: string) => place.store.log.append({ model, events: [observation(id)] });
      const imported = (id: string, knownAt: number) =>
        place.store.log.append({ model, events: [observation(id)], knownAt: [knownAt] });
      const first = one("a");
      await Promise.all([
        first,
        one("b"),
        one("c"),
        imported("d", now - 9),
        imported("e", now - 8),
        one("f"),
        one("g"),
      ]);
      const known = [[now - 9, now] as const, [now - 8, now] as const];
      const plain = [now, undefined] as const;
      const wanted = [plain, plain, plain, ...known, plain, plain];
      for (let pass = 0; pass < 2; pass++) {
        const { events } = await place.readAll(model, 7);
        expect(events.map((event) => (event as { exampleId?: string }).exampleId).join("")).toBe("abcdefg");
        expect(events.map(({ receivedAt, importedAt }) => [receivedAt, importedAt])).toEqual(wanted);
        await place.store.log.compact();
      }
    });

    it("finds rows whose example is known by their prediction's id alone, beside others", async () => {
      const model = "log-same-ids";
      const ids = ["p1", "p2", "p3"];
      const find = async (keys: { exampleIds?: readonly string[]; predictionIds?: readonly string[] }) =>
        (await place.store.log.findPredictions(model, keys)).map(({ predictionId }) => predictionId);
      await place.store.log.append({ model, events: ids.map((id) => prediction(id, id)) });
      await place.store.log.append({
        model,
        events: [prediction("p4", "p4"), prediction("p5", "e5"), label("e5", true)],
      });
      for (let pass = 0; pass < 2; pass++) {
        expect(await find({ exampleIds: ["p2", "p5"] })).toEqual(["p2"]);
        expect(await find({ exampleIds: ["e5", "p3", "p4"] })).toEqual(["p3", "p4", "p5"]);
        expect(await find({ predictionIds: ["p1", "p5", "e5"] })).toEqual(["p1", "p5"]);
        expect((await place.readAll(model, 6)).events).toMatchObject([
          ...ids.map((id) => ({ predictionId: id, exampleId: id })),
          { predictionId: "p4", exampleId: "p4" },
          { predictionId: "p5", exampleId: "e5" },
          { exampleId: "e5" },
        ]);
        await place.store.log.compact();
      }
    });

    it("does not count a challenger's mirrored answers as predictions, nor as labelled", async () => {
      const model = "log-unasked";
      const shadow = (id: string) => ({ ...prediction(id, "e1"), origin: "shadow" as const });
      const from = place.clock.now();
      place.clock.advanceTo(from + 200);
      await place.store.log.append({ model, events: [prediction("p1", "e1"), shadow("s1"), shadow("s2")] });
      place.clock.advanceTo(from + 400);
      await place.store.log.append({ model, events: [shadow("s3"), label("e1", true), prediction("p2", "e1")] });
      const wanted = { events: { observation: 0, prediction: 2, label: 1, outcome: 0 }, labelled: 1 };
      // Whole buckets come from sums; a range that cuts through one is counted in the tail, and in segments after compaction.
      const first = { events: { observation: 0, prediction: 1, label: 0, outcome: 0 }, labelled: 0 };
      for (let pass = 0; pass < 2; pass++) {
        expect(await place.store.log.counts(model, {})).toMatchObject(wanted);
        expect(await place.store.log.counts(model, { until: from + 300 })).toMatchObject(first);
        await place.store.log.compact();
      }
      expect((await place.readAll(model, 6)).events).toHaveLength(6);
    });

    it("writes the records of a request together with its events, and repeats nothing under one key", async () => {
      const model = "log-idempotent";
      const batch = {
        id: "batch-1",
        model,
        receivedAt: START,
        origin: "http",
        rowCount: 2,
        acceptedCount: 1,
        quarantinedCount: 1,
        duplicateCount: 0,
        anomalies: [],
      };
      const quarantined = {
        id: "q1",
        model,
        batchId: "batch-1",
        rowNumber: 2,
        receivedAt: START,
        raw: '{"age":"old"}\u0000',
        form: "observation" as const,
        reasons: [{ code: "TYPE", message: "age is no number" }],
        state: "waiting" as const,
      };
      const request = {
        model,
        events: [observation("i1")],
        batch,
        quarantined: [quarantined],
        source: { source: "file", model, position: { offset: 9 }, updatedAt: START },
        idempotency: { key: "key-1", hash: "h1", response: { accepted: 1 } },
      };
      const answers: AppendResult[] = await Promise.all([
        place.store.log.append(request),
        place.store.log.append(request),
      ]);
      answers.push(await place.store.log.append(request));
      expect(answers.filter(({ replayed }) => replayed === undefined)).toHaveLength(1);
      expect(answers[2]?.replayed).toEqual({ accepted: 1 });
      const other = place.store.log.append({ ...request, idempotency: { ...request.idempotency, hash: "h2" } });
      // What is stored is a hash of the caller's key, which says nothing to anybody.
      await expect(other).rejects.toMatchObject({
        code: "IDEMPOTENCY_MISMATCH",
        message: expect.not.stringContaining("key-1"),
      });
      expect((await place.readAll(model, 1)).events).toHaveLength(1);
      expect(await place.store.quarantine.batches({ model, limit: 5 })).toEqual([batch]);
      expect(await place.store.quarantine.list({ model, limit: 5 })).toEqual([quarantined]);
      expect((await place.store.settings.sourcePosition("file"))?.position).toEqual({ offset: 9 });
      expect(await place.store.quarantine.count(model)).toBe(1);
      await place.store.quarantine.mark(["q1"], "replayed");
      expect(await place.store.quarantine.count(model)).toBe(0);
      expect(await place.store.quarantine.list({ model, state: "replayed", limit: 5 })).toHaveLength(1);
    });

    it("does not let one request fail another that waits with it", async () => {
      const model = "log-poison";
      const bad = { ...observation("bad"), at: 0.5 };
      const huge = { ...observation("huge"), at: Number.MAX_SAFE_INTEGER };
      const nan = observation("nan", { age: Number.NaN });
      const poisonedKey = {
        model,
        events: [observation("x")],
        idempotency: { key: "nul\u0000key", hash: "h", response: null },
      };
      const results = await Promise.allSettled([
        place.store.log.append({ model, events: [observation("ok1")] }),
        place.store.log.append({ model, events: [bad] }),
        place.store.log.append({ model, events: [nan] }),
        place.store.log.append(poisonedKey),
        place.store.log.append({ model, events: [huge, observation("\u0000\ud800", { job: "\udfff\u0000" })] }),
      ]);
      expect(results.map(({ status }) => status)).toEqual([
        "fulfilled",
        "rejected",
        "rejected",
        "rejected",
        "fulfilled",
      ]);
      const { events } = await place.readAll(model, 3);
      expect(events.map((event) => event.exampleId)).toEqual(["ok1", "huge", "\u0000\ud800"]);
      expect((events[2] as ObservationEvent).features["job"]).toBe("\udfff\u0000");
    });

    it("keeps when an import was known, and refuses knowledge from the future", async () => {
      const model = "log-import";
      const past = place.clock.now() - 50_000;
      await place.store.log.append({ model, events: [observation("h1")], knownAt: [past] });
      const { events } = await place.readAll(model, 1);
      expect(events[0]).toMatchObject({ receivedAt: past, importedAt: place.clock.now() });
      const future = place.store.log.append({ model, events: [observation("h2")], knownAt: [place.clock.now() + 1] });
      expect(await codeThrown(future)).toBe("KNOWN_AT_INVALID");
      const short = place.store.log.append({ model, events: [observation("h2")], knownAt: [] });
      expect(await codeThrown(short)).toBe("KNOWN_AT_INVALID");
    });

    it("finds predictions, labels and observations by any id, in tail and segments", async () => {
      const model = "log-find";
      const steps = [
        [prediction("f1", "e1"), observation("e1", { age: 1 }, { label: true })],
        [prediction("f2", "e1"), label("e1", false)],
        [observation("e1", { age: 2 }), { ...label(undefined, true), predictionId: "f1" } as LabelEvent],
      ];
      const asOf: number[] = [];
      for (const events of steps) {
        place.clock.advanceTo(place.clock.now() + 10);
        asOf.push((await place.store.log.append({ model, events })).receivedAt);
        if (asOf.length === 2) await place.store.log.compact();
      }
      const predictions = (keys: object) => place.store.log.findPredictions(model, keys);
      const ids = async (keys: object) => (await predictions(keys)).map(({ predictionId }) => predictionId);
      expect(await ids({ exampleIds: ["e1", "none"] })).toEqual(["f1", "f2"]);
      expect(await ids({ predictionIds: ["f2"] })).toEqual(["f2"]);
      expect(await ids({ exampleIds: ["e1"], asOf: asOf[0] })).toEqual(["f1"]);
      expect(await ids({})).toEqual([]);
      const labels = await place.store.log.findLabels(model, { exampleIds: ["e1"], predictionIds: ["f1"] });
      expect(labels.map(({ value, labelSource }) => [value, labelSource])).toEqual([
        [true, "system"],
        [false, "user"],
        [true, "user"],
      ]);
      expect(await place.store.log.findLabels(model, { exampleIds: ["e1"], asOf: asOf[0] as number })).toHaveLength(1);
      const newest = await place.store.log.findObservations(model, { exampleIds: ["e1"] });
      expect(newest.map(({ features }) => features["age"])).toEqual([2]);
      const older = await place.store.log.findObservations(model, { exampleIds: ["e1"], asOf: asOf[1] as number });
      expect(older.map(({ features }) => features["age"])).toEqual([1]);
    });

    it("lists recent events newest first, page by page over segments and tail", async () => {
      const model = "log-recent";
      for (let i = 0; i < 7; i++) {
        await place.store.log.append({ model, events: [observation(`r${i}`)] });
        if (i === 1 || i === 4) await place.store.log.compact();
      }
      const seen: (string | undefined)[] = [];
      let before: string | undefined;
      for (;;) {
        const page = await place.store.log.recent(model, {
          kind: "observation",
          limit: 2,
          ...(before === undefined ? {} : { before }),
        });
        const last = page.at(-1);
        if (!last) break;
        seen.push(...page.map((event) => event.exampleId));
        before = `${last.transactionId}-${last.seq}`;
      }
      expect(seen).toEqual(["r6", "r5", "r4", "r3", "r2", "r1", "r0"]);
      const bad = place.store.log.recent(model, { kind: "label", limit: 1, before: "1 or 1=1" });
      expect(await codeThrown(bad)).toBe("BODY_INVALID");
    });

    it("says when the queue is full instead of filling the memory", async () => {
      const small = await openStore({
        database: place.test.database,
        directory: place.test.directory,
        worldClock: place.clock,
        systemClock,
        schemaOf: logSchema,
        logLimits: { maxQueuedRows: 5 },
      });
      const model = "log-full";
      const results = await Promise.allSettled(
        Array.from({ length: 9 }, (_, i) => small.log.append({ model, events: [observation(`q${i}`)] })),
      );
      const refused = results.filter((result) => result.status === "rejected");
      expect(refused.map(({ reason }) => codeOf(reason))).toEqual(Array(4).fill("TOO_MANY_REQUESTS"));
      await small.close();
      expect(await codeThrown(small.log.append({ model, events: [] }))).toBe("STORE_UNAVAILABLE");
      const { events } = await place.readAll(model, 5);
      expect(events).toHaveLength(5);
    });
  });

  describe("folds", () => {
    const change = (expectedFoldSeq: number, knownThrough: number, count: bigint) => ({
      expectedFoldSeq,
      cursor: { transactionId: BigInt(expectedFoldSeq + 1), seq: 5n },
      knownThrough,
      state: { n: expectedFoldSeq },
      counters: [{ counter: "performance", version: "v1", bucket: 0, values: { rows: count } }],
    });

    it("lets one of two folders commit, and sums what was committed", async () => {
      const model = "folds-race";
      expect(await place.store.folds.read(model, "labels")).toMatchObject({
        foldSeq: 0,
        cursor: LOG_START,
        state: null,
      });
      const other = await place.openOne();
      const won = await Promise.all([
        place.store.folds.commit(model, "labels", change(0, 10, 1n)),
        other.folds.commit(model, "labels", change(0, 10, 100n)),
      ]);
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await place.store.folds.commit(model, "labels", change(7, 10, 1n))).toBe(false);
      expect(await place.store.folds.commit(model, "labels", change(1, 20, 1n))).toBe(true);
      const sum = won[0] ? 2n : 101n;
      const { rows, exact } = await place.store.folds.counters({ model, counter: "performance" });
      expect(rows).toEqual([{ counter: "performance", version: "v1", bucket: 0, values: { rows: sum } }]);
      expect(exact).toBe(true);
      const state = await place.store.folds.read(model, "labels");
      expect(state).toEqual({
        cursor: { transactionId: 2n, seq: 5n },
        foldSeq: 2,
        knownThrough: 20,
        state: { n: 1 },
      });
      await other.close();
    });

    it("sums counters as integers of any size: every unit counts, in whatever order it is read", async () => {
      const model = "folds-exact";
      const huge = 2n ** 80n;
      const sum = async (store: Store) =>
        (await store.folds.counters({ model, counter: "performance" })).rows[0]?.values["rows"];
      for (const [i, count] of [huge, 1n, 3n].entries()) {
        await place.store.folds.commit(model, "labels", change(i, 10 + i, count));
        // Asked in between too: the sums then go on from what is in memory.
        if (i === 0) expect(await sum(place.store)).toBe(huge);
      }
      // Another process begins with all rows at once.
      const other = await place.openOne();
      expect([await sum(place.store), await sum(other)]).toEqual([huge + 4n, huge + 4n]);
      await other.close();
      await place.store.folds.collapse(model, 100);
      await place.store.folds.commit(model, "labels", change(3, 200, -huge));
      const last = await place.openOne();
      expect([await sum(place.store), await sum(last)]).toEqual([4n, 4n]);
      await last.close();
    });

    it("leaves out folds that knew more than the asked instant, and says when it cannot tell", async () => {
      const model = "folds-as-of";
      const at = place.clock.now();
      const known = async (knownAt: number) => {
        await place.store.log.append({ model, events: [observation(`k${knownAt}`)], knownAt: [knownAt] });
      };
      const commit = async (seq: number, through: number) => {
        const { rows } = await place.test.database.query<{ xid: string }>("select pg_current_xact_id()::text as xid");
        const cursor = { transactionId: BigInt(rows[0]?.xid ?? "0"), seq: 0n };
        await place.store.folds.commit(model, "labels", { ...change(seq, through, 1n), cursor });
      };
      await known(at - 100);
      await commit(0, at - 100);
      await known(at - 50);
      await commit(1, at - 50);
      const asOf = async (instant: number) => {
        const { rows, exact } = await place.store.folds.counters({ model, counter: "performance", asOf: instant });
        return [rows[0]?.values["rows"] ?? 0n, exact];
      };
      expect(await asOf(at)).toEqual([2n, true]);
      expect(await asOf(at - 60)).toEqual([1n, true]);
      expect(await asOf(at - 101)).toEqual([0n, true]);
      await known(at - 45);
      await known(at - 40);
      await commit(2, at - 40);
      expect(await asOf(at - 42)).toEqual([2n, false]);
      expect(await asOf(at - 40)).toEqual([3n, true]);
      await known(at - 70);
      await commit(3, at);
      expect(await asOf(at - 60)).toEqual([1n, false]);
      expect(await asOf(at - 80)).toEqual([1n, true]);
      await place.store.folds.collapse(model, at - 45);
      expect(await asOf(at - 90)).toEqual([0n, false]);
      expect(await asOf(at)).toEqual([4n, true]);
      expect(await asOf(at - 40)).toEqual([3n, false]);
    });

    it("gives the same sums after a collapse, also to a store that had read half of it", async () => {
      const model = "folds-collapse";
      const other = await place.openOne();
      const sum = async (from: Store) =>
        (await from.folds.counters({ model, counter: "performance" })).rows[0]?.values["rows"];
      for (let i = 0; i < 3; i++) await place.store.folds.commit(model, "labels", change(i, 10 + i, 1n));
      expect(await sum(other)).toBe(3n);
      for (let i = 3; i < 6; i++) await place.store.folds.commit(model, "labels", change(i, 10 + i, 1n));
      await place.store.folds.collapse(model, 15);
      expect(await sum(place.store)).toBe(6n);
      // An embedded database has one store, which therefore asks only after its own commits.
      if (place.test.database.kind === "server") expect(await sum(other)).toBe(6n);
      await other.close();
    });

    it("keeps labels without a partner until they are removed", async () => {
      const model = "folds-pending";
      await place.store.log.append({ model, events: [label("z\u0000", true), label("z\u0000", false)] });
      const { events } = await place.readAll(model, 2);
      const pending = events.map((event) => ({ key: "example:z\u0000", label: event as typeof event & LabelEvent }));
      await place.store.folds.commit(model, "labels", { ...change(0, 10, 1n), addPending: pending });
      expect(await place.store.folds.pendingLabels(model, ["example:z\u0000", "other"])).toEqual(pending);
      expect(await place.store.folds.pendingCount(model)).toBe(2);
      const stale = await place.store.folds.commit(model, "labels", {
        ...change(0, 10, 1n),
        removePending: ["example:z\u0000"],
      });
      expect([stale, await place.store.folds.pendingCount(model)]).toEqual([false, 2]);
      await place.store.folds.commit(model, "labels", { ...change(1, 10, 1n), removePending: ["example:z\u0000"] });
      expect(await place.store.folds.pendingCount(model)).toBe(0);
    });
  });
}
