// Rollouts and experiments in the console: what they show, what a person does to them, and who may.
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RolloutRecord } from "../../src/core/index.ts";
import { lookAt, UNKNOWN } from "./look.ts";
import { COMPARING, FRESH, SETTLED, startRolloutServer, WAITING } from "./rollouts-setup.ts";
import { launchBrowser, leaveBrowser, type LivedServer, openPage, settle, until } from "./setup.ts";

const SECRET = "0123456789abcdef0123456789abcdef";

let server: LivedServer;
let browser: Browser;
beforeAll(async () => {
  server = await startRolloutServer(SECRET);
  browser = await launchBrowser();
}, 240_000);
afterAll(async () => {
  await leaveBrowser(browser);
  await server?.close();
});

const signIn =
  (token = SECRET) =>
  async (context: BrowserContext): Promise<void> => {
    await context.addInitScript(`sessionStorage.setItem("retrain-token", "${token}")`);
  };
const rollouts = async (model: string) => (await server.client.rollouts(model)).items;
const newest = async (model: string) => (await rollouts(model))[0] as RolloutRecord;

async function open(path: string, token?: string) {
  const opened = await openPage(browser, server.url);
  await signIn(token)(opened.context);
  await opened.page.goto(server.url + path);
  await settle(opened.page);
  return opened;
}

describe("the pages", () => {
  it.each([
    ["light", 1280],
    ["dark", 1280],
    ["dark", 360],
  ] as const)("open in %s colors, %i pixels wide, without a fault", async (scheme, width) => {
    const settled = await rollouts(SETTLED);
    const pages = [
      [`/models/${COMPARING}/rollouts`, "50 % of requests"],
      [`/models/${COMPARING}/rollouts/${(await newest(COMPARING)).id}`, "Difference in log loss over time"],
      [`/models/${COMPARING}/rollouts/${(await newest(COMPARING)).id}?phase=0`, "paired: both answer the same rows"],
      [`/models/${COMPARING}/rollouts/${(await newest(COMPARING)).id}?phase=0`, "answered by v2 in a replay, unseen"],
      [`/models/${SETTLED}/rollouts`, "rolled back"],
      ...settled.map(({ id, verdict }) => [`/models/${SETTLED}/rollouts/${id}`, verdict] as const),
      [`/models/${WAITING}/rollouts`, "Canary at 30 %"],
      [`/models/${WAITING}/rollouts/${(await newest(WAITING)).id}`, "No label of this stage"],
      [`/models/${FRESH}/rollouts`, "has had no rollout"],
      [`/models/${FRESH}/rollouts/${UNKNOWN}`, "ROLLOUT_UNKNOWN"],
    ] as const;
    expect(await lookAt(browser, server.url, pages, { scheme, width, prepare: signIn() })).toEqual([]);
  });
});

describe("an experiment", () => {
  it("shows the sequence it kept, look by look, and every stage behind its own button", async () => {
    const { id } = await newest(COMPARING);
    const detail = await server.client.experiment(id);
    const last = detail.rollout.phases.length - 1;
    const { page, context, problems } = await open(`/models/${COMPARING}/rollouts/${id}`);
    await page.locator(".verdict").getByText(detail.rollout.verdict).waitFor();
    const chart = page.getByRole("figure", { name: "Difference in log loss over time" });
    await chart.locator("canvas").waitFor();
    await chart.getByRole("button", { name: "View as table" }).click();
    const looks = detail.looks.filter(({ phase }) => phase === last);
    expect(looks.length).toBeGreaterThan(8);
    expect(await chart.locator("tbody tr").count()).toBe(looks.length);
    const [first, latest] = [looks[0], looks.at(-1)].map(
      (look) => (look?.interval?.[1] ?? 0) - (look?.interval?.[0] ?? 0),
    );
    expect(latest).toBeLessThan((first ?? 0) / 2);
    const guardrails = page.getByRole("region", { name: "Guardrails" });
    expect(await guardrails.locator("tbody tr").count()).toBe(detail.evidence[last]?.guardrails.length);
    await page.getByRole("region", { name: "Split of traffic" }).getByText("as planned").first().waitFor();
    await page.getByRole("button", { name: "Shadow 100 %" }).click();
    await page.waitForURL(/phase=0/);
    await page.getByText("paired: both answer the same rows").waitFor();
    expect(await problems()).toEqual([]);
    await context.close();
  });
});

