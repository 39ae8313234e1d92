import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, when } from "../../src/config/index.ts";
import { createRandom, DAY_MS, HOUR_MS, latestDriftSignal } from "../../src/core/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

const START = Date.UTC(2026, 2, 2);
const SIZE = 8;
const model = defineModel({
  name: "m",
  task: "binary",
  id: "id",
  time: "at",
  features: { x: f.number(), note: f.text({ buckets: 64 }), picture: f.vector(SIZE) },
  label: f.boolean(),
  threshold: 0.5,
  trainer: { name: "linear", params: { epochs: 3 } },
  data: { minRows: 300 },
  gates: [],
  retrain: { when: when.event("never") },
  monitors: { dataDrift: { window: "1d", every: "1d" }, conceptDrift: false },
});
const random = createRandom(12);
const WORDS = ["good", "bad", "late", "early", "cheap", "dear"];
let count = 0;

function row(at: number, words: readonly string[]) {
  const isGood = random.nextFloat() < 0.5;
  const other = Array.from({ length: 4 }, () => words[Math.floor(random.nextFloat() * words.length)]);
  return {
    id: `r${count++}`,
    at,
    x: random.nextFloat(),
    note: [isGood ? "good" : "bad", ...other].join(" "),
    picture: Array.from({ length: SIZE }, () => random.nextFloat() * 2 - 1),
    label: isGood,
  };
}

describe("wide features in the drift monitors", () => {
  let test: TestLoop;
  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [model], server: { tickEvery: "1h" } }), START);
    await test.loop.ingest({
      model: "m",
      rows: Array.from({ length: 900 }, (_, i) => ({
        rowNumber: i + 1,
        row: row(START - 10 * DAY_MS + i * 900_000, WORDS) as Readonly<Record<string, unknown>>,
      })),
      form: "observation",
      origin: "test",
      knownAt: "at+labelDelay",
    });
    const { run } = await test.loop.requestRun("m", { reason: "test", actor: "test" });
    await test.engine.wait(run.id);
    await test.loop.advance(START + HOUR_MS);
  }, 120_000);
  afterAll(() => test.dispose());

  it("are compared as whole rows with the rows the champion learned from", async () => {
    const rows = Array.from({ length: 260 }, (_, i) => row(START + 2 * HOUR_MS + i * 10_000, WORDS));
    await test.loop.predict({ model: "m", rows: rows.map(({ label: _, ...rest }) => rest) });
    const same = await test.loop.multivariateDrift({ model: "m", to: START + 4 * HOUR_MS });
    expect(same).toMatchObject({ state: "ready", version: "v1", source: "prediction" });
    expect(same.result).toMatchObject({ verdict: "no-drift", currentRows: 260 });
    expect(same.result?.referenceRows).toBeGreaterThan(500);
  });

  it("say which part of a text moved, and what it weighs for the model", async () => {
    const rows = Array.from({ length: 400 }, (_, i) =>
      row(START + HOUR_MS + i * 60_000, [...WORDS.slice(0, 2), "court"]),
    );
    await test.loop.advance(START + 12 * HOUR_MS);
    await test.loop.predict({ model: "m", rows: rows.map(({ label: _, ...rest }) => rest) });
    await test.loop.advance(START + DAY_MS);
    const signal = latestDriftSignal(await test.store.settings.signals({ model: "m", limit: 50 }), "data-drift");
    expect(signal).toMatchObject({ verdict: "drift", rows: 660 });
    expect(signal?.findings[0]).toMatchObject({ feature: "note · word", verdict: "drift" });
    expect(signal?.findings[0]?.importance).toBeGreaterThan(0.3);
    const verdicts = Object.fromEntries((signal?.findings ?? []).map((one) => [one.feature, one.verdict]));
    expect(verdicts).toMatchObject({
      x: "no-drift",
      "note · length": expect.any(String),
      "picture · norm": "no-drift",
    });
    const view = await test.loop.drift({ model: "m", to: START + DAY_MS });
    const word = view.data?.features.find((one) => one.feature === "note · word");
    expect(word?.of).toBe("note");
    // Five words are drawn in turn; "court" came to two of five places at a third.
    expect(word?.bins.at(-1)).toMatchObject({ label: "(unseen)", reference: 0 });
  });
});
