// The pages of a recommender: how its slates did, and trying one.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ensureBuilt } from "../../scripts/build.mjs";
import { openSystem, type System } from "../../src/cli/compose.ts";
import { createClient, type RetrainClient } from "../../src/client/index.ts";
import { defineConfig, defineModel, f, matrixFactorization, resolveConfig, when } from "../../src/config/index.ts";
import { createRandom, createVirtualClock, DAY_MS, silentLogger } from "../../src/core/index.ts";
import { lookAt } from "./look.ts";
import { launchBrowser, leaveBrowser, openPage, settle } from "./setup.ts";

const START = Date.UTC(2026, 0, 5);
const films = defineModel({
  name: "films",
  task: "recommend",
  user: "viewer",
  item: "film",
  time: "at",
  k: 5,
  features: {},
  label: f.number(),
  trainer: matrixFactorization({ factors: 8 }),
  data: { holdout: { minRows: 100 } },
  retrain: { when: when.newLabels(1_000_000), cooldown: "1h" },
});

let directory: string;
let system: System;
let client: RetrainClient;
let url: string;
let browser: Browser;

beforeAll(async () => {
  ensureBuilt(["server", "console", "template of the embedded store"]);
  directory = await mkdtemp(join(tmpdir(), "retrain-browser-"));
  const config = defineConfig({ models: [films], storage: { dir: directory }, server: { tickEvery: "6h" } });
  system = await openSystem({
    spec: resolveConfig(config, { folder: directory, origin: "test" }),
    worldClock: createVirtualClock(START),
    logger: silentLogger,
    replay: true,
    jobs: 1,
  });
  ({ url } = await system.server.listen({ host: "127.0.0.1", port: 0 }));
  client = createClient({ url, timeoutMs: 120_000 });
  const random = createRandom(2);
  const taken = (count: number, from: number) =>
    Array.from({ length: count }, (_, i) => {
      const viewer = random.nextInt(60);
      const drawn = random.nextInt(60);
      const at = new Date(from + i * 2_000_000).toISOString();
      return { viewer: `viewer ${viewer}`, film: `film ${drawn - (drawn % 3) + (viewer % 3)}`, at, label: 1 };
    });
  await client.ingest("films", taken(1200, START - 30 * DAY_MS));
  await client.startRun("films", { reason: "test" });
  const isOver = async () => (await client.runs("films", { limit: 1 })).items[0]?.endedAt !== undefined;
  await vi.waitFor(async () => expect(await isOver()).toBe(true), { timeout: 120_000, interval: 500 });
  await client.advance(START + DAY_MS);
  await client.ingest("films", taken(40, START));
  await client.advance(START + 2 * DAY_MS);
  browser = await launchBrowser();
}, 240_000);
afterAll(async () => {
  await leaveBrowser(browser);
  await system?.close();
  await rm(directory, { recursive: true, force: true });
});

describe("the pages of a recommender", () => {
  it("open without a fault, in both colors and on a narrow screen", async () => {
    const [run] = (await client.runs("films", { limit: 1 })).items;
    expect(run).toMatchObject({ state: "promoted" });
    const pages = [
      [`/runs/${run?.id}`, "Slates by what is known of a user"],
      ["/models/films", "Share of interactions foreseen"],
      ["/models/films/predict", "From everything known of the user now"],
      ["/models/films/drift", "drift"],
      ["/models/films/diagnosis", "no columns to diagnose by"],
      ["/models/films/versions/v1", "Dataset hash"],
      ["/models/films/data", "Quarantine"],
    ] as const;
    expect(await lookAt(browser, url, pages, { scheme: "light", width: 1280 })).toEqual([]);
    expect(await lookAt(browser, url, pages, { scheme: "dark", width: 360 })).toEqual([]);
  }, 240_000);

  it("offer a user its slate, a stranger what is popular, and say what is wrong", async () => {
    const { page, context, problems } = await openPage(browser, url, { scheme: "light", width: 1280 });
    await page.goto(`${url}/models/films/predict`);
    await settle(page);
    await page.getByRole("textbox", { name: "viewer" }).fill("viewer 4");
    await page.getByRole("button", { name: "Recommend" }).click();
    const slate = page.getByRole("region", { name: "The slate of viewer 4" });
    await slate.waitFor();
    expect(await slate.getByRole("row").count()).toBe(6);
    await page.getByText("solved from its own interactions").waitFor();
    await page.getByRole("textbox", { name: "viewer" }).fill("stranger");
    await page.getByLabel("Only among").fill("film 1, film 2");
    await page.getByRole("button", { name: "Recommend" }).click();
    const popular = page.getByRole("region", { name: "The slate of stranger" });
    await popular.waitFor();
    expect(await popular.getByRole("row").count()).toBe(3);
    await page.getByText("a stranger, who gets what is popular").waitFor();
    expect(await problems()).toEqual([]);
    await context.close();
  }, 120_000);
});
