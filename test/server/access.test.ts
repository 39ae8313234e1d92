import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createClient, RetrainApiError } from "../../src/client/index.ts";
import { isLoopback } from "../../src/server/access.ts";
import { createSecret, findToken, hashSecret, isWellFormed } from "../../src/server/tokens.ts";
import { openTestServer, type TestServer } from "./support.ts";

const ADMIN = "an-admin-secret-of-more-than-32-characters";
/** Answered to anybody: probes, the description, and the pages of the console, which hold no data. */
const OPEN = new Set([
  "/livez",
  "/readyz",
  "/openapi.json",
  "/",
  "/*",
  "/v2",
  "/v2/",
  "/v2/health/live",
  "/v2/health/ready",
]);

let open: TestServer;
beforeAll(async () => {
  open = await openTestServer({ requireTokens: true, adminSecret: ADMIN });
}, 60_000);
afterAll(async () => open.dispose());

function inject(method: "GET" | "POST" | "DELETE", url: string, token?: string, extra: Record<string, string> = {}) {
  const headers = { ...extra, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
  return open.server.app.inject({ method, url, headers, ...(method === "POST" ? { payload: {} } : {}) });
}
async function makeToken(name: string, role: string, more: object = {}): Promise<{ id: string; secret: string }> {
  const headers = { authorization: `Bearer ${ADMIN}` };
  const response = await open.server.app.inject({
    method: "POST",
    url: "/api/v1/tokens",
    headers,
    payload: { name, role, ...more },
  });
  expect(response.statusCode).toBe(201);
  return { id: response.json().token.id, secret: response.json().secret };
}

describe("a server that asks for tokens", () => {
  it("answers 401 on every route without one, but for the open few", async () => {
    const asked = open.server.routes.filter(({ method, url }) => method !== "HEAD" && !OPEN.has(url));
    expect(asked.length).toBeGreaterThan(35);
    for (const { method, url } of asked) {
      const path = url.replace(":model", "purchases").replace(":version", "v1").replace(":id", "some-id");
      const response = await inject(method as "GET", path);
      expect([method, url, response.statusCode]).toEqual([method, url, 401]);
      expect(response.json().code).toBe("UNAUTHENTICATED");
    }
  });

  it("refuses a token that is malformed, unknown or of another scheme", async () => {
    for (const token of ["rt_", "x", createSecret(), ADMIN.slice(1)]) {
      expect((await inject("GET", "/api/v1/models", token)).statusCode).toBe(401);
    }
    const basic = await open.server.app.inject({
      url: "/api/v1/models",
      headers: { authorization: "Basic YTpi" },
    });
    expect(basic.statusCode).toBe(401);
    expect(basic.headers["www-authenticate"]).toBe("Bearer");
  });

  it("lets each role do its own and no more", async () => {
    const viewer = (await makeToken("viewer", "viewer")).secret;
    const labeler = (await makeToken("labeler", "labeler")).secret;
    const operator = (await makeToken("operator", "operator")).secret;
    const status = async (method: "GET" | "POST", url: string, token: string) =>
      (await inject(method, url, token)).statusCode;
    expect(await status("GET", "/api/v1/models", viewer)).toBe(200);
    expect(await status("POST", "/api/v1/models/purchases/predict", viewer)).toBe(403);
    expect(await status("POST", "/api/v1/models/purchases/predict", labeler)).toBe(409);
    expect(await status("POST", "/api/v1/models/purchases/runs", labeler)).toBe(403);
    const refused = await inject("POST", "/api/v1/models/purchases/runs", labeler);
    expect(refused.json()).toMatchObject({ code: "FORBIDDEN", detail: expect.stringContaining("operator") });
    expect(await status("POST", "/api/v1/models/purchases/runs", operator)).toBe(202);
    expect(await status("GET", "/api/v1/tokens", operator)).toBe(403);
    expect(await status("GET", "/api/v1/tokens", ADMIN)).toBe(200);
  });

  it("narrows a scoped token to its routes", async () => {
    const { secret } = await makeToken("shop", "admin", { scopes: ["predict"] });
    expect((await inject("POST", "/api/v1/models/purchases/predict", secret)).statusCode).toBe(409);
    expect((await inject("POST", "/api/v1/models/purchases/labels", secret)).statusCode).toBe(403);
    expect((await inject("GET", "/api/v1/models", secret)).statusCode).toBe(403);
  });

  it("ends a revoked and an expired token at once, and shows no secret again", async () => {
    const { id, secret } = await makeToken("short", "viewer", { expiresInDays: 0.0000001 });
    // Nine milliseconds of life: an expiry that has not come yet is waited for, never slept through.
    await vi.waitUntil(async () => (await inject("GET", "/api/v1/models", secret)).statusCode === 401, { interval: 2 });
    expect((await inject("GET", "/api/v1/models", secret)).statusCode).toBe(401);
    const kept = await makeToken("kept", "viewer");
    expect((await inject("GET", "/api/v1/models", kept.secret)).statusCode).toBe(200);
    expect((await inject("DELETE", `/api/v1/tokens/${kept.id}`, ADMIN)).json().revokedAt).toBeTypeOf("number");
    expect((await inject("GET", "/api/v1/models", kept.secret)).statusCode).toBe(401);
    const listed = await inject("GET", "/api/v1/tokens", ADMIN);
    expect(listed.body).not.toContain(secret);
    expect(listed.body).not.toContain(hashSecret(secret));
    expect(listed.body).toContain(id);
  });

  it("refuses token bodies with roles, scopes or names that do not exist", async () => {
    const headers = { authorization: `Bearer ${ADMIN}` };
    for (const payload of [
      { name: "x", role: "owner" },
      { name: "x", role: "viewer", scopes: ["everything"] },
      { name: "../x", role: "viewer" },
      { name: "x", role: "viewer", hash: "0" },
    ]) {
      const response = await open.server.app.inject({ method: "POST", url: "/api/v1/tokens", headers, payload });
      expect(response.statusCode).toBe(400);
    }
  });

  it("refuses to listen beyond loopback while there is no token, and on a port that is taken", async () => {
    const other = await openTestServer({ replay: false });
    try {
      const advanced = await other.server.app.inject({
        method: "POST",
        url: "/api/v1/replay/advance",
        payload: { to: other.test.clock.now() + 1 },
      });
      expect([advanced.statusCode, advanced.json().code]).toEqual([404, "REPLAY_ONLY"]);
      const back = await other.server.app.inject({
        method: "POST",
        url: "/api/v1/models/purchases/rollback",
        payload: { reason: "nothing was live yet" },
      });
      expect([back.statusCode, back.json().code]).toEqual([409, "ROLLBACK_IMPOSSIBLE"]);
      await expect(other.server.listen({ host: "0.0.0.0", port: 0 })).rejects.toMatchObject({ code: "BIND_REFUSED" });
      const { url, port } = await other.server.listen({ host: "127.0.0.1", port: 0 });
      await expect(open.server.listen({ host: "127.0.0.1", port })).rejects.toMatchObject({ code: "PORT_IN_USE" });
      await expect(createClient({ url, token: "rt_nonsense" }).models()).rejects.toBeInstanceOf(RetrainApiError);
      expect((await createClient({ url }).models()).items).toHaveLength(1);
    } finally {
      await other.dispose();
    }
  }, 60_000);
});

describe("Host and Origin", () => {
  it("answers 421 to a foreign host on a server without tokens, which is what DNS rebinding sends", async () => {
    const other = await openTestServer();
    try {
      const ask = (headers: Record<string, string>, method: "GET" | "POST" = "GET", url = "/api/v1/models") =>
        other.server.app.inject({ method, url, headers, ...(method === "POST" ? { payload: { name: "x" } } : {}) });
      expect((await ask({ host: "evil.example" })).json()).toMatchObject({ status: 421, code: "HOST_REFUSED" });
      expect((await ask({ host: "127.0.0.1:4400" })).statusCode).toBe(200);
      expect((await ask({ host: "[::1]:4400" })).statusCode).toBe(200);
      const events = "/api/v1/events";
      expect((await ask({ origin: "https://evil.example" }, "POST", events)).statusCode).toBe(421);
      expect((await ask({ origin: "null" }, "POST", events)).statusCode).toBe(421);
      expect((await ask({ "sec-fetch-site": "cross-site" }, "POST", events)).statusCode).toBe(421);
      expect((await ask({ host: "localhost:4400", origin: "http://localhost:4400" }, "POST", events)).statusCode).toBe(
        202,
      );
      expect((await ask({ "x-forwarded-for": "10.0.0.1" })).statusCode).toBe(401);
    } finally {
      await other.dispose();
    }
  }, 60_000);

  it("knows loopback addresses", () => {
    for (const host of ["127.0.0.1", "localhost", "::1", "[::1]", "127.1.2.3"])
      expect([host, isLoopback(host)]).toEqual([host, true]);
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "localhost.evil.example"])
      expect([host, isLoopback(host)]).toEqual([host, false]);
  });
});

describe("a token's secret", () => {
  it("carries a checksum, so that a typo is told without a look-up", () => {
    const secret = createSecret();
    expect(secret).toMatch(/^rt_[0-9a-f]{72}$/);
    expect(isWellFormed(secret)).toBe(true);
    expect(isWellFormed(secret.replace(/.$/, (last) => (last === "0" ? "1" : "0")))).toBe(false);
    expect(createSecret()).not.toBe(secret);
  });

  it("is found by its digest alone, unless revoked or expired", () => {
    const secret = createSecret();
    const token = { id: "1", name: "a", role: "viewer", scopes: [], hash: hashSecret(secret), createdAt: 0 } as const;
    expect(findToken([token], secret, 10)?.id).toBe("1");
    expect(findToken([{ ...token, revokedAt: 5 }], secret, 10)).toBeUndefined();
    expect(findToken([{ ...token, expiresAt: 10 }], secret, 10)).toBeUndefined();
    expect(findToken([{ ...token, expiresAt: 11 }], secret, 10)?.id).toBe("1");
    expect(findToken([token], createSecret(), 10)).toBeUndefined();
  });
});
