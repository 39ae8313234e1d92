// The learning curve as a team sees it: tasks answered, the curve drawn by its button, and the picture looked at.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureBuilt } from "../../scripts/build.mjs";
import { openSystem, type System } from "../../src/cli/compose.ts";
import { createClient, type RetrainClient } from "../../src/client/index.ts";
import { defineConfig, defineModel, resolveConfig } from "../../src/config/index.ts";
import { createVirtualClock, DAY_MS, silentLogger } from "../../src/core/index.ts";
import { labelledRows, purchases, START } from "../server/support.ts";
import { lookAt } from "./look.ts";
import { launchBrowser, leaveBrowser, openPage, settle } from "./setup.ts";

const MODEL = "purchases";
const TASKS = 300;
const TEAM = `/models/${MODEL}/labeling/team`;
const asked = defineModel({ ...purchases, labeling: { perDay: 0, overlap: 0, gold: 0 } } as never);

let browser: Browser;
let system: System;
let url: string;
let client: RetrainClient;
let directory: string;

/** Everybody is asked, and answers as the rows were drawn. */
async function answerAll(truth: ReadonlyMap<string, boolean>): Promise<void> {
  await client.buildTasks(MODEL, { count: TASKS });
  for (;;) {
    const { tasks } = await client.claimTasks(MODEL, 50, "ann");
    if (tasks.length === 0) return;
    await Promise.all(
      tasks.map(({ id, exampleId }) =>
        client.answerTask(MODEL, id, { value: truth.get(exampleId) as boolean, as: "ann" }),
      ),
    );
  }
}

beforeAll(async () => {
  ensureBuilt(["server", "console", "template of the embedded store"]);
  browser = await launchBrowser();
  directory = await mkdtemp(join(tmpdir(), "retrain-curve-"));
  const config = defineConfig({ models: [asked], storage: { dir: directory }, server: { tickEvery: "6h" } });
  system = await openSystem({
    spec: resolveConfig(config, { folder: directory, origin: "test" }),
    worldClock: createVirtualClock(START),
    logger: silentLogger,
    replay: true,
    jobs: 1,
  });
  url = (await system.server.listen({ host: "127.0.0.1", port: 0 })).url;
  client = createClient({ url, timeoutMs: 120_000 });
  await client.ingest(MODEL, labelledRows(1200, START - 20 * DAY_MS, 1, 20 * 60_000));
  await client.advance(START + DAY_MS / 4);
  const rows = labelledRows(900, START + DAY_MS / 4, 41);
  await client.predictMany(
    MODEL,
    rows.map(({ label: _, ...row }) => row),
  );
  await answerAll(new Map(rows.map(({ customer, label }) => [customer, label])));
  // Labels count once the label delay of their rows is over.
  await client.advance(START + 3 * DAY_MS);
}, 240_000);
afterAll(async () => {
  await leaveBrowser(browser);
  await system?.close();
  await rm(directory, { recursive: true, force: true });
});

/** The first two colors of series in light mode: blue and vermillion. */
const COLORS = [
  [0, 114, 178],
  [213, 94, 0],
];

/** Pixels of the drawing in the color of each series. */
const INK = `(() => {
  const figures = [...document.querySelectorAll("figure.chart")];
  const canvas = figures.find((one) => one.textContent.includes("Learning curve")).querySelector("canvas");
  const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return ${JSON.stringify(COLORS)}.map((color) => {
    let count = 0;
    for (let i = 0; i < data.length; i += 4)
      if (data[i + 3] > 200 && color.every((part, k) => Math.abs(data[i + k] - part) < 6)) count++;
    return count;
  });
})()`;

async function tableOf(page: Page): Promise<readonly (readonly string[])[]> {
  const figure = page.getByRole("figure", { name: "Learning curve" });
  await figure.getByRole("button", { name: "View as table" }).click();
  await figure.getByRole("table").waitFor();
  const rows = figure.locator("tbody tr");
  return Promise.all((await rows.all()).map((row) => row.locator("td, th").allTextContents()));
}

describe("the learning curve", () => {
  it("is drawn by its button: labels chosen by score against the others, in a picture and in a table", async () => {
    const { page, context, problems } = await openPage(browser, url);
    await page.emulateMedia({ reducedMotion: "reduce" });
    await page.goto(url + TEAM);
    await settle(page);
    await page.getByText("on growing parts of the labels and has not been drawn yet").waitFor();
    await page.getByRole("button", { name: "Draw it" }).click();
    await page.getByRole("button", { name: "Draw it again" }).waitFor();
    await page.locator("figure.chart canvas").first().waitFor();
    await settle(page);
    const { curve } = await client.labelingStats(MODEL);
    // 240 of the answers were chosen by score, and none of them may judge: each trains.
    expect(curve?.strategy.at(-1)?.labels).toBe(0.8 * TASKS);
    expect(curve?.strategy.length).toBeGreaterThan(3);
    expect(curve?.random.length).toBeGreaterThan(3);
    await page.getByText(`Log loss on ${curve?.holdoutRows} fair rows`).waitFor();
    // A line with its marks is some hundreds of pixels; an entry of the legend alone some dozens.
    for (const pixels of await page.evaluate<readonly number[]>(INK)) expect(pixels).toBeGreaterThan(300);
    const shown = await tableOf(page);
    const sizes = new Set([...(curve?.strategy ?? []), ...(curve?.random ?? [])].map(({ labels }) => labels));
    expect(shown).toHaveLength(sizes.size);
    for (const [labels = "", chosen = "", drawn = ""] of shown) {
      const size = Number(labels.replaceAll(",", ""));
      const own = curve?.strategy.find((point) => point.labels === size);
      const other = curve?.random.find((point) => point.labels === size);
      if (own !== undefined) expect(Number(chosen)).toBeCloseTo(own.value, 2);
      if (other !== undefined) expect(Number(drawn)).toBeCloseTo(other.value, 2);
    }
    expect(await problems()).toEqual([]);
    await context.close();
  });

  it.each([
    ["light", 1280],
    ["dark", 360],
  ] as const)("has no fault in %s colors, %i pixels wide", async (scheme, width) => {
    expect(await lookAt(browser, url, [[TEAM, "fair rows"]], { scheme, width })).toEqual([]);
    if (process.env["SCREENSHOTS"] === undefined) return;
    const shot = await openPage(browser, url, { width, scheme });
    await shot.page.goto(url + TEAM);
    await settle(shot.page);
    const path = join(process.env["SCREENSHOTS"], `learning-curve-${scheme}-${width}.png`);
    await shot.page.screenshot({ path, fullPage: true });
    await shot.context.close();
  });
});
