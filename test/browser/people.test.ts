// The pages of people at work, with work on them: tasks, answers that wait for a decision, opinions of users, a team that differs.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureBuilt } from "../../scripts/build.mjs";
import { openSystem, type System } from "../../src/cli/compose.ts";
import { createClient, type RetrainClient } from "../../src/client/index.ts";
import { defineConfig, defineModel, f, resolveConfig } from "../../src/config/index.ts";
import { createVirtualClock, DAY_MS, silentLogger } from "../../src/core/index.ts";
import { labelledRows, purchases, START } from "../server/support.ts";
import { lookAt } from "./look.ts";
import { launchBrowser, leaveBrowser, openPage, settle, until } from "./setup.ts";

const MODEL = "purchases";
const reviewed = defineModel({
  ...purchases,
  labeling: { perDay: 0, overlap: 1, gold: 0, guidelines: "Would this customer buy?\nSkip what you cannot tell." },
  review: { below: 0.7, mode: "hold", deadline: "7d", default: "withhold", audit: 0.2 },
} as never);
const letters = defineModel({
  name: "letters",
  task: "multiclass",
  id: "id",
  features: { text: f.category(), length: f.number() },
  label: f.category(),
  labeling: { overlap: 0 },
});

let browser: Browser;
let system: System;
let url: string;
let client: RetrainClient;
let directory: string;

/** Two people answer; where they differ an adjudicator is asked. */
async function work(): Promise<void> {
  await client.buildTasks(MODEL, { count: 30 });
  for (const [labeler, wrongEvery] of [
    ["ann", 0],
    ["bob", 5],
  ] as const) {
    let [n, held] = [0, (await client.claimTasks(MODEL, 50, labeler)).tasks];
    held = held.filter(({ isReview }) => !isReview);
    for (const { id, features } of held) {
      n++;
      const value = Number(features["age"]) > 50;
      if (labeler === "bob" && n === 1)
        await client.answerTask(MODEL, id, { kind: "flag", comment: "torn", as: labeler });
      else
        await client.answerTask(MODEL, id, {
          value: wrongEvery > 0 && n % wrongEvery === 0 ? !value : value,
          durationMs: 1_500,
          as: labeler,
        });
    }
    await client.releaseTasks(MODEL, undefined, labeler);
  }
}

beforeAll(async () => {
  ensureBuilt(["server", "console", "template of the embedded store"]);
  browser = await launchBrowser();
  directory = await mkdtemp(join(tmpdir(), "retrain-people-"));
  const config = defineConfig({
    models: [reviewed, letters],
    storage: { dir: directory },
    server: { tickEvery: "6h" },
  });
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
  await client.advance(START + DAY_MS);
  const asked = labelledRows(60, START + DAY_MS, 41).map(({ label: _, ...row }) => row);
  const { predictions } = await client.predictMany(MODEL, asked);
  const sure = predictions.filter(({ review }) => review === undefined);
  await client.giveFeedback(MODEL, [
    { predictionId: sure[0]?.predictionId ?? "", thumb: "up" },
    { predictionId: sure[1]?.predictionId ?? "", thumb: "down", comment: "I bought it", user: "u-17" },
    { predictionId: sure[2]?.predictionId ?? "", value: true },
  ]);
  await client.ingest(
    "letters",
    Array.from({ length: 30 }, (_, i) => ({ id: `letter-${i}`, text: `Where is my parcel? (${i})`, length: 20 + i })),
  );
  await client.buildTasks("letters", { count: 10 });
  await work();
}, 240_000);
afterAll(async () => {
  await leaveBrowser(browser);
  await system?.close();
  await rm(directory, { recursive: true, force: true });
});

const PAGES = [
  [`/models/${MODEL}/labeling?mode=reviews`, "waits for your decision until"],
  [`/models/${MODEL}/labeling?mode=bulk`, "Take out what does not belong"],
  [`/models/${MODEL}/labeling/team`, "People agree"],
  [`/models/${MODEL}/feedback`, "I bought it"],
  [`/models/${MODEL}/feedback?show=value`, "corrected"],
  ["/models/letters/labeling", "Another class"],
] as const;

describe("the pages of people at work", () => {
  it.each([
    ["light", 1280],
    ["dark", 1280],
    ["dark", 360],
  ] as const)(
    "have no fault in %s colors, %i pixels wide",
    async (scheme, width) => {
      expect(await lookAt(browser, url, PAGES, { scheme, width })).toEqual([]);
      if (process.env["SCREENSHOTS"] === undefined) return;
      for (const [path] of PAGES) {
        const shot = await openPage(browser, url, { width, scheme });
        await shot.page.goto(url + path);
        await settle(shot.page);
        const name = `people${path.replaceAll(/[/?=]/g, "-")}-${scheme}-${width}.png`;
        await shot.page.screenshot({ path: join(process.env["SCREENSHOTS"], name), fullPage: true });
        await shot.context.close();
      }
    },
    120_000,
  );

  it("keep what one does in the address, and decide a held answer by one key", async () => {
    const { page, context, problems } = await openPage(browser, url);
    await page.goto(`${url}/models/${MODEL}/labeling`);
    await settle(page);
    await page.getByRole("button", { name: /Answers to decide/ }).click();
    await until(async () => page.url().endsWith("?mode=reviews"), "the address to say what is shown");
    await page.getByText("waits for your decision until").waitFor();
    const waiting = (await client.reviews(MODEL, { state: "open", limit: 500 })).items.length;
    expect(waiting).toBeGreaterThan(0);
    await page.keyboard.press("2");
    await until(
      async () => (await client.reviews(MODEL, { state: "open", limit: 500 })).items.length === waiting - 1,
      "the decision to arrive",
    );
    expect(await problems()).toEqual([]);
    await context.close();
  });

  it("take a class nobody has named, and offer it for the next item", async () => {
    const { page, context, problems } = await openPage(browser, url);
    await page.goto(`${url}/models/letters/labeling`);
    await settle(page);
    await page.getByLabel("Another class").fill("delivery");
    await page.keyboard.press("Enter");
    await until(async () => (await client.labelingStats("letters")).states.done === 1, "the answer to arrive");
    await page.reload();
    await settle(page);
    await page.getByRole("button", { name: "delivery" }).waitFor();
    await page.keyboard.press("1");
    await until(async () => (await client.labelingStats("letters")).states.done === 2, "the next answer to arrive");
    expect(await problems()).toEqual([]);
    await context.close();
  });
});
