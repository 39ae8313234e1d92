// What a person does in the console, by keyboard where it matters: train and watch, predict, roll back, pause, enter a token.
import { readFile } from "node:fs/promises";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser, leaveBrowser, type LivedServer, MODEL, openPage, settle, startServer, until } from "./setup.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => leaveBrowser(browser));

describe("a server with a lived model", () => {
  let server: LivedServer;
  beforeAll(async () => {
    server = await startServer({ withStory: true });
  }, 240_000);
  afterAll(() => server?.close());

  it("can be used by keyboard alone: every control takes the focus, dialogs keep and return it", async () => {
    const { page, context, problems } = await openPage(browser, server.url);
    await page.goto(`${server.url}/models/${MODEL}`);
    await settle(page);
    await page.locator("figure.chart canvas").waitFor();
    await page.getByRole("button", { name: /Pause live updates/ }).click();
    await page.evaluate("document.activeElement.blur()");
    expect(await unreachable(page)).toEqual([]);

    const roll = page.getByRole("button", { name: "Roll back" });
    await roll.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").getByLabel("Reason").waitFor();
    await until(() => page.evaluate<boolean>("document.activeElement.tagName === 'TEXTAREA'"), "the focus to enter");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await until(
      () => page.evaluate<boolean>("document.activeElement.textContent === 'Roll back'"),
      "the focus to return",
    );

    await page.keyboard.press("g");
    await page.keyboard.press("r");
    await page.getByRole("heading", { name: "Runs", level: 1 }).waitFor();
    expect(await problems()).toEqual([]);
    await context.close();
  });

  it("trains when told to and shows the run as it goes, without a reload", async () => {
    const { page, context, problems } = await openPage(browser, server.url);
    await page.goto(`${server.url}/models/${MODEL}`);
    await settle(page);
    await page.getByRole("button", { name: "Train now" }).click();
    await page.getByRole("dialog").getByLabel("Reason").fill("a look at the console");
    await page.getByRole("button", { name: "Start the run" }).click();
    await page.waitForURL(/\/runs\/[0-9a-f-]{36}$/);
    const id = page.url().split("/").at(-1) ?? "";
    await page.getByRole("heading", { name: "Loss per epoch" }).waitFor({ timeout: 60_000 });
    await page.getByRole("heading", { name: "Evaluation" }).waitFor({ timeout: 60_000 });
    await until(async () => !["queued", "running"].includes((await server.client.run(id)).state), "the run to end");
    const { state } = await server.client.run(id);
    await page.locator(".lead-state").getByText(state).waitFor();
    expect(await problems()).toEqual([]);
    await context.close();
  });

  it("says how a prediction comes about, and does not log the try", async () => {
    const before = (await server.client.model(MODEL)).summary.events.predictions;
    const { page, context, problems } = await openPage(browser, server.url);
    await page.goto(`${server.url}/models/${MODEL}/predict`);
    await settle(page);
    await page.getByLabel("channel").selectOption("app");
    await page.getByLabel("age", { exact: true }).fill("");
    await page.getByLabel("visits").fill("7");
    await page.getByLabel("basket").fill("61.5");
    await page.getByRole("button", { name: "Predict", exact: true }).click();
    await page.getByRole("heading", { name: "What the model says" }).waitFor();
    const way = page.getByRole("list").filter({ hasText: "Decision" });
    for (const station of ["Base value", "Score", "Threshold", "Decision"])
      await way.getByText(station, { exact: true }).waitFor();
    const row = page.getByRole("row").filter({ hasText: "visits" }).first();
    expect(await row.textContent()).toMatch(/visits77/);
    await page.getByRole("row").filter({ hasText: "missing" }).first().waitFor();
    expect((await server.client.model(MODEL)).summary.events.predictions).toBe(before);
    expect(await problems()).toEqual([]);
    await context.close();
  });

  it("hands a version out as a file, or says why not", async () => {
    const { page, context, problems } = await openPage(browser, server.url);
    const version = (await server.client.model(MODEL)).routing.champion ?? "";
    await page.goto(`${server.url}/models/${MODEL}/versions/${version}`);
    await settle(page);
    for (const [button, name] of [
      ["Signed file", `${MODEL}-${version}.retrain`],
      ["ONNX", `${MODEL}-${version}.onnx`],
    ] as const) {
      const [file] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: button, exact: true }).click(),
      ]);
      expect(file.suggestedFilename()).toBe(name);
      expect((await readFile(await file.path())).length).toBeGreaterThan(100);
    }
    expect(await problems()).toEqual([]);
    await context.close();
  });

  it("rolls back with a typed reason, which the decision keeps", async () => {
    const before = (await server.client.model(MODEL)).routing.champion;
    const { page, context, problems } = await openPage(browser, server.url);
    await page.goto(`${server.url}/models/${MODEL}/versions`);
    await settle(page);
    await page.getByRole("button", { name: "Roll back" }).click();
    const dialog = page.getByRole("dialog");
    const { from, to } = await server.client.rollbackPlan(MODEL);
    expect(from).toBe(before);
    await dialog.getByText(`${from} stops answering, and ${to} answers from the next request on.`).waitFor();
    const confirm = dialog.getByRole("button", { name: `Roll back to ${to}` });
    expect(await confirm.isDisabled()).toBe(true);
    await dialog.getByLabel("Reason").fill("it answers nonsense");
    await confirm.click();
    await dialog.waitFor({ state: "detached" });
    const after = (await server.client.model(MODEL)).routing.champion;
    expect(after).toBe(to);
    const [decision] = (await server.client.decisions({ model: MODEL, kind: "promotion", limit: 1 })).items;
    expect(decision?.reason).toContain("it answers nonsense");
    expect(await problems()).toEqual([]);
    await context.close();
  });

  it("trains a version again from its manifest and says that it came out equal", async () => {
    const [version] = (await server.client.versions(MODEL)).items;
    const { page, context, problems } = await openPage(browser, server.url);
    await page.goto(`${server.url}/models/${MODEL}/versions/${version?.name ?? ""}`);
    await settle(page);
    await page.getByRole("button", { name: "Reproduce" }).click();
    await page.getByRole("status").getByText("came out equal, byte for byte").waitFor({ timeout: 60_000 });
    expect(await problems()).toEqual([]);
    await context.close();
  });

  it("promotes a version against its gate only with a reason", async () => {
    const { page, context, problems } = await openPage(browser, server.url);
    const other = (await server.client.versions(MODEL)).items.find(({ role }) => role === null);
    if (other === undefined) throw new Error("there is one version only");
    await page.goto(`${server.url}/models/${MODEL}/versions/${other.name}`);
    await settle(page);
    await page.getByRole("button", { name: "Promote", exact: true }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Reason").fill("the audit asks for it");
    await dialog.getByRole("button", { name: `Promote ${other.name}` }).click();
    await dialog.waitFor({ state: "detached" });
    await page.locator(".version-heading").getByText("live").waitFor();
    expect((await server.client.model(MODEL)).routing.champion).toBe(other.name);
    expect(await problems()).toEqual([]);
    await context.close();
  });

  it("moves with the server, and stands still when paused", async () => {
    const [watching, paused] = await Promise.all([openPage(browser, server.url), openPage(browser, server.url)]);
    const shown = (page: Page) => page.locator(".clock time").textContent();
    for (const { page } of [watching, paused]) {
      await page.goto(server.url);
      await settle(page);
      await page.getByRole("button", { name: /now: live/ }).waitFor();
    }
    await paused.page.keyboard.press("p");
    const resume = paused.page.getByRole("button", { name: "Resume live updates" });
    await resume.waitFor();
    const before = await shown(paused.page);
    const { now } = await server.client.server();
    await server.client.advance(now + 6 * 3_600_000);
    await until(async () => (await shown(watching.page)) !== before, "the watching page to move");
    expect(await shown(paused.page)).toBe(before);
    await resume.click();
    await until(async () => (await shown(paused.page)) === (await shown(watching.page)), "the paused page to catch up");
    await Promise.all([watching.context.close(), paused.context.close()]);
  });

  it("keeps filters in the address", async () => {
    const { page, context } = await openPage(browser, server.url);
    await page.goto(`${server.url}/models/${MODEL}/decisions`);
    await settle(page);
    await page.getByLabel("Kind").selectOption("gate");
    await page.waitForURL(/kind=gate/);
    await page.reload();
    await settle(page);
    expect(await page.getByLabel("Kind").inputValue()).toBe("gate");
    await context.close();
  });

  it("shows rows in quarantine as text, never as markup, and drops them when told to", async () => {
    const { page, context, problems } = await openPage(browser, server.url);
    await page.goto(`${server.url}/models/${MODEL}/data`);
    await settle(page);
    await page.getByText("<img src=x onerror=alert(1)>").first().waitFor();
    expect(await page.locator("main img").count()).toBe(0);
    await page.getByRole("button", { name: "Drop all waiting rows" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Drop", exact: true }).click();
    await page.getByText("No row waits").waitFor();
    expect((await server.client.quarantine(MODEL, { state: "waiting" })).items).toEqual([]);
    expect(await problems()).toEqual([]);
    await context.close();
  });
});

describe("a server that asks for tokens", () => {
  const SECRET = "0123456789abcdef0123456789abcdef";
  let server: LivedServer;
  beforeAll(async () => {
    server = await startServer({ withStory: false, adminSecret: SECRET });
  });
  afterAll(() => server?.close());

  it("shows a form for the token, and keeps it in the tab only", async () => {
    const { page, context } = await openPage(browser, server.url);
    await page.goto(server.url);
    await page.getByRole("heading", { name: "This server asks for a token" }).waitFor();
    await page.getByLabel("Token", { exact: true }).fill("rt_wrong");
    await page.keyboard.press("Enter");
    await page.getByText("The server refused this token").waitFor();
    await page.getByLabel("Token", { exact: true }).fill(SECRET);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    await page.getByRole("button", { name: /now: live/ }).waitFor();
    expect(await page.evaluate("sessionStorage.getItem('retrain-token')")).toBe(SECRET);
    expect(await page.evaluate<string>("JSON.stringify(localStorage) + document.cookie + location.href")).not.toContain(
      SECRET,
    );
    await context.close();
  });

  it("has a sentence and a command on every empty page", async () => {
    const { page, context, problems } = await openPage(browser, server.url);
    await page.addInitScript(`sessionStorage.setItem("retrain-token", "${SECRET}")`);
    for (const path of ["", "/runs", "/versions", "/decisions", "/alerts", "/data", "/predict"]) {
      await page.goto(`${server.url}/models/${MODEL}${path}`);
      await settle(page);
      await page.locator(".empty .command").first().waitFor();
      expect(await page.locator(".empty p").first().textContent(), path).toMatch(/\w+.*\.$/);
    }
    expect(await problems()).toEqual([]);
    await context.close();
  });
});

/** Names of visible controls that Tab does not reach in one round. */
async function unreachable(page: Page): Promise<readonly string[]> {
  const CONTROLS = "a[href], button:not(:disabled), input, select, textarea, summary, [tabindex='0']";
  await page.evaluate(`
    window.controls = [...document.querySelectorAll(${JSON.stringify(CONTROLS)})].filter((one) => one.checkVisibility());
    window.reached = new Set();
    document.addEventListener("focusin", (event) => window.reached.add(event.target));
  `);
  const count = await page.evaluate<number>("window.controls.length");
  for (let presses = 0; presses < count + 10; presses++) await page.keyboard.press("Tab");
  return page.evaluate<string[]>(
    "window.controls.filter((one) => !window.reached.has(one)).map((one) => one.tagName + ' ' + (one.textContent || one.ariaLabel))",
  );
}
