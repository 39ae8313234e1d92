/** Looking at pages as a stranger would: what must be there, what must not, and the faults a machine can find. */
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { openPage, settle, type WatchedPage } from "./setup.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const CHECK = `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], resultTypes: ["violations"] })
  .then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes.slice(0, 3).map(({ html, failureSummary }) => html.slice(0, 160) + " | " + failureSummary.split(String.fromCharCode(10))[1]).join(" ;; ")))`;

/** Rules broken on the page as it is shown, with the first elements that break each. */
async function accessibilityFaults(page: Page): Promise<readonly string[]> {
  await page.evaluate(AXE);
  return page.evaluate<readonly string[]>(CHECK);
}

/** A page of an unknown record; the browser itself logs the refusal it is about. */
export const UNKNOWN = "01234567-0000-7000-8000-000000000000";
const isExpected = (path: string, problem: string) => path.includes(UNKNOWN) && problem.includes("404");

export interface LookOptions {
  readonly scheme: "light" | "dark";
  readonly width: number;
  /** Before the first page, for a token say. */
  readonly prepare?: (context: BrowserContext) => Promise<void>;
}

/** A page's address and a text it must show. */
type Look = readonly [path: string, text: string];

/** Tabs at a time: while one waits for its answers, the other is drawn. */
const TABS = 2;

/** @param pages each is opened anew. @returns everything found wrong */
export async function lookAt(
  browser: Browser,
  url: string,
  pages: readonly Look[],
  options: LookOptions,
): Promise<readonly string[]> {
  const found: string[] = [];
  const waiting = [...pages];
  const inTab = async () => {
    const watched = await openPage(browser, url, options);
    await options.prepare?.(watched.context);
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      found.push(...(await lookAtOne(watched, url, next, options)));
    await watched.context.close();
  };
  await Promise.all(Array.from({ length: Math.min(TABS, pages.length) }, inTab));
  return found;
}

async function lookAtOne(
  { page, problems }: WatchedPage,
  url: string,
  [path, text]: Look,
  { scheme, width }: LookOptions,
): Promise<readonly string[]> {
  const found: string[] = [];
  await page.goto(url + path);
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
  return found;
}
