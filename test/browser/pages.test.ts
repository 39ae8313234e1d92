// Every page in both color schemes and on a narrow screen: no policy violation, no error, nothing from outside, no sideways
// scroll, and none of the faults against WCAG 2.1 A and AA that a machine can find.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lookAt, UNKNOWN } from "./look.ts";
import { launchBrowser, leaveBrowser, type LivedServer, MODEL, openPage, settle, startServer, until } from "./setup.ts";

let server: LivedServer;
let browser: Browser;
let pages: readonly (readonly [path: string, text: string])[];

beforeAll(async () => {
  server = await startServer({ withStory: true });
  browser = await launchBrowser();
  const run = (await server.client.runs(MODEL, { limit: 1, state: "promoted" })).items[0];
  const alerts = (await server.client.alerts({ limit: 1 })).items.length;
  const version = (await server.client.versions(MODEL)).items[0];
  if (run === undefined || version === undefined) throw new Error("the story promoted nothing");
  pages = [
    ["/", MODEL],
    [`/models/${MODEL}`, "Log loss over time"],
    [`/models/${MODEL}?metric=rocAuc&range=30d&bucket=1d`, "ROC AUC over time"],
    [`/models/${MODEL}/predict`, "basket"],
    [`/models/${MODEL}/runs`, "promoted"],
    [`/models/${MODEL}/versions`, "v1"],
    [`/models/${MODEL}/versions/${version.name}`, "Change of the answers"],
    [`/models/${MODEL}/decisions`, "Why did it (not) retrain?"],
    [`/models/${MODEL}/alerts?state=all`, alerts > 0 ? "shown" : "No alert yet"],
    [`/models/${MODEL}/data`, "Quarantine"],
    [`/models/${MODEL}/drift`, "drift"],
    [`/models/${MODEL}/diagnosis`, "moved"],
    [`/models/${MODEL}/feedback`, "By version"],
    [`/models/${MODEL}/labeling`, "label"],
    [`/models/${MODEL}/labeling/team`, "agree"],
    [`/models/${MODEL}/compare`, "Compare"],
    ["/runs", MODEL],
    ["/audit", "Who"],
    ["/audit?action=run&range=7d", "Who"],
    [`/runs/${run.id}`, "Loss per epoch"],
    [`/runs/${run.id}`, "Older and recent half"],
    [`/decisions?model=${MODEL}&kind=gate&outcome=yes`, "betterThanBaseline"],
    ["/alerts?state=all", alerts > 0 ? "shown" : "No alert yet"],
    [`/runs/${UNKNOWN}`, "RUN_UNKNOWN"],
    ["/nowhere", "No such page"],
  ];
}, 240_000);
afterAll(async () => {
  await leaveBrowser(browser);
  await server?.close();
});

describe("every page", () => {
  it("opens in light colors without a violation, an error or an outside request", async () => {
    expect(await lookAt(browser, server.url, pages, { scheme: "light", width: 1280 })).toEqual([]);
  });

  it("opens in dark colors without a violation, an error or an outside request", async () => {
    expect(await lookAt(browser, server.url, pages, { scheme: "dark", width: 1280 })).toEqual([]);
  });

  it("fits a screen 360 pixels wide", async () => {
    expect(await lookAt(browser, server.url, pages, { scheme: "dark", width: 360 })).toEqual([]);
  });
});

describe("the content security policy", () => {
  it("is sent with every page, and its nonce is fresh in each", async () => {
    const answers = await Promise.all(
      ["/", "/runs"].map((path) => fetch(server.url + path, { headers: { accept: "text/html" } })),
    );
    const nonces = await Promise.all(
      answers.map(async (answer) => {
        const policy = answer.headers.get("content-security-policy") ?? "";
        const nonce =
          /^default-src 'self'; img-src 'self' data:; style-src 'self' 'nonce-([\w+/=]{16,})'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'$/.exec(
            policy,
          )?.[1];
        expect(nonce, policy).toBeDefined();
        expect(await answer.text()).toContain(`<meta name="csp-nonce" content="${nonce}" />`);
        return nonce;
      }),
    );
    expect(nonces[0]).not.toBe(nonces[1]);
  });

  it("is what the count of violations listens to", async () => {
    const { page, context, problems } = await openPage(browser, server.url);
    await page.goto(server.url);
    await settle(page);
    expect(await problems()).toEqual([]);
    await page.evaluate("document.body.setAttribute('style', 'color: red')");
    let found: readonly string[] = [];
    await until(async () => (found = [...found, ...(await problems())]).length > 1, "the violation");
    expect(found.join("\n")).toContain("policy: style-src-attr");
    await context.close();
  });

  it("lets the styles made at run time through by their nonce", async () => {
    const { page, context } = await openPage(browser, server.url);
    await page.goto(server.url);
    await settle(page);
    const applied = await page.evaluate<string>(
      "getComputedStyle(document.documentElement).getPropertyValue('--mantine-color-body').trim()",
    );
    expect(applied).toBe("#f7f8f9");
    await context.close();
  });
});

