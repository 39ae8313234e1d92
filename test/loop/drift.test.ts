import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, when } from "../../src/config/index.ts";
import {
  createRandom,
  DAY_MS,
  HOUR_MS,
  latestDriftSignal,
  LOG_START,
  type PredictionEvent,
  type SignalRecord,
} from "../../src/core/index.ts";
import { countFrame, decodeCounts, addSparseInPlace, frameFromFeatures, layoutOf } from "../../src/data/index.ts";
import type { FeatureGrid } from "../../src/data/index.ts";
import { inputDeltas, type ProfileState } from "../../src/loop/profiles.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

const START = Date.UTC(2026, 2, 2);
const model = defineModel({
  name: "m",
  task: "binary",
  id: "id",
  time: "at",
  features: { x: f.number(), noise: f.number(), c: f.category() },
  label: f.boolean(),
  threshold: 0.5,
  trainer: { name: "linear", params: { epochs: 5 } },
  data: { minRows: 300 },
  gates: [],
  retrain: { when: when.event("never") },
  monitors: { dataDrift: { window: "2d", every: "1d" }, conceptDrift: false },
});

const random = createRandom(5);
const gauss = () => {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += random.nextFloat();
  return sum;
};
let count = 0;
function row(at: number, shift = 0) {
  const x = gauss() + shift;
  return {
    id: `r${count++}`,
    at,
    x,
    noise: gauss(),
    c: random.nextFloat() < 0.7 ? "a" : "b",
    label: x + gauss() * 0.3 > 0,
  };
}

