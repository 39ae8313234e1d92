// What a tick of one model costs on the embedded store: with the rows and labels of an hour waiting, and with nothing new.
import { defineConfig, defineModel, f, when } from "../../src/config/index.ts";
import { createRandom, HOUR_MS } from "../../src/core/index.ts";
import { openTestLoop } from "../../src/testing/loop.ts";
import { type BenchResult, median } from "../harness.ts";

const START = Date.UTC(2026, 2, 2);
const FEATURES = 20;
const ROUNDS = 72;
/** Not counted: a server that has just begun compiles its code meanwhile. */
const WARM_ROUNDS = 24;
const ROWS_AN_HOUR = 50;

const model = defineModel({
  name: "m",
  task: "binary",
  id: "id",
  time: "at",
  features: Object.fromEntries(Array.from({ length: FEATURES }, (_, i) => [`x${i}`, f.number()])),
  label: f.boolean(),
  threshold: 0.5,
  trainer: { name: "linear", params: { epochs: 3 } },
  data: { minRows: 300 },
  gates: [],
  retrain: {
    when: when.any(when.performanceDrop("accuracy"), when.dataDrift(), when.staleness("90d")),
  },
} as never);

export async function ticks(): Promise<BenchResult> {
  const test = await openTestLoop(defineConfig({ models: [model], server: { tickEvery: "1h" } } as never), START);
  const { loop, clock } = test;
  const random = createRandom(3);
  let count = 0;
  const row = (at: number) => {
    const features = Array.from({ length: FEATURES }, (_, i) => [`x${i}`, random.nextFloat() * 2 - 1] as const);
    const label = random.nextFloat() < 1 / (1 + Math.exp(-4 * (features[0]?.[1] ?? 0)));
    return { id: `r${count++}`, at, ...Object.fromEntries(features), label };
  };
  const send = (rows: readonly object[], form: "observation" | "label") =>
    loop.ingest({
      model: "m",
      rows: rows.map((one, i) => ({ rowNumber: i + 1, row: one as Readonly<Record<string, unknown>> })),
      form,
      origin: "bench",
      ...(form === "observation" ? { knownAt: "at+labelDelay" as const } : {}),
    });
  try {
    await send(
      Array.from({ length: 2_000 }, (_, i) => row(START - 20 * 24 * HOUR_MS + i * 800_000)),
      "observation",
    );
    const { run } = await loop.requestRun("m", { reason: "bench", actor: "bench" });
    await test.engine.wait(run.id);
    const busy: number[] = [];
    const quiet: number[] = [];
    for (let hour = 0; hour < ROUNDS; hour++) {
      const from = START + hour * HOUR_MS;
      const rows = Array.from({ length: ROWS_AN_HOUR }, (_, i) => row(from + i * 60_000));
      clock.advanceTo(from + HOUR_MS - 1);
      await loop.predict({ model: "m", rows: rows.map(({ label: _, ...rest }) => rest) });
      await send(
        rows.map(({ id, label }) => ({ id, label })),
        "label",
      );
      for (const times of [busy, quiet]) {
        clock.advanceTo(from + HOUR_MS + (times === busy ? 0 : 1));
        const before = process.hrtime.bigint();
        await loop.tick("m", clock.now());
        if (hour >= WARM_ROUNDS) times.push(Number(process.hrtime.bigint() - before) / 1e6);
      }
    }
    return {
      figures: [
        { name: "tick of a model with an hour's requests and labels", value: median(busy), unit: "ms", atMost: 10 },
        { name: "tick of a model with nothing new", value: median(quiet), unit: "ms", atMost: 10 },
      ],
      notes: [`A tick that looks at ${ROWS_AN_HOUR} requests and labels of ${FEATURES} features folds them first.`],
    };
  } finally {
    await test.dispose();
  }
}
