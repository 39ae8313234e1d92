// A person labels three hundred pictures by keyboard: every key shows the next one at once, and no answer is lost.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureBuilt } from "../../scripts/build.mjs";
import { openSystem, type System } from "../../src/cli/compose.ts";
import { createClient, type RetrainClient } from "../../src/client/index.ts";
import { defineConfig, defineModel, f, resolveConfig } from "../../src/config/index.ts";
import { createRandom, createVirtualClock, silentLogger } from "../../src/core/index.ts";
import { launchBrowser, leaveBrowser, openPage, settle, until } from "./setup.ts";

const TASKS = 300;
const SIDE = 8;
/** Key to the next item; the page shows it before anything is sent. */
const NEXT_MS = 100;

const digits = defineModel({
  name: "digits",
  task: "multiclass",
  id: "image",
  features: Object.fromEntries(Array.from({ length: SIDE * SIDE }, (_, i) => [`p${i}`, f.number({ min: 0, max: 16 })])),
  label: f.category("zero", "one", "two"),
  labeling: { guidelines: "Name the digit.\nSkip what you cannot read.", overlap: 0 },
});
const notes = defineModel({
  name: "notes",
  task: "binary",
  id: "id",
  features: { text: f.category(), age: f.number(), channel: f.category() },
  label: f.boolean(),
  labeling: { overlap: 0 },
});

let browser: Browser;
let system: System;
let url: string;
let client: RetrainClient;
let directory: string;
beforeAll(async () => {
  ensureBuilt(["server", "console", "template of the embedded store"]);
  browser = await launchBrowser();
  directory = await mkdtemp(join(tmpdir(), "retrain-labeling-"));
  const config = defineConfig({ models: [digits, notes], storage: { dir: directory } });
  system = await openSystem({
    spec: resolveConfig(config, { folder: directory, origin: "test" }),
    worldClock: createVirtualClock(Date.UTC(2026, 0, 5)),
    logger: silentLogger,
    replay: true,
    jobs: 1,
  });
  url = (await system.server.listen({ host: "127.0.0.1", port: 0 })).url;
  client = createClient({ url, timeoutMs: 120_000 });
  const random = createRandom(3);
  const pictures = Array.from({ length: TASKS + 40 }, (_, n) => ({
    image: `image-${n}`,
    ...Object.fromEntries(Array.from({ length: SIDE * SIDE }, (__, i) => [`p${i}`, random.nextInt(17)])),
  }));
  await client.ingest("digits", pictures);
  const text =
    "The parcel arrived late and the box was open, but the driver was friendly and helped me carry it upstairs.";
  await client.ingest(
    "notes",
    Array.from({ length: 30 }, (_, i) => ({ id: `note-${i}`, text: `${text} (${i})`, age: 20 + i, channel: "web" })),
  );
  await client.buildTasks("digits", { count: TASKS });
  await client.buildTasks("notes", { count: 20 });
}, 240_000);
afterAll(async () => {
  await leaveBrowser(browser);
  await system?.close();
  await rm(directory, { recursive: true, force: true });
});

describe("labeling by keyboard", () => {
  it("gives three hundred answers, each followed at once by the next item, and takes one back", async () => {
    const { page, context, problems } = await openPage(browser, url);
    await page.goto(`${url}/models/digits/labeling`);
    await settle(page);
    await page.locator(".labeling-card").waitFor();
    await page.getByText("Name the digit.").waitFor({ state: "attached" });
    const current = () => page.locator(".labeling-card").getAttribute("data-task", { timeout: 10_000 });
    const first = await current();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.keyboard.press("1");
    await until(async () => (await current()) !== first, "the next item");
    await page.keyboard.press("Backspace");
    await until(async () => (await current()) === first, "the first item to come back");
    // Measured in the page, where no other process is in the way: from the key to the next item in the document.
    await page.evaluate(`
      window.waits = [];
      window.addEventListener("keydown", () => {
        const from = performance.now();
        const before = document.querySelector(".labeling-card")?.dataset.task;
        const look = () => {
          const now = document.querySelector(".labeling-card")?.dataset.task;
          if (now !== before) window.waits.push(performance.now() - from);
          else if (performance.now() - from < 5000) setTimeout(look, 1);
        };
        look();
      }, { capture: true });
    `);
    const seen = new Set<string>();
    for (let i = 0; i < TASKS; i++) {
      const id = (await current()) ?? "";
      expect(seen.has(id)).toBe(false);
      seen.add(id);
      await page.keyboard.press(String(1 + (i % 3)));
      if (i < TASKS - 1) await page.locator(`.labeling-card:not([data-task="${id}"])`).waitFor();
    }
    await page.getByText("Nothing is left for you").waitFor();
    await until(async () => (await client.labelingStats("digits")).states.done === TASKS, "all answers to arrive");
    const stats = await client.labelingStats("digits");
    expect(stats.labelers).toMatchObject([{ labeler: "local", answers: TASKS }]);
    const waits = (await page.evaluate<number[]>("window.waits")).sort((left, right) => left - right);
    expect(waits.length).toBeGreaterThan(TASKS * 0.9);
    expect(waits[Math.floor(waits.length / 2)]).toBeLessThanOrEqual(NEXT_MS);
    expect(await problems()).toEqual([]);
    await context.close();
  }, 300_000);

  it("fits a phone, draws texts as texts, answers similar ones together, and shows the team how it goes", async () => {
    const { page, context, problems } = await openPage(browser, url, { width: 360, scheme: "dark" });
    await page.goto(`${url}/models/notes/labeling`);
    await settle(page);
    await page.locator(".labeling-card blockquote").waitFor();
    const overflow = await page.evaluate<number>("document.documentElement.scrollWidth - window.innerWidth");
    expect(overflow).toBeLessThanOrEqual(0);
    await page.keyboard.press("f");
    await page.getByRole("button", { name: "Similar ones together" }).click();
    await page.locator(".bulk-item").nth(3).waitFor();
    await page.locator(".bulk-item").first().click();
    const before = await page.locator(".bulk-item[aria-pressed=true]").count();
    await page.getByRole("button", { name: "Yes" }).click();
    await until(
      async () => (await client.labelingStats("notes")).states.done >= before,
      "the answers of the others to arrive",
    );
    await page.goto(`${url}/models/notes/labeling/team`);
    await settle(page);
    const verdict = page.getByRole("group", { name: "Verdict" });
    await verdict.waitFor();
    await page.getByLabel("Example id").fill("note-1");
    await page.getByRole("button", { name: "Show" }).click();
    expect(await problems()).toEqual([]);
    if (process.env["SCREENSHOTS"] !== undefined) {
      for (const [path, scheme, width] of [
        ["models/notes/labeling", "dark", 360],
        ["models/notes/labeling", "light", 1280],
        ["models/notes/labeling/team", "light", 1280],
        ["models/notes/labeling/team", "dark", 360],
      ] as const) {
        const shot = await openPage(browser, url, { width, scheme });
        await shot.page.goto(`${url}/${path}`);
        await settle(shot.page);
        const name = `${path.replaceAll("/", "-")}-${scheme}-${width}.png`;
        await shot.page.screenshot({ path: join(process.env["SCREENSHOTS"], name), fullPage: true });
        await shot.context.close();
      }
    }
    await context.close();
  }, 120_000);
});