describe("a chart", () => {
  /** Pixels of the drawing that differ from those kept in `window.before`. */
  const CHANGED = `(() => {
    const canvas = document.querySelector("figure.chart canvas");
    const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
    const copied = copy.getContext("2d", { willReadFrequently: true });
    copied.drawImage(canvas, 0, 0);
    const now = copied.getImageData(0, 0, canvas.width, canvas.height).data;
    const before = window.before;
    if (before === undefined) {
      window.before = now;
      return 0;
    }
    let changed = 0;
    for (let i = 0; i < now.length; i += 4) {
      if (now[i] !== before[i] || now[i + 1] !== before[i + 1] || now[i + 2] !== before[i + 2]) changed += 1;
    }
    return changed;
  })()`;

  it("shows a tooltip that is drawn, not HTML with styles", async () => {
    const { page, context, problems } = await openPage(browser, server.url);
    await page.emulateMedia({ reducedMotion: "reduce" });
    await page.goto(`${server.url}/models/${MODEL}`);
    await settle(page);
    await page.getByRole("button", { name: /Pause live updates/ }).click();
    const canvas = page.locator("figure.chart canvas").first();
    await canvas.waitFor();
    const box = await canvas.boundingBox();
    if (box === null) throw new Error("the chart is not visible");
    await page.mouse.move(0, 0);
    await page.evaluate(CHANGED);
    await page.mouse.move(box.x + box.width / 2, box.y + 160, { steps: 4 });
    // A box of text is thousands of pixels; the line under the pointer alone is some hundreds.
    await until(async () => (await page.evaluate<number>(CHANGED)) > 4000, "the tooltip");
    expect(await page.locator("figure.chart .chart-canvas > div:not(:has(canvas))").count()).toBe(0);
    expect(await problems()).toEqual([]);
    await context.close();
  });

  it("has a title, a sentence and the same numbers as a table", async () => {
    const { page, context, problems } = await openPage(browser, server.url);
    await page.goto(`${server.url}/models/${MODEL}`);
    await settle(page);
    const chart = page.getByRole("figure", { name: "Log loss over time" });
    await chart.getByText(/Log loss was \d/).waitFor();
    await chart.getByRole("button", { name: "View as table" }).click();
    const series = await server.client.performance(MODEL);
    await chart.getByRole("table").waitFor();
    expect(await chart.locator("tbody tr").count()).toBe(series.points.length);
    const known = series.points.findIndex(({ interval }) => interval !== undefined);
    const cells = await chart.locator("tbody tr").nth(known).locator("td").allTextContents();
    expect(cells.slice(4, 6).every((text) => /\d/.test(text))).toBe(true);
    expect(await problems()).toEqual([]);
    await context.close();
  });
});

describe("the strip of triggers", () => {
  it("shows in which column a trigger fired, and where a run began", async () => {
    const { page, context, problems } = await openPage(browser, server.url);
    await page.goto(`${server.url}/models/${MODEL}/decisions`);
    await settle(page);
    const strip = page.getByRole("region", { name: "Triggers over time" });
    const runs = strip.getByRole("row", { name: /^Run began/ });
    await runs.waitFor();
    const fired = await strip.getByRole("row", { name: /^schedule/ }).allTextContents();
    expect(fired.join()).toMatch(/: fired\. The scheduled time \S+ has come/);
    expect(await runs.locator(".strip-run").count()).toBeGreaterThan(1);
    // Every run began in a column whose trigger fired, or was asked for by a person.
    const { items } = await server.client.runs(MODEL, { limit: 100 });
    const said = (await runs.textContent()) ?? "";
    for (const run of items) expect(said).toContain(`${run.state}. ${run.cause.reason}`);
    expect(await problems()).toEqual([]);
    await context.close();
  });
});
