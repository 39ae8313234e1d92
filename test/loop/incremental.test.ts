/** Learning example by example: a stream that drifts, a restart in the middle, the gate, and the same bits when the log is read again. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, gate, linear, when } from "../../src/config/index.ts";
import { createRandom, HOUR_MS } from "../../src/core/index.ts";
import { parseManifest } from "../../src/model/index.ts";
import { parseFold } from "../../src/train/index.ts";
import { openTestDatabase, type TestDatabase } from "../../src/testing/database.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { readKept } from "../../src/loop/kept-state.ts";

const START = Date.UTC(2026, 0, 1);
const clicks = defineModel({
  name: "clicks",
  task: "binary",
  id: "click",
  time: "at",
  features: { a: f.number(), b: f.number(), c: f.number() },
  label: f.boolean(),
  labelDelay: "1h",
  threshold: 0.5,
  trainer: linear({ epochs: 20 }),
  data: { minRows: 300 },
  retrain: { when: when.newLabels(400), how: "incremental", cooldown: "1h", maxPerDay: 100, stopAfterRejections: 100 },
  gates: [gate.betterThanBaseline("logLoss"), gate.noWorseThanChampion("logLoss")],
});

/** The weights turn around the origin, a whole turn in 5,000 rows. */
function rows(from: number, count: number) {
  const random = createRandom(from + 1);
  return Array.from({ length: count }, (_, i) => {
    const [a, b, c] = [random.nextFloat() * 2 - 1, random.nextFloat() * 2 - 1, random.nextFloat() * 2 - 1];
    const turn = ((from + i) / 5_000) * 2 * Math.PI;
    const score = 4 * (Math.cos(turn) * a + Math.sin(turn) * b);
    const label = random.nextFloat() < 1 / (1 + Math.exp(-score));
    return { click: `c${from + i}`, at: START + (from + i) * 60_000, a, b, c, label };
  });
}
const readings = (list: readonly Record<string, unknown>[]) => list.map((row, i) => ({ rowNumber: i + 1, row }));
const config = defineConfig({ models: [clicks], server: { tickEvery: "30m" } });

/** Feeds 100 rows, then lets the clock pass them: what a live stream looks like. */
async function feed(test: TestLoop, from: number, to: number): Promise<void> {
  for (let row = from; row < to; row += 100) {
    await test.loop.advance(START + (row + 100) * 60_000);
    await test.loop.ingest({ model: "clicks", form: "observation", origin: "http", rows: readings(rows(row, 100)) });
  }
  await test.loop.advance(START + to * 60_000 + 2 * HOUR_MS);
}
const foldOf = async (test: TestLoop) => {
  const { content, about } = await readKept(test as never, "clicks", "incremental");
  return { fold: parseFold(content as Uint8Array), about };
};

const learnedBy = async (test: TestLoop) => {
  const { learner, judged, learned, through, basis } = (await foldOf(test)).fold;
  return { learner, judged, learned, through, basis };
};
const logLoss = (label: boolean, p: number) => -Math.log(label ? p : 1 - p);

describe("learning example by example", () => {
  let test: TestLoop;
  beforeAll(async () => {
    test = await openTestLoop(config, START);
    await feed(test, 0, 1_000);
  }, 120_000);
  afterAll(async () => test.dispose());

  it("follows a stream that drifts, and does better on rows before it learns them than the version that stands still", async () => {
    const { fold } = await foldOf(test);
    const newest = new Map(fold.judged.slice(-300).map(({ exampleId, loss }) => [exampleId, loss]));
    const asked = rows(0, 1_000).filter(({ click }) => newest.has(click));
    expect(asked.length).toBe(300);
    const features = asked.map(({ a, b, c }) => ({ a, b, c }));
    const still = await test.loop.predict({ model: "clicks", version: "v1", rows: features, log: false });
    const mean = (losses: readonly number[]) => losses.reduce((sum, one) => sum + one, 0) / losses.length;
    const moving = mean([...newest.values()]);
    const standing = mean(asked.map(({ label }, i) => logLoss(label, still.predictions[i]?.score as number)));
    expect(moving).toBeLessThan(0.9 * standing);
    const status = await test.loop.status("clicks");
    const row = status.tracker.find(({ what }) => what === "learning");
    expect(row?.after).toMatch(/^\d+ examples learned, \d+ waiting; log loss 0\.\d+ before learning each$/);
    expect(row?.before).toMatch(/^v1; champion log loss 0\.\d+ over the newest \d+ rows$/);
  }, 60_000);

  it("freezes a candidate that wins its gate by what it answered before it learned", async () => {
    const [ran] = await test.store.runs.list({ model: "clicks", limit: 1 });
    expect(ran).toMatchObject({ state: "promoted", strategy: "incremental", version: "v2" });
    expect(ran?.steps.find(({ step }) => step === "train")?.output).toMatch(/^learned example by example: \d+ rows$/);
    const record = await test.store.registry.get("clicks", "v2");
    const bytes = await test.objects.get(`artifacts/${record?.artifact}/manifest.json`);
    const manifest = parseManifest(Buffer.from(bytes).toString("utf8"));
    const v1 = await test.store.registry.get("clicks", "v1");
    expect(manifest).toMatchObject({ strategy: "incremental", chain: 1, threshold: 0.5 });
    expect(manifest.learned).toMatchObject({ basis: v1?.artifact, through: manifest.dataset.trainTo });
    const evaluation = await test.loop.evaluation(ran?.id as string);
    expect(evaluation?.candidate["logLoss"] as number).toBeLessThan(evaluation?.champion?.["logLoss"] as number);
    // The version that was frozen stays what it was, while the fold goes on.
    expect((await foldOf(test)).fold.learned).toBeGreaterThan(manifest.learned?.rows as number);
  }, 60_000);

  it("reproduces the version by reading the log again, to the same bits", async () => {
    expect(await test.loop.reproduce("clicks", "v2")).toMatchObject({
      equal: true,
      bases: [{ version: "v1", equal: true }],
    });
  }, 60_000);

  it("learns the same over restarts and failed writes as without them", async () => {
    const database: TestDatabase = await openTestDatabase();
    let other = await openTestLoop(config, START, { database });
    await feed(other, 0, 700);
    await other.dispose();
    other = await openTestLoop(config, START + 700 * 60_000 + 2 * HOUR_MS, { database });
    const commit = other.store.folds.commit.bind(other.store.folds);
    let failures = 0;
    Object.assign(other.store.folds, {
      commit: async (model: string, fold: string, change: Parameters<typeof commit>[2]) => {
        if (fold === "incremental" && failures++ === 0) throw new Error("the disk is gone");
        return await commit(model, fold, change);
      },
    });
    await expect(feed(other, 700, 1_000)).rejects.toThrow("the disk is gone");
    await other.dispose();
    other = await openTestLoop(config, START + 800 * 60_000 + 2 * HOUR_MS, { database });
    await feed(other, 800, 1_000);
    expect(failures).toBe(1);
    expect(await learnedBy(other)).toEqual(await learnedBy(test));
    await other.dispose();
    await database.dispose();
  }, 120_000);
});
