// Spans of time are told as people write them, not in milliseconds.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, majority, when } from "../../src/config/index.ts";
import { DAY_MS, HOUR_MS, silentLogger, systemClock } from "../../src/core/index.ts";
import { createServer, type Server } from "../../src/server/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { runCommand } from "./support.ts";

const START = Date.UTC(2026, 2, 2);
const model = defineModel({
  name: "m",
  task: "binary",
  time: "at",
  features: { x: f.number() },
  label: f.boolean(),
  trainer: majority(),
  gates: [],
  data: { minRows: 300 },
  retrain: {
    when: when.any(when.debounce("36h", when.newLabels(10)), when.every("90d"), when.staleness("60d")),
  },
});

describe("the explanation of triggers", () => {
  let test: TestLoop;
  let server: Server;
  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [model], server: { tickEvery: "1h" } }), START - DAY_MS);
    server = await createServer({ loop: test.loop, systemClock, logger: silentLogger, replay: true });
    const send = (count: number) =>
      test.loop.ingest({
        model: "m",
        form: "observation",
        origin: "http",
        rows: Array.from({ length: count }, (_, i) => ({
          rowNumber: i + 1,
          row: { at: test.clock.now() - DAY_MS + i, x: i % 7, label: i % 3 === 0 },
        })),
      });
    await send(400);
    await test.loop.advance(START);
    await send(20);
    await test.loop.advance(START + 13 * HOUR_MS);
  }, 60_000);
  afterAll(async () => {
    await server.close();
    await test.dispose();
  });

  it("shows spans of time with their units, and since when a debounce has waited", async () => {
    const { url } = await server.listen({ host: "127.0.0.1", port: 0 });
    const { stdout, code } = await runCommand("triggers", "explain", "m", "--url", url);
    expect(code).toBe(0);
    expect(stdout).toMatch(/debounce\(36h\) +no .*since 2026-03-02 0\d:\d\d, limit 1\.5d/);
    expect(stdout).toMatch(/every\(90d\) +no .*elapsed [\d.]+[dh], limit 90d/);
    expect(stdout).toMatch(/staleness\(60d\) +no .*age [\d.]+d, limit 60d/);
    // Of the table of triggers alone: the id of a run may hold as many digits.
    expect(stdout.split("\n\n")[1]).not.toMatch(/Ms |\d{7}/);
  });
});
