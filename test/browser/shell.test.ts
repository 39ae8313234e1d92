// What surrounds the pages: the palette, the stream when the server goes and comes back, ranges of days, the audit log, and the
// buttons that stop something.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureBuilt } from "../../scripts/build.mjs";
import { openSystem, type System } from "../../src/cli/compose.ts";
import { createClient, type RetrainClient } from "../../src/client/index.ts";
import { command, defineConfig, defineModel, f, gate, resolveConfig, stage, when } from "../../src/config/index.ts";
import { createVirtualClock, DAY_MS, HOUR_MS, silentLogger } from "../../src/core/index.ts";
import { shopModel, teachShop, visits, visitShop } from "../server/rollout-story.ts";
import { launchBrowser, leaveBrowser, openPage, settle, until } from "./setup.ts";

const START = Date.UTC(2026, 0, 5);
const MODEL = "search";
/** Trained by a program that never comes to an end of its own; bounded, so that a failed test leaves nothing behind. */
const SLOW = "slow";
const PROGRAM = "setTimeout(() => process.exit(1), 120_000);\n";

let browser: Browser;
let directory: string;
let system: System;
let url: string;
let client: RetrainClient;

/** The same directory and the same address, as after a restart. */
async function start(at: number, port: number): Promise<void> {
  const slow = defineModel({
    name: SLOW,
    task: "binary",
    id: "visit",
    time: "at",
    features: { x: f.number(), z: f.number() },
    label: f.boolean(),
    trainer: command({ run: ["node", join(directory, "slow.mjs")], format: "csv" }),
    data: { minRows: 400 },
    retrain: { when: when.manual(), cooldown: "0s" },
    gates: [gate.atLeast("accuracy", 0.2)],
  });
  const models = [shopModel(MODEL, [stage.full({ watch: "0s" })]), slow];
  const config = defineConfig({ models, storage: { dir: join(directory, "data") }, server: { tickEvery: "6h" } });
  system = await openSystem({
    spec: resolveConfig(config, { folder: directory, origin: "test" }),
    worldClock: createVirtualClock(at),
    logger: silentLogger,
    replay: true,
    jobs: 1,
  });
  ({ url } = await system.server.listen({ host: "127.0.0.1", port }));
  client = createClient({ url, timeoutMs: 120_000 });
}

