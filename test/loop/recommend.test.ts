/** A recommender through the whole loop: ingested, trained in a real process, gated, served, folded in, judged, retrained. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, gate, matrixFactorization, when } from "../../src/config/index.ts";
import { createRandom, DAY_MS, HOUR_MS, type RecommendEvaluation } from "../../src/core/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

const START = Date.UTC(2026, 0, 1);
const GROUPS = 4;
const ITEMS = 80;
const USERS = 120;

const films = defineModel({
  name: "films",
  task: "recommend",
  user: "viewer",
  item: "film",
  time: "at",
  k: 5,
  outcomeWindow: "2d",
  features: {},
  label: f.number({ min: 0 }),
  labelColumn: "stars",
  trainer: matrixFactorization({ factors: 8 }),
  data: { holdout: { minRows: 100 } },
  retrain: { when: when.newLabels(100_000), cooldown: "1h" },
  gates: [
    gate.betterThanBaseline("ndcg"),
    gate.noWorseThanChampion("ndcg", { margin: 0.05 }),
    gate.atLeast("recall", 0.05),
  ],
});

const film = (i: number) => `f${String(i).padStart(3, "0")}`;
const viewer = (i: number) => `v${String(i).padStart(3, "0")}`;

/** Viewers of four groups who watch mostly the films of their group, each film once. */
function history(from: number, perUser: number, seed: number) {
  const random = createRandom(seed);
  const rows: { viewer: string; film: string; at: string; stars?: number }[] = [];
  const seen = new Set<string>();
  for (let round = 0; round < perUser; round++) {
    for (let user = 0; user < USERS; user++) {
      const drawn = random.nextInt(ITEMS);
      const own = random.nextInt(10) < 9 ? drawn - (drawn % GROUPS) + (user % GROUPS) : drawn;
      const key = `${user} ${own}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const at = new Date(from + (round * USERS + user) * 60_000).toISOString();
      rows.push({ viewer: viewer(user), film: film(own), at, ...(random.nextInt(2) === 0 ? { stars: 1 } : {}) });
    }
  }
  return rows;
}
const readings = (rows: readonly Record<string, unknown>[]) => rows.map((row, i) => ({ rowNumber: i + 1, row }));
const groupOf = (name: string) => Number(name.slice(1)) % GROUPS;

describe("a recommender in the loop", () => {
  let test: TestLoop;
  const past = history(START - 20 * DAY_MS, 20, 1);
  const ingest = (rows: readonly Record<string, unknown>[], form: "observation" | "label" = "observation") =>
    test.loop.ingest({ model: "films", form, origin: "http", rows: readings(rows) });
  const ask = async (row: Record<string, unknown>, log = false) => {
    const { predictions } = await test.loop.predict({ model: "films", log, rows: [row] });
    const [first] = predictions;
    if (first?.recommend === undefined) throw new Error("no slate");
    return { ...first, slate: first.recommend };
  };
  const seenBy = (name: string) => past.filter((row) => row.viewer === name).map((row) => row.film);
  const train = async () => {
    const { run } = await test.loop.requestRun("films", { reason: "test", actor: "test" });
    await test.engine.wait(run.id);
    return (await test.store.runs.last("films")) as NonNullable<Awaited<ReturnType<typeof test.store.runs.last>>>;
  };

  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [films] }), START);
    await ingest(past);
    await train();
    await test.loop.advance(START + HOUR_MS);
  }, 120_000);
  afterAll(async () => test.dispose());

  it("trains, beats popularity for its users and goes live with its evidence", async () => {
    const run = await test.store.runs.last("films");
    expect(run?.error).toBeUndefined();
    expect(run).toMatchObject({ state: "promoted", version: "v1" });
    const report = await test.loop.evaluation(run?.id as string);
    expect(report?.baseline.trainer).toBe("popularity");
    expect(report?.candidate["ndcg"] as number).toBeGreaterThan((report?.baseline.metrics["ndcg"] as number) * 1.5);
    expect(report?.baselineDifferences[0]).toMatchObject({ metric: "ndcg", rows: report?.recommend?.users });
    expect(report?.rows).toBe(report?.recommend?.users);
    expect(Object.keys(report?.candidate ?? {}).sort()).toEqual(["hitRate", "hitShare", "ndcg", "recall"]);
    const found = report?.recommend as RecommendEvaluation;
    const { coverage, k, catalog, byHistory, examples } = found;
    expect({ k, catalog }).toEqual({ k: 5, catalog: ITEMS });
    expect(coverage.candidate).toBeGreaterThan(coverage.baseline * 2);
    expect(byHistory.reduce((sum, part) => sum + part.users, 0)).toBe(report?.rows);
    for (const { slate, history: own } of examples) for (const { item } of slate) expect(own).not.toContain(item);
  });

  it("offers a user what its group likes, best first, without what it took", async () => {
    let own = 0;
    for (const user of [0, 1, 2, 3]) {
      const { slate, decision } = await ask({ viewer: viewer(user), k: 3 });
      expect(slate.items).toHaveLength(3);
      expect(decision).toBe(slate.items[0]?.item);
      expect(slate).toMatchObject({ by: "taste", foldedIn: 0, seen: seenBy(viewer(user)).length });
      const scores = slate.items.map(({ score }) => score);
      expect(scores).toEqual([...scores].sort((a, b) => b - a));
      for (const { item } of slate.items) expect(seenBy(viewer(user))).not.toContain(item);
      own += slate.items.filter(({ item }) => groupOf(item) === user % GROUPS).length;
    }
    expect(own).toBeGreaterThanOrEqual(9);
  });

  it("chooses among candidates only, and answers a stranger by popularity", async () => {
    const { slate } = await ask({ viewer: viewer(1), candidates: [film(0), film(3), film(2), "unknown"], k: 10 });
    expect(slate.items.length).toBeLessThanOrEqual(3);
    for (const { item } of slate.items) expect([film(0), film(3), film(2)]).toContain(item);
    const stranger = await ask({ viewer: "stranger" });
    expect(stranger.slate).toMatchObject({ by: "popularity", seen: 0 });
    expect(stranger.slate.items).toHaveLength(5);
  });

  it("follows a stranger from its first interactions on", async () => {
    const at = new Date(START + HOUR_MS).toISOString();
    const liked = [2, 6, 10, 14].map((i) => ({ viewer: "stranger", film: film(i), at }));
    await ingest(liked);
    const { slate } = await ask({ viewer: "stranger" });
    expect(slate).toMatchObject({ by: "taste", seen: 4 });
    expect(slate.items.filter(({ item }) => groupOf(item) === 2).length).toBeGreaterThanOrEqual(4);
  });

  it("folds a new item in from those who took it", async () => {
    const at = new Date(START + 2 * HOUR_MS).toISOString();
    const takers = Array.from({ length: USERS / GROUPS - 1 }, (_, i) => viewer(1 + GROUPS * (i + 1)));
    await ingest(takers.map((name) => ({ viewer: name, film: "new release", at, stars: 5 })));
    const fan = await ask({ viewer: viewer(1), k: 20 });
    expect(fan.slate.items.map(({ item }) => item)).toContain("new release");
    expect(fan.slate.foldedIn).toBe(1);
    const other = await ask({ viewer: viewer(2), k: 20 });
    const place = (slate: typeof fan.slate) => {
      const found = slate.items.findIndex(({ item }) => item === "new release");
      return found < 0 ? 99 : found;
    };
    expect(place(fan.slate)).toBeLessThan(place(other.slate));
    expect((await ask({ viewer: takers[0] as string, k: 20 })).slate.items.map(({ item }) => item)).not.toContain(
      "new release",
    );
  });

  it("judges a slate by what its user takes within the outcome window, once", async () => {
    await test.loop.advance(START + 3 * HOUR_MS);
    const shown = await ask({ viewer: viewer(7) }, true);
    expect(shown.logged).toBe(true);
    await test.loop.advance(START + 4 * HOUR_MS);
    const at = new Date(START + 4 * HOUR_MS).toISOString();
    const second = shown.slate.items[1]?.item as string;
    await ingest([{ viewer: viewer(7), film: second, at }]);
    await ingest([{ viewer: viewer(7), film: film(0), at, stars: 0 }]);
    await ingest([{ viewer: viewer(7), film: seenBy(viewer(7))[0], at }]);
    await test.loop.advance(START + 6 * HOUR_MS);
    const events = await test.store.log.recent("films", { kind: "prediction", limit: 200 });
    const judged = events.flatMap((event) =>
      event.kind === "prediction" && event.origin === "system" && event.features["viewer"] === viewer(7) ? [event] : [],
    );
    // Neither the rejected film nor the one watched again judges anything.
    expect(judged).toHaveLength(1);
    expect(judged[0]).toMatchObject({ scores: [2], version: "v1" });
    const live = events.find((event) => event.kind === "prediction" && event.predictionId === shown.predictionId);
    expect(live).toMatchObject({ slate: shown.slate.items.map(({ item }) => item), features: { film: null } });
  });

  it("judges interactions nobody was shown a slate for by what it would have shown, and charts the share foreseen", async () => {
    const before = await test.store.log.recent("films", { kind: "prediction", limit: 1000 });
    const rows = history(START + 5 * HOUR_MS, 3, 77).filter((row) => !seenBy(row.viewer).includes(row.film));
    await test.loop.advance(START + DAY_MS);
    await ingest(rows);
    await test.loop.advance(START + 2 * DAY_MS);
    const after = await test.store.log.recent("films", { kind: "prediction", limit: 1000 });
    expect(after.length - before.length).toBeGreaterThan(rows.length * 0.9);
    const series = await test.loop.performance({ model: "films", bucketMs: 7 * DAY_MS });
    expect(series.metric).toBe("hitShare");
    const [point] = series.points;
    expect(point?.labelled as number).toBeGreaterThan(150);
    // 5 of some 60 unseen films at random would be 0.08.
    expect(point?.value as number).toBeGreaterThan(0.15);
    expect(point?.interval?.[0] as number).toBeLessThan(point?.value as number);
    expect(series.reference?.value).toBeGreaterThan(0);
  });

  it("retrains on what came, against the champion as it serves: with new items folded in", async () => {
    const run = await train();
    expect(run.error).toBeUndefined();
    expect(run.version).toBe("v2");
    const report = await test.loop.evaluation(run.id);
    expect(report?.championVersion).toBe("v1");
    expect(report?.differences[0]).toMatchObject({ metric: "ndcg" });
    expect(report?.recommend?.coverage.champion).toBeGreaterThan(0);
    // Nothing was known of the stranger when the holdout began.
    expect(report?.recommend?.coldUsers).toBe(1);
    // Its takers stand in the holdout: whichever version serves has it from events alone.
    const { slate } = await ask({ viewer: viewer(1), k: 20 });
    expect(slate.items.map(({ item }) => item)).toContain("new release");
  }, 60_000);

  it("reproduces to the bit", async () => {
    expect(await test.loop.reproduce("films", "v1")).toMatchObject({ equal: true });
  }, 60_000);

  it("replaces what a restated interaction said", async () => {
    const at = new Date(START + 2 * DAY_MS).toISOString();
    await ingest([{ viewer: "fickle", film: film(1), at }]);
    const events = await test.store.log.recent("films", { kind: "observation", limit: 1 });
    const id = events[0]?.kind === "observation" ? events[0].exampleId : "";
    expect((await ask({ viewer: "fickle" })).slate.by).toBe("taste");
    await ingest([{ id, label: 0 }], "label");
    expect((await ask({ viewer: "fickle" })).slate).toMatchObject({ by: "popularity", seen: 1 });
  });

  it("says what is wrong with a question or a row, and what a recommender cannot do", async () => {
    await expect(ask({ viewer: "" })).rejects.toMatchObject({ code: "ROW_INVALID" });
    await expect(ask({ user: "v001" })).rejects.toThrow(/no field "user"/);
    await expect(ask({ viewer: "v001", k: 0 })).rejects.toMatchObject({
      code: "ROW_INVALID",
      remedy: "Ask for 1 to 100 items.",
    });
    await expect(ask({ viewer: "v001", candidates: [] })).rejects.toThrow(/no list of items/);
    const bad = await ingest([{ viewer: "v001", film: null, at: "2026-01-01" }]);
    expect(bad.problems[0]?.reasons[0]).toMatchObject({ code: "COLUMN_MISSING", column: "film" });
    const label = await ingest([{ predictionId: "018f0000-0000-7000-8000-000000000000", label: 1 }], "label");
    expect(label.problems[0]?.reasons[0]?.message).toMatch(/A slate is not labelled/);
    await expect(test.loop.importOnnx("films", new Uint8Array(9), "test")).rejects.toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining("is a recommender"),
    });
    const refusals = [
      test.loop.compareVersions("films", { a: "v1", b: "v2" }),
      test.loop.startRollout("films", "v2", "test"),
      test.loop.labeling.build("films", { actor: "test" }),
      test.loop.labeling.drawCurve("films"),
    ];
    for (const refused of refusals)
      await expect(refused).rejects.toMatchObject({ code: "CONFLICT", message: expect.stringContaining("slates") });
    expect((await test.loop.drift({ model: "films" })).state).toBe("off");
    expect((await test.loop.diagnose("films")).sentences[0]).toMatch(/no columns to diagnose/);
  });
});
