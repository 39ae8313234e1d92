/** Rows that were refused, and their replay: as they arrived, and only after something was corrected. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Format, readRows } from "../../src/collect/index.ts";
import { defineConfig, defineModel, f, linear, resolveConfig, when } from "../../src/config/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { START } from "../server/support.ts";

/** @param max of the column `x`: the mistake that is corrected */
const config = (max: number) =>
  defineConfig({
    models: [
      defineModel({
        name: "m",
        task: "binary",
        id: "id",
        features: { x: f.number({ max }), y: f.number(), word: f.category() },
        label: f.boolean({ texts: ["no", "yes"] }),
        labelColumn: "label",
        trainer: linear(),
        retrain: { when: when.manual() },
      }),
    ],
    alerts: [],
  });

describe("the quarantine", () => {
  let test: TestLoop;
  beforeAll(async () => {
    test = await openTestLoop(config(10), START);
  }, 60_000);
  afterAll(async () => test.dispose());

  const deliver = async (format: Format, body: string, missing: readonly string[] = []) =>
    test.loop.ingest({
      model: "m",
      form: "observation",
      origin: "http",
      missing,
      rows: readRows(format, Buffer.from(body)),
    });
  const waiting = async () => test.store.quarantine.list({ model: "m", state: "waiting", limit: 10 });
  const stored = async (ids: readonly string[]) =>
    (await test.store.log.findObservations("m", { exampleIds: ids })).map(({ exampleId, features, label }) => [
      exampleId,
      features,
      label,
    ]);
  const drop = async () =>
    test.store.quarantine.mark(
      (await waiting()).map(({ id }) => id),
      "dropped",
    );

  it("takes rows of CSV files after a fix, with what their source takes for missing", async () => {
    expect(await deliver("csv", 'id,x,y,word,label\nc1,50,?,"a, b",yes\n', ["?"])).toMatchObject({ quarantined: 1 });
    expect(await test.loop.replayQuarantine("m")).toEqual({ replayed: 0, stillWaiting: 1 });
    await test.loop.reconfigure(resolveConfig(config(100), { folder: "." }));
    expect(await test.loop.replayQuarantine("m")).toEqual({ replayed: 1, stillWaiting: 0 });
    expect(await stored(["c1"])).toEqual([["c1", { x: 50, y: null, word: "a, b" }, true]]);
    await test.loop.reconfigure(resolveConfig(config(10), { folder: "." }));
  });

  it.each<[Format, string]>([
    ["json", '[{"id":"j1","x":1e999},{"id":"j2","x":-1e999,"y":1}]'],
    ["ndjson", '{"id":"j1","x":1e999}\n{"id":"j2","x":-1e999,"y":1}\n'],
  ])("takes no infinite number for a missing one (%s)", async (format, body) => {
    expect(await deliver(format, body)).toMatchObject({ quarantined: 2 });
    expect(await test.loop.replayQuarantine("m")).toEqual({ replayed: 0, stillWaiting: 2 });
    const reasons = (await waiting()).flatMap(({ reasons: all }) => all.map(({ message }) => message));
    expect(reasons.sort()).toEqual([
      expect.stringContaining('"x" is -Infinity'),
      expect.stringContaining('"x" is Infinity'),
    ]);
    await drop();
  });

  it("converts no text of a JSON row, even where all its values are texts", async () => {
    expect(await deliver("json", '{"id":"t1","x":"5","word":"a"}')).toMatchObject({ quarantined: 1 });
    expect(await test.loop.replayQuarantine("m")).toEqual({ replayed: 0, stillWaiting: 1 });
    expect((await waiting())[0]?.reasons).toMatchObject([{ code: "TYPE_MISMATCH", column: "x" }]);
    await drop();
  });

  it("keeps what is no row for a person to see", async () => {
    await deliver("csv", "id,x\nr1\n");
    expect(await test.loop.replayQuarantine("m")).toEqual({ replayed: 0, stillWaiting: 1 });
    expect((await waiting())[0]).toMatchObject({ raw: "r1", reasons: [{ code: "ROW_RAGGED" }] });
    await drop();
  });
});
