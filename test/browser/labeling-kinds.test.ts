// The labeling page with answers and examples of every kind: numbers that are typed, pictures and vectors that are drawn, and a
// network that fails in between.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode as encodePng } from "fast-png";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureBuilt } from "../../scripts/build.mjs";
import { openSystem, type System } from "../../src/cli/compose.ts";
import { createClient, type RetrainClient } from "../../src/client/index.ts";
import { defineConfig, defineModel, f, resolveConfig } from "../../src/config/index.ts";
import { createVirtualClock, silentLogger } from "../../src/core/index.ts";
import { lookAt } from "./look.ts";
import { launchBrowser, leaveBrowser, openPage, settle, until } from "./setup.ts";

const SIDE = 6;
const rents = defineModel({
  name: "rents",
  task: "regression",
  id: "flat",
  features: { area: f.number() },
  label: f.number(),
  labeling: { overlap: 0 },
});
const photos = defineModel({
  name: "photos",
  task: "binary",
  id: "photo",
  features: {
    gray: f.image({ width: SIDE, height: SIDE }),
    color: f.image({ width: SIDE, height: SIDE, channels: 3 }),
    sound: f.vector(9),
  },
  label: f.boolean(),
  labeling: { overlap: 0 },
});

let browser: Browser;
let system: System;
let url: string;
let client: RetrainClient;
let directory: string;

const png = (channels: 1 | 3, at: (i: number) => number) =>
  Buffer.from(
    encodePng({
      width: SIDE,
      height: SIDE,
      channels,
      data: Uint8Array.from({ length: SIDE * SIDE * channels }, (_, i) => at(i)),
    }),
  ).toString("base64");

beforeAll(async () => {
  ensureBuilt(["server", "console", "template of the embedded store"]);
  browser = await launchBrowser();
  directory = await mkdtemp(join(tmpdir(), "retrain-kinds-"));
  const config = defineConfig({ models: [rents, photos], storage: { dir: directory } });
  system = await openSystem({
    spec: resolveConfig(config, { folder: directory, origin: "test" }),
    worldClock: createVirtualClock(Date.UTC(2026, 0, 5)),
    logger: silentLogger,
    replay: true,
    jobs: 1,
  });
  url = (await system.server.listen({ host: "127.0.0.1", port: 0 })).url;
  client = createClient({ url, timeoutMs: 120_000 });
  await client.ingest(
    "rents",
    Array.from({ length: 12 }, (_, i) => ({ flat: `flat-${i}`, area: 30 + i })),
  );
  await client.ingest(
    "photos",
    Array.from({ length: 3 }, (_, n) => ({
      photo: `photo-${n}`,
      gray: png(1, (i) => i * 7),
      color: png(3, (i) => (i % 3 === 0 ? 250 : i)),
      sound: Array.from({ length: 9 }, (__, i) => i - n),
    })),
  );
  await client.buildTasks("rents", { count: 8 });
  await client.buildTasks("photos", { count: 3 });
}, 240_000);
afterAll(async () => {
  await leaveBrowser(browser);
  await system?.close();
  await rm(directory, { recursive: true, force: true });
});

const shown = (page: Page) => page.locator(".labeling-card").getAttribute("data-task", { timeout: 10_000 });
const annotations = async (model: string) => (await client.labelingStats(model)).labelers[0];

