/** Texts, vectors and images through the whole loop: a network trained in a real process, gated, served, explained, reproduced. */
import { encode as encodePng } from "fast-png";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, gate, linear, mlp, when } from "../../src/config/index.ts";
import { createRandom, DAY_MS, HOUR_MS } from "../../src/core/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

const START = Date.UTC(2026, 0, 1);
const shared = {
  task: "binary",
  id: "ticket",
  time: "at",
  label: f.boolean(),
  data: { minRows: 300 },
  retrain: { when: when.newLabels(300), cooldown: "1h", maxPerDay: 10 },
  gates: [gate.betterThanBaseline("logLoss")],
} as const;
const tickets = defineModel({
  ...shared,
  name: "tickets",
  features: {
    note: f.text({ buckets: 128 }),
    place: f.vector(3),
    photo: f.image({ width: 4, height: 4 }),
    urgent: f.boolean(),
  },
  trainer: mlp({ hidden: [16], epochs: 30 }),
});
/** Nothing but a text, with no scalar feature beside it. */
const notes = defineModel({ ...shared, name: "notes", features: { note: f.text() }, trainer: linear() });

const CALM = ["thank you", "lovely work", "all is well", "see you soon"];
const ANGRY = ["this is broken", "refund my money", "never again", "broken twice"];

function photo(bright: boolean, random: ReturnType<typeof createRandom>): string {
  const data = Uint8Array.from({ length: 64 }, () => (bright ? 150 : 0) + random.nextInt(100));
  return Buffer.from(encodePng({ width: 8, height: 8, channels: 1, data })).toString("base64");
}

function rows(count: number, seed: number) {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const angry = random.nextInt(2) === 1;
    const bright = random.nextInt(2) === 1;
    const words = (angry ? ANGRY : CALM)[random.nextInt(4)] as string;
    return {
      ticket: `${seed}-${i}`,
      at: START - 20 * DAY_MS + i * 15 * 60_000,
      note: random.nextInt(20) === 0 ? null : `${words} ${random.nextInt(100)}`,
      place: [random.nextFloat(), random.nextFloat() * 50, -1],
      photo: random.nextInt(20) === 0 ? null : photo(bright, random),
      urgent: random.nextInt(2) === 1,
      label: angry !== bright ? random.nextFloat() < 0.95 : random.nextFloat() < 0.05,
    };
  });
}
const readings = (list: readonly Record<string, unknown>[]) => list.map((row, i) => ({ rowNumber: i + 1, row }));

describe("a model of texts, vectors and images in the loop", () => {
  let test: TestLoop;
  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [tickets, notes] }), START);
  }, 60_000);
  afterAll(async () => test.dispose());
  const ingest = (model: string, list: readonly Record<string, unknown>[]) =>
    test.loop.ingest({ model, form: "observation", origin: "http", rows: readings(list) });

  it("quarantines broken images and vectors by name and takes the rest", async () => {
    const list = rows(900, 1);
    const bad = [
      { ...list[0], ticket: "bad-1", photo: "aGVsbG8=" },
      { ...list[1], ticket: "bad-2", place: [1, 2] },
    ];
    expect(await ingest("tickets", [...list, ...bad])).toMatchObject({ accepted: 900, quarantined: 2 });
    const waiting = await test.store.quarantine.list({ model: "tickets", limit: 10 });
    expect(waiting.map(({ reasons }) => String(reasons[0]?.code)).sort()).toEqual(["IMAGE_INVALID", "VECTOR_INVALID"]);
    const calls = list.map(({ ticket, at, note, label }) => ({
      ticket,
      at,
      note,
      label: note === null ? label : ANGRY.some((words) => note.startsWith(words)),
    }));
    expect(await ingest("notes", calls)).toMatchObject({ accepted: 900 });
  });

  it("trains both, and they go live", async () => {
    const advanced = await test.loop.advance(START + 2 * HOUR_MS);
    const runs = await Promise.all(advanced.runs.map((id) => test.store.runs.get(id)));
    expect(runs.map((run) => run?.error)).toEqual([undefined, undefined]);
    expect(runs.map((run) => `${run?.model} ${run?.state}`).sort()).toEqual(["notes promoted", "tickets promoted"]);
  }, 90_000);

  it("answers by what text and image say together, which no sum of columns could", async () => {
    const random = createRandom(5);
    const ask = async (note: string, bright: boolean) => {
      const row = { note, photo: photo(bright, random), place: [0.5, 20, -1], urgent: false };
      const answer = await test.loop.predict({ model: "tickets", rows: [row], log: false });
      return answer.predictions[0]?.score as number;
    };
    expect(await ask("broken twice 7", false)).toBeGreaterThan(0.7);
    expect(await ask("broken twice 7", true)).toBeLessThan(0.3);
    expect(await ask("lovely work", true)).toBeGreaterThan(0.7);
    expect(await ask("lovely work", false)).toBeLessThan(0.3);
  });

  it("explains a text by its terms, whose contributions add up to the score", async () => {
    const row = { note: "refund my money" };
    const { predictions } = await test.loop.predict({ model: "notes", rows: [row], log: false, trace: true });
    const trace = predictions[0]?.trace as unknown as {
      readonly prepared: readonly { readonly raw: string; readonly contribution: number }[];
      readonly intercept: number;
      readonly raw: readonly number[];
    };
    expect(trace.prepared.map(({ raw }) => raw)).toContainEqual(expect.stringContaining("refund"));
    const sum = trace.prepared.reduce((total, { contribution }) => total + contribution, trace.intercept);
    expect(sum).toBeCloseTo(trace.raw[0] as number, 9);
    expect(predictions[0]?.score).toBeGreaterThan(0.7);
  });

  it("reproduces the network bit for bit, from rows that went through the log", async () => {
    expect(await test.loop.reproduce("tickets", "v1")).toMatchObject({ equal: true });
  }, 60_000);
});
