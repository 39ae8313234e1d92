import { appendFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, linear, resolveConfig, source, when } from "../../src/config/index.ts";
import { silentLogger, systemClock } from "../../src/core/index.ts";
import type { LoopContext } from "../../src/loop/context.ts";
import { SourcePoller } from "../../src/loop/sources.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { START } from "../server/support.ts";

/** Rows without a time: their place in the file is all the order there is. */
const model = (name: string, id?: string) =>
  defineModel({
    name,
    task: "binary",
    ...(id === undefined ? {} : { id }),
    features: { x: f.number() },
    label: f.boolean(),
    trainer: linear(),
    retrain: { when: when.manual() },
  });

describe("sources", () => {
  let folder: string;
  let test: TestLoop;
  let poller: SourcePoller;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "loop-sources-"));
    mkdirSync(join(folder, "parts"));
    const sources = [
      source.file(join(folder, "named.csv"), { model: "named" }),
      source.file(join(folder, "placed.csv"), { model: "placed" }),
      source.file(join(folder, "quoted.csv"), { model: "quoted" }),
      source.folder(join(folder, "parts"), { model: "foldered" }),
    ];
    const models = [model("named", "id"), model("placed"), model("foldered"), model("quoted", "id")];
    test = await openTestLoop(defineConfig({ models, alerts: [] }), START);
    // The loop's own poller has no sources here: a test decides when a file is looked at.
    const { sources: specs } = resolveConfig(defineConfig({ models, sources, alerts: [] }), { folder });
    const { store, objects, engine, clock } = test;
    const parts = { store, objects, engine, worldClock: clock, systemClock, logger: silentLogger, emit: () => {} };
    const context = { ...parts, spec: { ...test.loop.spec, sources: specs.map((one) => ({ ...one, pollMs: 0 })) } };
    poller = new SourcePoller(context as unknown as LoopContext, (request) => test.loop.ingest(request));
  }, 60_000);
  afterAll(async () => {
    await test.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  const poll = async () => {
    test.clock.advanceTo(test.clock.now() + 1000);
    await poller.pollDue();
  };
  const counts = async (name: string) => {
    const { events, labelled } = await test.store.log.counts(name, {});
    return [events.observation, labelled];
  };
  const examples = async (name: string, ids: readonly string[]) =>
    (await test.store.log.findObservations(name, { exampleIds: ids })).map(({ exampleId, features }) => [
      exampleId,
      features["x"],
    ]);

  it("alert that a file is not there, until it is", async () => {
    const alerts = async (state: "open" | "resolved") =>
      (await test.store.alerts.list({ model: "placed", state, limit: 5 })).map(({ message }) => message);
    await poll();
    await poll();
    expect(await alerts("open")).toEqual([expect.stringMatching(/^There is no file .*placed\.csv\./)]);
    expect((await test.store.alerts.list({ model: "placed", limit: 5 })).map(({ count }) => count)).toEqual([1]);
    writeFileSync(join(folder, "placed.csv"), "x,label\n");
    await poll();
    expect([await alerts("open"), await alerts("resolved")]).toEqual([
      [],
      [expect.stringContaining("can be read again")],
    ]);
    rmSync(join(folder, "placed.csv"));
  });

  it("alert of a quote that cuts a file off, until the file is read on", async () => {
    const path = join(folder, "quoted.csv");
    const states = async () =>
      (await test.store.alerts.list({ model: "quoted", limit: 5 }))
        .filter(({ type }) => type === "data.anomaly")
        .map(({ message, state }) => [message.slice(0, 44), state]);
    const put = (text: string) => {
      writeFileSync(path, text);
      const longAgo = new Date(Date.now() - 60_000);
      utimesSync(path, longAgo, longAgo);
    };
    put('id,x,label\nq1,1,yes\n"q2,2,yes\nq3,3,no\n');
    await poll();
    await poll();
    const told = "The quote opened in line 3 of quoted.csv is ";
    expect([await counts("quoted"), await states()]).toEqual([[1, 1], [[told, "open"]]]);
    put('id,x,label\nq1,1,yes\n"q2",2,yes\nq3,3,no\n');
    await poll();
    expect([await counts("quoted"), await states()]).toEqual([[3, 3], [[expect.any(String), "resolved"]]]);
  });

  it("count rows of a rewritten file once, and take those that changed or are new", async () => {
    const path = join(folder, "named.csv");
    const lines = (rows: readonly string[]) => `id,x,label\n${rows.join("\n")}\n`;
    const rows = Array.from({ length: 2500 }, (_, i) => `r${i},${i},${i % 2 === 0 ? "yes" : "no"}`);
    writeFileSync(path, lines(rows));
    await poll();
    expect(await counts("named")).toEqual([2500, 2500]);
    // A line put on top, one changed, one at the end: the whole prefix is another.
    writeFileSync(path, lines(["new,1,no", ...rows.with(1200, "r1200,-5,yes"), "last,2,yes"]));
    await poll();
    expect(await counts("named")).toEqual([2503, 2503]);
    expect(await examples("named", ["r1200"])).toEqual([["r1200", -5]]);
    const batches = await test.store.quarantine.batches({ model: "named", limit: 3 });
    expect(batches.reduce((sum, batch) => sum + batch.duplicateCount, 0)).toBe(2499);
    const alerts = await test.store.alerts.list({ model: "named", limit: 5 });
    expect(alerts.map(({ message }) => message).join()).toContain("is read again from the start");
    appendFileSync(path, "r0,0,yes\n");
    await poll();
    // Appended again by hand, after the rewrite was dealt with: that is news.
    expect(await counts("named")).toEqual([2504, 2504]);
  }, 60_000);

  it("give rows without an id one example each, also those appended later", async () => {
    const path = join(folder, "placed.csv");
    writeFileSync(path, "x,label\n1,yes\n2,no\n");
    await poll();
    appendFileSync(path, "3,yes\n");
    await poll();
    const found = await test.store.log.recent("placed", { kind: "observation", limit: 10 });
    expect(new Set(found.map(({ exampleId }) => exampleId)).size).toBe(3);
  });

  it("tell rows of two files in one folder apart", async () => {
    for (const file of ["a.csv", "b.csv"]) writeFileSync(join(folder, "parts", file), "x,label\n1,yes\n2,no\n");
    for (const file of ["a.csv", "b.csv"]) utimesSync(join(folder, "parts", file), 1_700_000_000, 1_700_000_000);
    appendFileSync(join(folder, "parts", "b.csv"), "3,no\n");
    utimesSync(join(folder, "parts", "b.csv"), 1_700_000_001, 1_700_000_001);
    await poll();
    const found = await test.store.log.recent("foldered", { kind: "observation", limit: 10 });
    expect(new Set(found.map(({ exampleId }) => exampleId)).size).toBe(5);
  });
});