describe("numbers", () => {
  it("are typed, and every key of the page works while the field has the focus", async () => {
    const { page, context, problems } = await openPage(browser, url);
    await page.goto(`${url}/models/rents/labeling`);
    await settle(page);
    const first = await shown(page);
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.keyboard.type("-12.5e2");
    expect(await page.getByLabel("The true value").inputValue()).toContain("12.5");
    for (let i = 0; i < 9; i++) await page.keyboard.press("Backspace");
    // Empty again: the last Backspace had nothing to take back, and no answer was given.
    expect(await shown(page)).toBe(first);
    await page.keyboard.type("640.5");
    await page.keyboard.press("Enter");
    await until(async () => (await shown(page)) !== first, "the next item");
    await until(async () => (await annotations("rents"))?.answers === 1, "the answer to arrive");
    await page.keyboard.press("Backspace");
    await until(async () => (await shown(page)) === first, "the first item to come back");
    await page.keyboard.press("Space");
    await until(async () => (await shown(page)) !== first, "the next item after a skip");
    const flagged = await shown(page);
    await page.keyboard.press("f");
    await until(async () => (await shown(page)) !== flagged, "the next item after a flag");
    await until(async () => (await annotations("rents"))?.flags === 1, "the flag to arrive");
    expect(await annotations("rents")).toMatchObject({ answers: 0, skips: 1, flags: 1 });
    await page.keyboard.press("c");
    await page.getByLabel("Comment").waitFor();
    expect((await problems()).filter((one) => !one.includes("404"))).toEqual([]);
    await context.close();
  });

  it("are kept on the page when the network fails, and arrive afterwards", async () => {
    const { page, context } = await openPage(browser, url);
    await page.goto(`${url}/models/rents/labeling`);
    await settle(page);
    const before = (await annotations("rents"))?.answers ?? 0;
    await page.route("**/answer", (route) => route.abort());
    const first = await shown(page);
    await page.keyboard.type("700");
    await page.keyboard.press("Enter");
    await until(async () => (await shown(page)) !== first, "the next item");
    await page.getByRole("alert").waitFor();
    await page.unroute("**/answer");
    // It comes again behind the others, not under a key that is about to be pressed.
    const answered: string[] = [];
    while (!answered.includes(first ?? "")) {
      const id = (await shown(page)) ?? "";
      answered.push(id);
      await page.keyboard.type("700");
      await page.keyboard.press("Enter");
      if (id !== first) await until(async () => (await shown(page)) !== id, "the next item");
    }
    expect(answered.length).toBeGreaterThan(1);
    await until(
      async () => ((await annotations("rents"))?.answers ?? 0) === before + answered.length,
      "every answer to arrive",
    );
    await context.close();
  });
});

describe("pictures and vectors", () => {
  /** What a canvas holds, red, green and blue of every pixel. */
  const pixels = (page: Page, label: string) =>
    page.evaluate<number[]>(`(() => {
      const canvas = [...document.querySelectorAll("canvas")].find((one) => one.getAttribute("aria-label").startsWith(${JSON.stringify(label)}));
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return [...data].filter((_, i) => i % 4 !== 3);
    })()`);

  it("are drawn as they were sent", async () => {
    const { page, context, problems } = await openPage(browser, url);
    await page.goto(`${url}/models/photos/labeling`);
    await settle(page);
    await page.getByRole("img", { name: "gray" }).waitFor();
    const gray = Array.from({ length: SIDE * SIDE }, (_, i) => [i * 7, i * 7, i * 7]).flat();
    await until(async () => JSON.stringify(await pixels(page, "gray")) === JSON.stringify(gray), "the gray picture");
    const color = Array.from({ length: SIDE * SIDE * 3 }, (_, i) => (i % 3 === 0 ? 250 : i));
    expect(await pixels(page, "color")).toEqual(color);
    await page.getByRole("img", { name: "sound: 9 numbers drawn as a square of 3 by 3" }).waitFor();
    const sound = Array.from({ length: 9 }, (_, i) => Math.round((255 * i) / 8)).flatMap((one) => [one, one, one]);
    expect(await pixels(page, "sound")).toEqual(sound);
    expect(await page.locator(".labeling-card").innerText()).not.toMatch(/px8:|f32:/);
    expect(await problems()).toEqual([]);
    await context.close();
  });

  it("fit a phone, alone and together", async () => {
    const pages = [
      ["/models/photos/labeling", "Skip"],
      ["/models/photos/labeling?mode=bulk", "Take out what does not belong"],
    ] as const;
    expect(await lookAt(browser, url, pages, { scheme: "dark", width: 360 })).toEqual([]);
    if (process.env["SCREENSHOTS"] === undefined) return;
    for (const [path] of pages) {
      const shot = await openPage(browser, url, { width: 360, scheme: "light" });
      await shot.page.goto(url + path);
      await settle(shot.page);
      const name = `kinds${path.replaceAll(/[/?=]/g, "-")}.png`;
      await shot.page.screenshot({ path: join(process.env["SCREENSHOTS"], name), fullPage: true });
      await shot.context.close();
    }
  });
});