describe("a rollout", () => {
  const dialog = (page: Page) => page.getByRole("dialog");
  const say = async (page: Page, button: string, reason: string) => {
    await page.getByRole("button", { name: button, exact: true }).click();
    const confirm = dialog(page).getByRole("button", { name: button, exact: true });
    expect(await confirm.isDisabled()).toBe(true);
    await dialog(page).getByLabel("Reason").fill(reason);
    await confirm.click();
    await dialog(page).waitFor({ state: "detached" });
  };

  it("is paused, resumed, rolled back, started, aborted, started and promoted, each with its reason", async () => {
    const { page, context, problems } = await open(`/models/${WAITING}/rollouts`);
    await say(page, "Pause", "a holiday");
    await page
      .getByText(/Paused by .*: a holiday/)
      .first()
      .waitFor();
    expect((await newest(WAITING)).state).toBe("paused");
    await say(page, "Resume", "back from it");
    await say(page, "Roll back to v1", "a feeling");
    await page.getByText("100 % of requests").waitFor();
    const start = async () => {
      await page.getByRole("button", { name: "Start a rollout" }).click();
      await dialog(page).getByLabel("Version").selectOption("v2");
      await dialog(page).getByRole("button", { name: "Start", exact: true }).click();
      await dialog(page).waitFor({ state: "detached" });
      await page.getByText("30 % of requests").waitFor();
    };
    await start();
    await say(page, "Abort", "not today");
    await start();
    await say(page, "Promote now", "sure enough");
    await page.getByText("v2 champion: 100 % of requests").waitFor();
    expect((await rollouts(WAITING)).map(({ state }) => state)).toEqual(["promoted", "aborted", "rolled-back"]);
    const { items } = await server.client.audit({ limit: 20 });
    const said = JSON.stringify(items.map(({ details }) => details));
    for (const reason of ["a holiday", "back from it", "a feeling", "not today", "sure enough"]) {
      expect(said).toContain(reason);
    }
    expect(await problems()).toEqual([]);
    await context.close();
  });

  it("moves on the page when somebody else moves it, and says why a second one is refused", async () => {
    const { champion } = (await server.client.model(WAITING)).routing;
    await server.client.startRollout(WAITING, champion === "v1" ? "v2" : "v1");
    const { page, context } = await open(`/models/${WAITING}/rollouts`);
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await dialog(page).getByLabel("Reason").fill("too late");
    await server.client.changeRollout(WAITING, "pause", "somebody was first");
    await dialog(page).getByRole("button", { name: "Pause", exact: true }).click();
    await dialog(page).getByText("ROLLOUT_CONFLICT").waitFor();
    await dialog(page).getByRole("button", { name: "Leave it as it is" }).click();
    await page.getByText("somebody was first").first().waitFor();
    await server.client.changeRollout(WAITING, "abort", "enough of it");
    await page.getByText("enough of it").first().waitFor();
    await until(async () => (await page.getByRole("button", { name: "Abort" }).count()) === 0, "the buttons to go");
    await context.close();
  });

  it("is looked at only, by a token that may not change it", async () => {
    const { secret } = await server.client.createToken({ name: "viewer", role: "viewer" });
    const { page, context, problems } = await open(`/models/${COMPARING}/rollouts`, secret);
    for (const name of ["Pause", "Promote now", "Abort", "Roll back to v1"]) {
      const button = page.getByRole("button", { name, exact: true });
      expect([name, await button.isDisabled(), await button.getAttribute("title")]).toEqual([
        name,
        true,
        "This takes the role operator; your token has viewer.",
      ]);
    }
    expect(await problems()).toEqual([]);
    await context.close();
  });
});
