import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, when } from "../../src/config/index.ts";
import { HOUR_MS } from "../../src/core/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

const START = Date.UTC(2026, 4, 4);
const WRITERS = 32;
const ROWS = 20;
const model = defineModel({
  name: "m",
  task: "binary",
  id: "id",
  time: "at",
  features: { x: f.number() },
  label: f.boolean(),
  threshold: 0.5,
  trainer: { name: "majority" },
  data: { minRows: 300 },
  gates: [],
  retrain: { when: when.event("never") },
});

describe("32 writers at a time", () => {
  let test: TestLoop;
  const send = (rows: readonly object[], form: "observation" | "label") =>
    test.loop.ingest({
      model: "m",
      rows: rows.map((one, i) => ({ rowNumber: i + 1, row: one as Readonly<Record<string, unknown>> })),
      form,
      origin: "test",
      ...(form === "observation" ? { knownAt: "at+labelDelay" as const } : {}),
    });
  const row = (id: string, at: number, i: number) => ({ id, at, x: i % 10, label: i % 4 === 0 });

  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [model], server: { tickEvery: "1h" } }), START);
    await send(
      Array.from({ length: 600 }, (_, i) => row(`h${i}`, START - 700 * 60_000 + i * 60_000, i)),
      "observation",
    );
    const { run } = await test.loop.requestRun("m", { reason: "test", actor: "test" });
    await test.engine.wait(run.id);
  }, 120_000);
  afterAll(() => test.dispose());

  it("are all served, lose nothing, and leave counters as one writer would", async () => {
    const writers = Array.from({ length: WRITERS }, (_, w) =>
      Array.from({ length: ROWS }, (_row, i) => row(`w${w}-${i}`, START + i * 1_000, i)),
    );
    await test.loop.advance(START + HOUR_MS / 2);
    const answers = await Promise.all(
      writers.map((rows) => test.loop.predict({ model: "m", rows: rows.map(({ label: _, ...rest }) => rest) })),
    );
    expect(answers).toHaveLength(WRITERS);
    await Promise.all(
      writers.map((rows) =>
        send(
          rows.map(({ id, label }) => ({ id, label })),
          "label",
        ),
      ),
    );
    await test.loop.advance(START + 2 * HOUR_MS);
    const { rows } = await test.store.folds.counters({ model: "m", counter: "performance", version: "v1" });
    const total = (key: string) => rows.reduce((sum, one) => sum + Number(one.values[key] ?? 0n), 0);
    expect(total("n")).toBe(WRITERS * ROWS);
    // Every fourth label is true and the majority says false.
    expect(total("fn") + total("tp")).toBe((WRITERS * ROWS) / 4);
  });
});
