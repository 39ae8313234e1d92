// What monitors and triggers say, through HTTP and the command line: one server for both.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DAY_MS } from "../../src/core/index.ts";
import { labelledRows, openTestServer, START, type TestServer, trainFirstVersion } from "../server/support.ts";
import { runCommand } from "./support.ts";

let open: TestServer;
let url: string;
beforeAll(async () => {
  open = await openTestServer();
  await trainFirstVersion(open);
  ({ url } = await open.server.listen({ host: "127.0.0.1", port: 0 }));
}, 60_000);
afterAll(async () => open.dispose());

const ask = (...words: readonly string[]) => runCommand(...words, "--url", url);
async function get(path: string) {
  const response = await open.server.app.inject({ method: "GET", url: `/api/v1/models/${path}` });
  return { status: response.statusCode, body: response.json() };
}

describe("why a model is (not) retrained", () => {
  it("is answered over HTTP with every trigger, every guard and their values", async () => {
    const { status, body } = await get("purchases/triggers");
    expect(status).toBe(200);
    expect(body).toMatchObject({ model: "purchases", wouldStart: false, lastRun: { state: "promoted" } });
    expect(body.triggers.of.length).toBeGreaterThan(0);
    expect(body.guards.map((one: { guard: string }) => one.guard)).toEqual([
      "one run at a time",
      "new evidence",
      "cool-down",
      "daily budget",
      "quiet hours",
      "breaker",
      "self-trigger",
    ]);
    expect((await get("nobody/triggers")).body).toMatchObject({ code: "MODEL_UNKNOWN" });
    const { sentences } = (await get("purchases/diagnosis")).body;
    expect(sentences).toContain("v1 has not been asked yet: there are no rows to compare.");
  });

  it("is told by the command line, as text and as JSON", async () => {
    const { code, stdout } = await ask("triggers", "explain", "purchases");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^It does not retrain now: no trigger fires\./);
    expect(stdout).toMatch(/cool-down +(passes|refuses)/);
    expect(stdout).toMatch(/Last run \S+ \(promoted\)/);
    const json = JSON.parse((await ask("triggers", "explain", "purchases", "--json")).stdout);
    expect(json).toMatchObject({ ok: true, data: { model: "purchases" } });
    expect((await ask("triggers", "explain", "purchase")).code).toBe(5);
  });
});

describe("performance", () => {
  beforeAll(async () => {
    const { loop, clock } = open.test;
    const rows = labelledRows(400, START + 3_600_000, 77);
    await loop.predict({ model: "purchases", rows: rows.map(({ label: _, ...row }) => row) });
    await loop.ingest({
      model: "purchases",
      form: "label",
      origin: "http",
      rows: rows.slice(0, 300).map(({ customer, label }, i) => ({ rowNumber: i + 1, row: { customer, label } })),
    });
    await loop.advance(clock.now() + 4 * DAY_MS);
  }, 60_000);

  it("shows the estimate of every prediction beside the realised value of the labelled ones", async () => {
    const { body } = await get("purchases/performance?metric=logLoss");
    const point = body.points.find((one: { predictions: number }) => one.predictions >= 400);
    expect(point).toMatchObject({ labelled: 300, mature: true });
    expect(point.estimated.rows).toBe(400);
    expect(point.estimated.low).toBeLessThan(point.estimated.value);
    expect(Math.abs(point.estimated.value - point.value)).toBeLessThan(0.15);
    expect(point.interval[0]).toBeLessThan(point.value);
    expect(body.estimate).toMatchObject({ method: "confidence-based performance estimation", comparedBuckets: 1 });
    expect(body.estimate.blindSpots[0]).toMatch(/concept drift/);
    for (const metric of ["rocAuc", "accuracy", "f1", "brier"]) {
      const other = (await get(`purchases/performance?metric=${metric}`)).body;
      expect([metric, other.estimate?.comparedBuckets]).toEqual([metric, 1]);
      expect(other.estimate.meanAbsoluteError).toBeLessThan(0.12);
    }
    expect((await get("purchases/performance?metric=ece")).body.estimate).toBeNull();
    const { stdout } = await ask("performance", "purchases", "--metric", "accuracy");
    expect(stdout).toMatch(/estimated/);
    expect(stdout).toMatch(/75 %/);
    expect(stdout).toMatch(/Blind to concept drift/);
    expect(stdout).toMatch(/cannot fall below 0\.5/);
  });

  it("shows realised values by slice, with coverage, and sums to the whole", async () => {
    const { body } = await get("purchases/slices?metric=accuracy");
    expect(body.version).toBe("v1");
    const features = [...new Set(body.rows.map((row: { feature: string }) => row.feature))];
    expect(features.length).toBeGreaterThan(0);
    const whole = (await get("purchases/performance?metric=accuracy&version=v1")).body.points;
    const predicted = whole.reduce((sum: number, one: { predictions: number }) => sum + one.predictions, 0);
    for (const feature of features) {
      const own = body.rows.filter((row: { feature: string }) => row.feature === feature);
      expect(own.reduce((sum: number, row: { predictions: number }) => sum + row.predictions, 0)).toBe(predicted);
      expect(own.every((row: { labelled: number; predictions: number }) => row.labelled <= row.predictions)).toBe(true);
    }
    const { code, stdout } = await ask("performance", "purchases", "--slices");
    expect(code).toBe(0);
    expect(stdout).toMatch(/slice of v1 +logLoss +90 % +holdout +predictions +labelled/);
    expect((await get("purchases/slices?metric=rocAuc")).body).toMatchObject({ code: "BODY_INVALID" });
    expect((await get("purchases/slices?metric=accuracyy")).body).toMatchObject({ hint: 'Did you mean "accuracy"?' });
    expect((await get("purchases/slices?version=v9")).body).toMatchObject({ code: "VERSION_UNKNOWN" });
  });
});

