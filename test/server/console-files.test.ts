import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NONCE_PLACE } from "../../src/server/index.ts";
import { openTestServer, type TestServer } from "./support.ts";

let open: TestServer;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "retrain-console-"));
  mkdirSync(join(folder, "assets"));
  writeFileSync(join(folder, "index.html"), `<meta name="csp-nonce" content="${NONCE_PLACE}"><div id="root"></div>`);
  writeFileSync(join(folder, "assets", "main-abc123.js"), "export {};");
  writeFileSync(join(folder, "favicon.svg"), "<svg xmlns='http://www.w3.org/2000/svg'/>");
  open = await openTestServer({ consoleFolder: folder });
}, 60_000);
afterAll(async () => {
  await open.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const page = (url: string) => open.server.app.inject({ url, headers: { accept: "text/html,*/*" } });

describe("the console's files", () => {
  it("carry a fresh nonce in every page, the same in page and policy, and no place left unfilled", async () => {
    const nonces: string[] = [];
    for (const url of ["/", "/", "/models/purchases", "/runs/some-id?from=1"]) {
      const { statusCode, body, headers } = await page(url);
      expect([url, statusCode]).toEqual([url, 200]);
      expect(body).not.toContain(NONCE_PLACE);
      const nonce = /content="([^"]+)"/.exec(body)?.[1] ?? "";
      expect(headers["content-security-policy"]).toBe(
        `default-src 'self'; img-src 'self' data:; style-src 'self' 'nonce-${nonce}'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'`,
      );
      expect(headers["cache-control"]).toBe("no-store");
      expect(Buffer.from(nonce, "base64").length).toBeGreaterThanOrEqual(16);
      nonces.push(nonce);
    }
    expect(new Set(nonces).size).toBe(nonces.length);
  });

  it("are never the raw page, whose nonce would be the same for everybody", async () => {
    expect((await page("/index.html")).body).not.toContain(NONCE_PLACE);
  });

  it("are kept for ever where their name holds a hash, and asked for again elsewhere", async () => {
    expect((await page("/assets/main-abc123.js")).headers["cache-control"]).toContain("immutable");
    expect((await page("/favicon.svg")).headers["cache-control"]).toBe("no-cache");
    expect((await page("/favicon.svg")).headers["x-content-type-options"]).toBe("nosniff");
  });

  it("end where the folder ends, and do not answer for the API", async () => {
    for (const url of [
      "/assets/absent.js",
      "/assets/..%2f..%2fpackage.json",
      "/%2e%2e/package.json",
      "/package.json",
    ]) {
      expect([url, (await page(url)).statusCode]).toEqual([url, 404]);
    }
    expect((await page("/api/v1/nothing")).json()).toMatchObject({ code: "NOT_FOUND" });
    expect((await open.server.app.inject({ url: "/runs", headers: { accept: "application/json" } })).statusCode).toBe(
      404,
    );
  });

  it("come with headers that keep the page out of frames and its address to itself", async () => {
    const { headers } = await page("/");
    expect(headers).toMatchObject({ "x-frame-options": "DENY", "referrer-policy": "no-referrer" });
  });
});
