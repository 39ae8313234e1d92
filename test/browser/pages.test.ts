// Every page in both color schemes and on a narrow screen: no policy violation, no error, nothing from outside, no sideways
// scroll, and none of the faults against WCAG 2.1 A and AA that a machine can find.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser, type LivedServer, MODEL, openPage, settle, startServer, until } from "./setup.ts";

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
    [`/models/${MODEL}/versions/${version.name}`, "Dataset hash"],
    [`/models/${MODEL}/decisions`, "Why did it (not) retrain?"],
    [`/models/${MODEL}/alerts?state=all`, alerts > 0 ? "shown" : "No alert yet"],
    [`/models/${MODEL}/data`, "Quarantine"],
    [`/models/${MODEL}/drift`, "drift"],
    [`/models/${MODEL}/diagnosis`, "moved"],
    [`/models/${MODEL}/labeling`, "label"],
    [`/models/${MODEL}/labeling/team`, "agree"],
    [`/models/${MODEL}/compare`, "Compare"],
    ["/runs", MODEL],
    [`/runs/${run.id}`, "Loss per epoch"],
    [`/decisions?model=${MODEL}&kind=gate&outcome=yes`, "betterThanBaseline"],
    ["/alerts?state=all", alerts > 0 ? "shown" : "No alert yet"],
    ["/runs/01234567-0000-7000-8000-000000000000", "RUN_UNKNOWN"],
    ["/nowhere", "No such page"],
  ];
}, 240_000);
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

/** A refusal that a page is about is logged by the browser itself. */
const isExpected = (path: string, problem: string) => path.includes("01234567") && problem.includes("404");

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const CHECK = `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], resultTypes: ["violations"] })
  .then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes.slice(0, 3).map(({ html, failureSummary }) => html.slice(0, 160) + " | " + failureSummary.split(String.fromCharCode(10))[1]).join(" ;; ")))`;

/** Rules broken on the page as it is shown, with the first elements that break each. */
async function accessibilityFaults(page: Page): Promise<readonly string[]> {
  await page.evaluate(AXE);
  return page.evaluate<readonly string[]>(CHECK);
}

async function look(scheme: "light" | "dark", width: number): Promise<readonly string[]> {
  const found: string[] = [];
  const { page, context, problems } = await openPage(browser, server.url, { scheme, width });
  for (const [path, text] of pages) {
    await page.goto(server.url + path);
    await settle(page).catch((error: unknown) => found.push(`${path}: never settled: ${String(error)}`));
    await page
      .locator("main")
      .getByText(text, { exact: false })
      .filter({ visible: true })
      .first()
      .waitFor({ timeout: 15_000 })
      .catch(() => found.push(`${path}: does not show "${text}"`));
    const shown = await page.evaluate<string>("document.documentElement.getAttribute('data-mantine-color-scheme')");
    if (shown !== scheme) found.push(`${path}: is ${shown}`);
    const scrollWidth = await page.evaluate<number>("document.documentElement.scrollWidth");
    if (width > 1000) for (const fault of await accessibilityFaults(page)) found.push(`${path}: ${fault}`);
    if (scrollWidth > width) found.push(`${path}: scrolls sideways, ${scrollWidth} > ${width}`);
    for (const problem of await problems()) if (!isExpected(path, problem)) found.push(`${path}: ${problem}`);
  }
  await context.close();
  return found;
}

describe("every page", () => {
  it("opens in light colors without a violation, an error or an outside request", async () => {
    expect(await look("light", 1280)).toEqual([]);
  });

  it("opens in dark colors without a violation, an error or an outside request", async () => {
    expect(await look("dark", 1280)).toEqual([]);
  });

  it("fits a screen 360 pixels wide", async () => {
    expect(await look("dark", 360)).toEqual([]);
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
    expect(await problems()).toEqual([]);
    await context.close();
  });
});