describe("drift of a model", () => {
  it("is written as one HTML file, with answers and labels beside the columns", async () => {
    const folder = await mkdtemp(join(tmpdir(), "retrain-drift-"));
    const path = join(folder, "drift.html");
    const { stderr } = await ask("drift", "purchases", "--html", path);
    expect(stderr).toContain(`Report written to ${path}.`);
    const html = await readFile(path, "utf8");
    expect(html).toMatch(/<h1>purchases v1, 2026-\d\d-\d\d .* against training<\/h1>/);
    expect(html).toMatch(/<th>prediction drift P\(ŷ\)<\/th><td class="(drift|no-drift|cannot-tell)">/);
    expect(html).toContain("<th>label shift P(y)</th>");
    expect(html).toContain("Distribution of age");
    const { stdout } = await ask("drift", "purchases", "--reference", "same-season");
    expect(stdout).not.toContain("makes them longer");
    await open.test.loop.advance(open.test.clock.now() + 10 * DAY_MS);
    const later = (await ask("drift", "purchases")).stdout;
    expect(later).toMatch(
      /No row arrived in the window\.\nWindows of 1w hold too few rows; `monitors\.dataDrift\.window`/,
    );
    await rm(folder, { recursive: true });
  });
});

describe("a diagnosis", () => {
  it("names the feature that moved, what it costs and where, before a label arrives", async () => {
    const { loop, clock } = open.test;
    const old = labelledRows(600, clock.now(), 5).map(({ label: _, ...row }) => ({ ...row, age: 46 + (row.age % 9) }));
    await loop.predict({ model: "purchases", rows: old });
    await loop.advance(clock.now() + DAY_MS);
    const { body } = await get("purchases/diagnosis");
    expect(body).toMatchObject({ version: "v1", metric: "logLoss" });
    expect(body.features[0]).toMatchObject({ feature: "age", moved: true });
    // Around 50 the label is a coin's toss: the version did worst there on its holdout.
    expect(body.features[0].effect).toBeGreaterThan(0.02);
    expect(body.features.find((one: { feature: string }) => one.feature === "job").moved).toBe(false);
    expect(body.sentences.join(" ")).toMatch(/age moved \(distance 0\.\d+, \d+ % of the model rests on it\)/);
    const { code, stdout } = await ask("diagnose", "purchases");
    expect(code).toBe(0);
    expect(stdout).toMatch(/age +moved/);
    expect((await get("nobody/diagnosis")).body).toMatchObject({ code: "MODEL_UNKNOWN" });
  });
});
