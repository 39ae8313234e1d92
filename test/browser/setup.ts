/** The real server with a model that has lived: two months of generated visits replayed over HTTP, and Chromium to look at it. */
import { rmSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { vi } from "vitest";
import { ensureBuilt } from "../../scripts/build.mjs";
import { openSystem, type System } from "../../src/cli/compose.ts";
import { httpTarget } from "../../src/cli/http-target.ts";
import { createClient, type RetrainClient } from "../../src/client/index.ts";
import { defineConfig, resolveConfig } from "../../src/config/index.ts";
import { createVirtualClock, DAY_MS, silentLogger } from "../../src/core/index.ts";
import {
  GENERATED_LABEL_DELAY_MS,
  GENERATED_START,
  generatedModel,
  generateHistory,
  tellStory,
  wholeHistory,
} from "../../src/replay/index.ts";

export const MODEL = "purchases";
/** Long enough for promotions, for held or refused candidates, and for labels that are still due. */
const DAYS = 75;
const ROWS_PER_DAY = 40;

export interface LivedServer {
  readonly url: string;
  readonly client: RetrainClient;
  close(): Promise<void>;
}

const BEGIN_AT = GENERATED_START + 30 * DAY_MS;

interface ServerOptions {
  readonly withStory: boolean;
  readonly adminSecret?: string;
}

/** @param options.withStory with the visits replayed; without it the model is new and empty */
export async function startServer(options: ServerOptions): Promise<LivedServer> {
  ensureBuilt(["server", "console", "template of the embedded store"]);
  const directory = await mkdtemp(join(tmpdir(), "retrain-browser-"));
  if (!options.withStory) return openServer(directory, BEGIN_AT, options.adminSecret);
  toldOnce ??= tellOnce();
  const told = await toldOnce;
  await cp(told.directory, directory, { recursive: true });
  return openServer(directory, told.now, options.adminSecret);
}

/** Where the model of `startServer` lived once for all files of a worker, and when it stopped. */
let toldOnce: Promise<{ readonly directory: string; readonly now: number }> | undefined;

async function tellOnce(): Promise<{ readonly directory: string; readonly now: number }> {
  const directory = await mkdtemp(join(tmpdir(), "retrain-browser-told-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  const server = await openServer(directory, BEGIN_AT);
  await tell(server.client, BEGIN_AT);
  const { now } = await server.client.server();
  await server.stop();
  return { directory, now };
}

interface OpenedServer extends LivedServer {
  /** Like `close`, but leaves the directory. */
  stop(): Promise<void>;
}

async function openServer(directory: string, at: number, adminSecret?: string): Promise<OpenedServer> {
  let system: System | undefined;
  const stop = async () => system?.close();
  const close = async () => {
    await stop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const config = defineConfig({
      models: [generatedModel()],
      storage: { dir: directory },
      server: { tickEvery: "6h" },
    });
    system = await openSystem({
      spec: resolveConfig(config, { folder: directory, origin: "test" }),
      worldClock: createVirtualClock(at),
      logger: silentLogger,
      replay: true,
      jobs: 1,
      ...(adminSecret === undefined ? {} : { adminSecret, requireTokens: true }),
    });
    const { url } = await system.server.listen({ host: "127.0.0.1", port: 0 });
    const token = adminSecret === undefined ? {} : { token: adminSecret };
    return { url, client: createClient({ url, timeoutMs: 120_000, ...token }), close, stop };
  } catch (error) {
    await close();
    throw error;
  }
}

async function tell(client: RetrainClient, beginAt: number): Promise<void> {
  await tellStory(httpTarget(client, MODEL), wholeHistory(generateHistory({ days: DAYS, rowsPerDay: ROWS_PER_DAY })), {
    columns: { id: "visit", time: "visitedAt", label: "purchased" },
    labelDelayMs: GENERATED_LABEL_DELAY_MS,
    beginAt,
  });
  // Visits whose labels are still due, and a row that breaks the schema.
  const { now } = await client.server();
  const recent = Array.from({ length: 30 }, (_, index) => ({
    visit: `late-${index}`,
    visitedAt: new Date(now).toISOString(),
    channel: "web",
    device: "phone",
    age: 30 + index,
    visits: 2,
    basket: 20,
    member: false,
  }));
  await client.predictMany(MODEL, recent);
  await client.upload(MODEL, JSON.stringify({ ...recent[0], visit: "broken", age: "<img src=x onerror=alert(1)>" }), {
    contentType: "application/x-ndjson",
    origin: "test",
  });
  await client.advance(now + DAY_MS);
}

let launched: Promise<Browser> | undefined;

/** One Chromium for all files of a worker, which ends with it: each test has contexts of its own. */
export async function launchBrowser(): Promise<Browser> {
  const isThere = (await launched?.catch(() => undefined))?.isConnected() ?? false;
  const quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  if (!isThere)
    launched = chromium.launch({
      executablePath: process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", ...quiet],
    });
  return launched as Promise<Browser>;
}

/** At the end of a file: closes what failed tests left open. */
export async function leaveBrowser(browser: Browser | undefined): Promise<void> {
  await Promise.all((browser?.contexts() ?? []).map((context) => context.close()));
}

/** A page with everything written down that must not happen. */
export interface WatchedPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Violations of the content security policy, console errors, uncaught errors, requests to anywhere else. */
  readonly problems: () => Promise<readonly string[]>;
}

export async function openPage(
  browser: Browser,
  url: string,
  options: { readonly scheme?: "light" | "dark"; readonly width?: number } = {},
): Promise<WatchedPage> {
  const { scheme = "light", width = 1280 } = options;
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme });
  const page = await context.newPage();
  const found: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") found.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => found.push(`uncaught: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${url}/`) && !request.url().startsWith("blob:"))
      found.push(`outside: ${request.url()}`);
  });
  await page.addInitScript(`
    window.cspViolations = [];
    document.addEventListener("securitypolicyviolation", (event) => {
      window.cspViolations.push(event.violatedDirective + " " + event.blockedURI + " " + event.sample);
    });
  `);
  return {
    page,
    context,
    problems: async () => {
      const violations = await page.evaluate<readonly string[]>("window.cspViolations");
      return [...found.splice(0), ...violations.map((one) => `policy: ${one}`)];
    },
  };
}

/** The page has its content: nothing is being read any more. Asked from outside: inside, the policy forbids evaluating text. */
export async function settle(page: Page): Promise<void> {
  await page.locator("main h1").first().waitFor();
  await until(
    async () => (await page.locator("main [aria-busy=true], .page-loading").count()) === 0,
    "the page to be read",
    // A comparison of versions is a pass over the held-out rows: seconds where a core is free, more where none is.
    60_000,
  );
}

export async function until(isTrue: () => Promise<boolean>, what: string, timeoutMs = 20_000): Promise<void> {
  await vi.waitUntil(isTrue, { timeout: timeoutMs, interval: 50 }).catch((error: unknown) => {
    throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, { cause: error });
  });
}