describe("drift monitors in the loop", () => {
  let test: TestLoop;
  const send = (rows: readonly object[], form: "observation" | "label") =>
    test.loop.ingest({
      model: "m",
      rows: rows.map((one, i) => ({ rowNumber: i + 1, row: one as Readonly<Record<string, unknown>> })),
      form,
      origin: "test",
      ...(form === "observation" ? { knownAt: "at+labelDelay" as const } : {}),
    });
  /** A day of requests and, at its end, their labels. */
  const day = async (n: number, shift: number, rows = 300) => {
    const from = START + n * DAY_MS;
    const today = Array.from({ length: rows }, (_, i) => row(from + HOUR_MS + i * 60_000, shift));
    await test.loop.advance(from + 12 * HOUR_MS);
    await test.loop.predict({ model: "m", rows: today.map(({ label: _, ...rest }) => rest) });
    await send(
      today.map(({ id, label }) => ({ id, label })),
      "label",
    );
    await test.loop.advance(from + DAY_MS);
  };
  const profileState = async () => (await test.store.settings.get("profiles:m")) as unknown as ProfileState;
  const activeGrid = async () => {
    const id = (await profileState()).active as string;
    return { id, grid: (await test.store.profiles.grid("m", id)) as unknown as readonly FeatureGrid[] };
  };
  const isDataDrift = (one: SignalRecord) => one.monitor === "data-drift" && one.verdict === "yes";
  /** Open alerts of the drift monitors, by name. */
  const openAlerts = async () =>
    (await test.store.alerts.list({ model: "m", state: "open", limit: 20 })).toSorted((a, b) =>
      a.type < b.type ? -1 : 1,
    );
  const signals = () => test.store.settings.signals({ model: "m", limit: 200 });

  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [model], server: { tickEvery: "1h" } }), START);
    await send(
      Array.from({ length: 2_000 }, (_, i) => row(START - 20 * DAY_MS + i * 840_000)),
      "observation",
    );
    const { run } = await test.loop.requestRun("m", { reason: "test", actor: "test" });
    await test.engine.wait(run.id);
    await test.loop.advance(START + HOUR_MS);
  }, 120_000);
  afterAll(() => test.dispose());

  it("learn thresholds from the rows the champion learned from, as soon as it is live", async () => {
    const stored = (await test.store.settings.get("drift-thresholds:m")) as unknown as {
      windows: number;
      version: string;
      thresholds: Record<string, number>;
    };
    expect(stored).toMatchObject({ version: "v1", source: "observation" });
    expect(stored.windows).toBeGreaterThanOrEqual(5);
    expect(Object.keys(stored.thresholds)).toEqual(["c", "noise", "x"]);
  });

  it("say no-drift while nothing moves, and drift with its evidence within two days when it does", async () => {
    for (const n of [0, 1, 2]) await day(n, 0);
    const quiet = await signals();
    const first = latestDriftSignal(quiet, "data-drift");
    expect(first).toMatchObject({ verdict: "no-drift", version: "v1", rows: 600, reference: "training" });
    expect(latestDriftSignal(quiet, "prediction-drift")?.verdict).toBe("no-drift");
    expect(latestDriftSignal(quiet, "label-shift")).toMatchObject({ verdict: "no-drift", rows: 600 });
    expect(await test.store.alerts.list({ model: "m", state: "open", limit: 5 })).toEqual([]);

    for (const n of [3, 4]) await day(n, 1.5);
    const loud = await signals();
    const moved = latestDriftSignal(loud, "data-drift");
    expect(moved?.verdict).toBe("drift");
    expect(moved?.findings[0]).toMatchObject({ feature: "x", verdict: "drift", statistic: "psi" });
    expect(moved?.findings[0]?.importance).toBeGreaterThan(0.5);
    expect(latestDriftSignal(loud, "prediction-drift")?.verdict).toBe("drift");
    expect(latestDriftSignal(loud, "label-shift")?.verdict).toBe("drift");
    const alerts = await openAlerts();
    const evidence = { version: "v1" };
    expect(alerts).toMatchObject([
      { type: "monitor.data-drift", title: "Data drift in m", evidence },
      { type: "monitor.label-shift", title: "Label shift in m", evidence },
      { type: "monitor.prediction-drift", title: "Prediction drift in m", evidence },
    ]);
    expect(alerts.map(({ message }) => message)).toEqual([
      expect.stringMatching(/ Compared with the rows v1 learned from\.$/),
      expect.stringMatching(/ Mature labels are compared with those v1 learned from\.$/),
      expect.stringMatching(/ The answers of v1 are compared with those on its holdout\.$/),
    ]);
    const { since } = await test.loop.diagnose("m");
    expect(since).toMatchObject({ by: "data drift P(x)" });
    // The first window that drifted, though the next one drifted too.
    expect(since?.at).toBe(Math.min(...loud.flatMap((one) => (isDataDrift(one) ? [Number(one.details["from"])] : []))));
    expect(alerts[0]?.evidence["diagnosis"]).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^First sign: data drift P\(x\)/),
        expect.stringMatching(/^x moved \(distance/),
      ]),
    );
    const decisions = await test.store.decisions.list({ model: "m", kind: "monitor", limit: 50 });
    expect(decisions.find((one) => one.subject === "data-drift")).toMatchObject({ outcome: "yes", version: "v1" });
  }, 60_000);

  it("show one window in full, a heatmap of the windows before, and one feature over time", async () => {
    const view = await test.loop.drift({ model: "m" });
    expect(view).toMatchObject({ state: "ready", version: "v1", source: "prediction", reference: "training" });
    expect(view.data?.features[0]).toMatchObject({ feature: "x", verdict: "drift" });
    expect(view.data?.features[0]?.bins).toHaveLength(10);
    expect(view.prediction?.verdict).toBe("drift");
    expect(view.label?.finding.feature).toBe("label");
    expect(view.calibration?.windows).toBeGreaterThanOrEqual(5);
    expect(view.heatmap.rows.map((one) => one.feature)).toEqual([
      "prediction",
      ...(view.data?.features.map((one) => one.feature) ?? []),
    ]);
    const x = view.heatmap.rows.find((one) => one.feature === "x");
    expect(x?.cells.at(-1)).toMatchObject({ verdict: "drift" });
    expect(x?.cells.some((one) => one?.verdict === "no-drift")).toBe(true);
    const feature = await test.loop.driftOf({ model: "m", feature: "x" });
    expect(feature.feature).toEqual(view.data?.features[0]);
    expect(feature.series.at(-1)?.verdict).toBe("drift");
    await expect(test.loop.driftOf({ model: "m", feature: "xx" })).rejects.toMatchObject({ code: "COLUMN_UNKNOWN" });
    await expect(test.loop.drift({ model: "m", from: 5, to: 5 })).rejects.toMatchObject({ code: "BODY_INVALID" });
    const trailing = await test.loop.drift({ model: "m", reference: "trailing" });
    expect(trailing.data?.referenceRows).toBe(900);
    const season = await test.loop.drift({ model: "m", reference: "same-season" });
    expect(season.data).toMatchObject({ verdict: "cannot-tell", referenceRows: 0 });
  });

  it("count what the log holds, however the folds were cut", async () => {
    const active = await activeGrid();
    const layout = layoutOf(active.grid);
    const stored = new Float64Array(layout.size);
    for (const one of await test.store.profiles.rows("m", active.id, 0))
      if (one.scope === "prediction") addSparseInPlace(stored, decodeCounts(one.counts));
    const events: PredictionEvent[] = [];
    const { events: all } = await test.store.log.readAfter("m", LOG_START, { limit: 100_000, kinds: ["prediction"] });
    for (const event of all) if (event.kind === "prediction" && event.origin === "live") events.push(event);
    const features = active.grid.map(({ name, kind }) => ({ name, spec: { kind } as const }));
    const direct = countFrame(
      layout,
      {},
      frameFromFeatures(
        { features } as never,
        events.map((event) => event.features),
      ),
    );
    expect(stored).toEqual(direct);
    expect(stored[0]).toBe(1_500);
    const one = new Float64Array(layout.size);
    for (const delta of inputDeltas(active.grid, {}, [...events].reverse()))
      addSparseInPlace(one, decodeCounts(delta.counts));
    expect(one).toEqual(direct);
  });

  it("extend the grid when values leave it, and lose no count", async () => {
    const before = await profileState();
    for (const n of [5, 6]) await day(n, 90);
    await test.loop.advance(START + 8 * DAY_MS + HOUR_MS);
    const after = await profileState();
    expect(after.building).toBeNull();
    expect(after.active).not.toBe(before.active);
    const total = new Float64Array(1);
    for (const one of await test.store.profiles.rows("m", after.active ?? "", 0))
      if (one.scope === "prediction") total[0] = (total[0] as number) + (decodeCounts(one.counts).counts[0] as number);
    expect(total[0]).toBe(2_100);
    expect((await activeGrid()).grid[0]).toMatchObject({ kind: "number", name: "x" });
  }, 60_000);

  it("close the alert when the data are as before, and state an empty window as such", async () => {
    for (const n of [8, 9]) await day(n, 0);
    expect(latestDriftSignal(await signals(), "data-drift")?.verdict).toBe("no-drift");
    expect(await test.store.alerts.list({ model: "m", state: "open", limit: 5 })).toEqual([]);
    await test.loop.advance(START + 16 * DAY_MS);
    const [newest] = await test.store.decisions.list({ model: "m", kind: "monitor", limit: 1 });
    expect(newest).toMatchObject({ outcome: "cannot-tell" });
    const decisions = await test.store.decisions.list({ model: "m", kind: "monitor", limit: 20 });
    const empty = decisions.find((one) => one.subject === "data-drift");
    expect(empty).toMatchObject({ outcome: "cannot-tell", reason: "No row arrived in the window." });
    expect(empty?.count).toBeGreaterThan(1);
  }, 60_000);

  it("close the alert with the champion it compared with", async () => {
    for (const n of [17, 18]) await day(n, 1.5);
    const opened = await openAlerts();
    expect(opened.map(({ type }) => type)).toEqual([
      "monitor.data-drift",
      "monitor.label-shift",
      "monitor.prediction-drift",
    ]);
    const { run } = await test.loop.requestRun("m", { reason: "again", actor: "test" });
    expect(await test.engine.wait(run.id)).toBeDefined();
    expect((await test.store.registry.champion("m"))?.name).toBe("v2");
    expect(await openAlerts()).toEqual([]);
    const closed = await test.store.alerts.list({ model: "m", state: "resolved", limit: 20 });
    for (const { id } of opened)
      expect(closed.find((one) => one.id === id)).toMatchObject({ message: "v2 went live." });
  }, 60_000);

  it("look at what is asked, also where more rows were collected in the same window", async () => {
    await day(19, 1.5);
    await send(
      Array.from({ length: 1_500 }, (_, i) => row(START + 19 * DAY_MS + 2 * HOUR_MS + i * 1_000)),
      "observation",
    );
    await day(20, 1.5);
    const view = await test.loop.drift({ model: "m" });
    expect(view).toMatchObject({ state: "ready", source: "prediction", data: { currentRows: 600 } });
    expect(view.skew?.verdict).toBe("drift");
    const whole = await test.loop.multivariateDrift({ model: "m" });
    expect(whole).toMatchObject({ source: "prediction", result: { currentRows: 600 } });
  }, 60_000);

  it("hear of skew between what is asked and what is collected, until the two are alike again", async () => {
    const skewed = async () => (await openAlerts()).filter(({ type }) => type === "monitor.training-serving-skew");
    const [alert] = await skewed();
    expect(alert).toMatchObject({ title: "Training-serving skew in m", severity: "warning" });
    expect(alert?.message).toContain("Requests are compared with the rows collected in the same window");
    // Nothing is collected: nothing can be told, and the alert stays.
    for (const n of [21, 22]) await day(n, 1.5);
    expect(latestDriftSignal(await signals(), "training-serving-skew")?.verdict).toBe("drift");
    expect(await skewed()).toMatchObject([{ id: alert?.id }]);
    await day(23, 1.5);
    await send(
      Array.from({ length: 300 }, (_, i) => row(START + 23 * DAY_MS + 2 * HOUR_MS + i * 1_000, 1.5)),
      "observation",
    );
    await day(24, 1.5);
    expect(latestDriftSignal(await signals(), "training-serving-skew")?.verdict).toBe("no-drift");
    expect(await skewed()).toEqual([]);
    const closed = await test.store.alerts.list({ model: "m", state: "resolved", limit: 20 });
    expect(closed.some(({ id }) => id === alert?.id)).toBe(true);
  }, 60_000);
});