beforeAll(async () => {
  ensureBuilt(["server", "console", "template of the embedded store"]);
  directory = await mkdtemp(join(tmpdir(), "retrain-browser-"));
  await writeFile(join(directory, "slow.mjs"), PROGRAM);
  await start(START, 0);
  browser = await launchBrowser();
  await teachShop(client, MODEL, 1, 1);
  await visitShop(client, MODEL, { seed: 2, side: 1, steps: 12, perStep: 30, everyMs: 12 * HOUR_MS });
  await teachShop(client, MODEL, 3, 1);
  await client.ingest(
    SLOW,
    visits(700, START, 4, 1, 60_000).map(({ customer: _, ...row }) => row),
  );
}, 240_000);
afterAll(async () => {
  await leaveBrowser(browser);
  await system?.close();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

async function open(path: string, width = 1280) {
  const opened = await openPage(browser, url, { width });
  await opened.page.goto(url + path);
  await settle(opened.page);
  return opened;
}

describe("the palette", () => {
  const place = async (page: Page, text: string) => {
    await page.keyboard.press("Control+k");
    const input = page.getByRole("combobox", { name: "Page, model, version or run" });
    await input.waitFor();
    await input.fill(text);
    return page.getByRole("option", { selected: true });
  };

  it("goes to pages, versions and runs by keyboard alone, from anywhere", async () => {
    const { page, context, problems } = await open("/");
    await (await place(page, "search roll")).getByText("search rollouts").waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/models/${MODEL}/rollouts`);
    await (await place(page, "v2")).getByText("search v2").waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/models/${MODEL}/versions/v2`);
    const [run] = (await client.runs(MODEL, { limit: 1 })).items;
    await (await place(page, run?.id ?? "")).waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/runs/${run?.id}`);
    const selected = await place(page, "");
    const first = await selected.textContent();
    await page.keyboard.press("ArrowDown");
    expect(await page.getByRole("option", { selected: true }).textContent()).not.toBe(first);
    await page.keyboard.press("ArrowUp");
    expect(await page.getByRole("option", { selected: true }).textContent()).toBe(first);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await place(page, "nothing like it");
    await page.getByText("Nothing here is called that.").waitFor();
    expect(await problems()).toEqual([]);
    await context.close();
  });

  it("has a button, and is in the list of keys", async () => {
    const { page, context } = await open("/runs");
    await page.getByRole("button", { name: "Go to a page, model, version or run" }).click();
    await page.getByRole("option", { name: /^Alerts/ }).click();
    await page.waitForURL("**/alerts");
    await page.keyboard.press("?");
    await page.getByRole("dialog").getByText("Go to a page, model, version or run").waitFor();
    await context.close();
  });
});

describe("a range of days", () => {
  it("is chosen freely, asked of the server, and kept in the address", async () => {
    const { page, context, problems } = await open(`/models/${MODEL}`);
    const chart = page.getByRole("figure", { name: "Accuracy over time" });
    const rows = async () => {
      await page.getByRole("button", { name: "View as table" }).click();
      return chart.locator("tbody tr").count();
    };
    const all = await rows();
    await page.getByRole("button", { name: "From … to" }).click();
    await page.getByLabel("From day").fill("2026-01-06");
    await page.getByLabel("To day").fill("2026-01-07");
    await page.waitForURL(/from=\d+.*to=\d+/);
    const query = { from: START + DAY_MS, to: START + 3 * DAY_MS, metric: "accuracy" };
    const { points } = await client.performance(MODEL, query);
    expect(points.length).toBeGreaterThan(0);
    expect(points.length).toBeLessThan(all);
    await until(async () => (await chart.locator("tbody tr").count()) === points.length, "the chart to follow");
    await page.reload();
    await settle(page);
    expect(await page.getByLabel("From day").inputValue()).toBe("2026-01-06");
    expect(await rows()).toBe(points.length);
    await page.getByRole("button", { name: "All", exact: true }).click();
    await page.getByLabel("From day").waitFor({ state: "detached" });
    expect(page.url()).not.toContain("from=");
    expect(await problems()).toEqual([]);
    await context.close();
  });
});

describe("two versions side by side", () => {
  it("decide at any threshold, what that costs, and by any metric per slice", async () => {
    const { page, context, problems } = await open(`/models/${MODEL}/compare?a=v1&b=v2`);
    const found = await client.compare(MODEL, "v1", "v2");
    const { decisions, confusion } = found.report;
    const rates = page.getByRole("region", { name: "Rates and costs at the threshold" });
    const cell = (row: number, column: number) => rates.locator("tbody tr").nth(row).locator("td").nth(column);
    await rates.waitFor({ timeout: 60_000 });
    expect(await cell(0, 3).textContent()).toBe(String(confusion?.champion?.[0]?.[1]));
    await page.getByRole("slider").fill("80");
    await page.getByText("both from 0.8 on").waitFor();
    const at = (which: "candidate" | "champion") => decisions?.[which]?.falsePositives[80] ?? Number.NaN;
    expect(await cell(0, 3).textContent()).toBe(String(at("champion")));
    expect(await cell(1, 3).textContent()).toBe(String(at("candidate")));
    await page.getByLabel("A false alarm costs").fill("10");
    const misses = (decisions?.positives ?? 0) - (decisions?.candidate.truePositives[80] ?? 0);
    await until(
      async () => (await cell(1, 5).textContent())?.replace(",", "") === String(10 * at("candidate") + misses),
      "the cost to follow",
    );
    await page.getByRole("button", { name: "Each its own" }).click();
    expect(await cell(0, 3).textContent()).toBe(String(confusion?.champion?.[0]?.[1]));
    await page.getByLabel("Metric of the slices").selectOption("brier");
    await page.waitForURL(/metric=brier/);
    await page.getByRole("list", { name: "Differences of brier by slice" }).waitFor({ timeout: 60_000 });
    expect(await problems()).toEqual([]);
    await context.close();
  });
});

describe("a run", () => {
  it("is canceled by its button, after a question, and says so", async () => {
    const { run } = await client.startRun(SLOW, { reason: "to be canceled" });
    const { page, context, problems } = await open(`/runs/${run.id}`);
    await page.getByRole("button", { name: "Cancel the run" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Let it go on" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(["queued", "running"]).toContain((await client.run(run.id)).state);
    await page.getByRole("button", { name: "Cancel the run" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel the run" }).click();
    await page.locator(".lead-state").getByText("canceled").waitFor();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await page.getByRole("button", { name: "Cancel the run" }).count()).toBe(0);
    expect((await client.run(run.id)).state).toBe("canceled");
    expect(await problems()).toEqual([]);
    await context.close();
  });
});

describe("the audit log", () => {
  it("shows who did what, narrows by what the address says, and leads to what it was about", async () => {
    const { page, context, problems } = await open("/audit");
    await page.getByLabel("What").selectOption("promotion");
    await page.waitForURL(/action=promotion/);
    const rows = page.getByRole("region", { name: "Audit log" }).locator("tbody tr");
    const { items } = await client.audit({ action: "promotion" });
    await until(async () => (await rows.count()) === items.length, "the filter");
    await page.getByLabel("Who").fill("nobody");
    await page.keyboard.press("Enter");
    await page.getByText("Nobody did anything that fits these filters.").waitFor();
    await page.getByLabel("Who").fill("");
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: `${MODEL} v2` }).click();
    await page.waitForURL(`**/models/${MODEL}/versions/v2`);
    expect(await problems()).toEqual([]);
    await context.close();
  });
});

describe("a server that goes and comes back", () => {
  it("is missed, found again, and everything is read anew without a reload", async () => {
    const { page, context } = await open("/");
    await page.getByRole("button", { name: /now: live/ }).waitFor();
    const clock = page.locator(".clock time");
    const before = await clock.getAttribute("datetime");
    await page.evaluate("window.isSame = true");
    const { port } = new URL(url);
    await system.close();
    await page.getByRole("button", { name: /now: no connection/ }).waitFor();
    const later = Date.parse(before ?? "") + 30 * DAY_MS;
    await start(later, Number(port));
    await page.getByRole("button", { name: /now: live/ }).waitFor({ timeout: 30_000 });
    await until(async () => (await clock.getAttribute("datetime")) === new Date(later).toISOString(), "the new clock");
    expect(await page.evaluate("window.isSame")).toBe(true);
    // The stream is heard again, not only opened.
    await client.advance(later + DAY_MS);
    await until(
      async () => (await clock.getAttribute("datetime")) === new Date(later + DAY_MS).toISOString(),
      "an event of the new server",
    );
    await context.close();
  });
});
