// Who did what: every call that changes what runs or who may leaves a record, which can be found again.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, resolveConfig } from "../../src/config/index.ts";
import type { AuditRecord, Instant } from "../../src/core/index.ts";
import type { Page } from "../../src/server/contract.ts";
import { runCommand } from "../cli/support.ts";
import { openTestServer, purchases, START, type TestServer, trainFirstVersion } from "./support.ts";

const BASE = "/api/v1/models/purchases";
/** Data that arrives, and the clock of a replay: each has records of its own, or none that anybody would look for. */
const NOT_AUDITED = new Set([
  `POST ${BASE}/examples`,
  `POST ${BASE}/labels`,
  `POST ${BASE}/predict`,
  `POST ${BASE}/outcomes`,
  `POST ${BASE}/feedback`,
  // Reviewers' and labelers' own work: kept with the prediction or task, with their name.
  `POST ${BASE}/reviews/:predictionId/decide`,
  ...["claim", "release", "undo", "curve", ":id/answer", ":id/adjudicate"].map((one) => `POST ${BASE}/tasks/${one}`),
  "POST /api/v1/replay/advance",
  "POST /api/v1/replay/speed",
]);

/** A new route that changes something belongs here, with its record, or above, with a reason. */
const AUDITED = new Set([
  "DELETE /api/v1/tokens/:id",
  "POST /api/v1/alerts/:id/resolve",
  "POST /api/v1/events",
  `POST ${BASE}/imports`,
  `POST ${BASE}/quarantine/drop`,
  `POST ${BASE}/quarantine/replay`,
  `POST ${BASE}/rollback`,
  `POST ${BASE}/rollouts`,
  `POST ${BASE}/rollouts/:action`,
  `POST ${BASE}/runs`,
  `POST ${BASE}/tasks/:id/discard`,
  `POST ${BASE}/tasks/build`,
  `POST ${BASE}/tasks/gold`,
  `POST ${BASE}/tasks/label-studio`,
  `POST ${BASE}/tasks/relabel`,
  `POST ${BASE}/versions/:version/approvals`,
  `POST ${BASE}/versions/:version/promote`,
  `POST ${BASE}/versions/:version/reproduce`,
  "POST /api/v1/runs/:id/cancel",
  "POST /api/v1/tokens",
]);

let open: TestServer;
let secret: string;
let url: string;
beforeAll(async () => {
  open = await openTestServer({ requireTokens: false });
  await trainFirstVersion(open);
  ({ url } = await open.server.listen({ host: "127.0.0.1", port: 0 }));
  const made = await call("POST", "/api/v1/tokens", { name: "olivia", role: "admin" });
  secret = (made.body as unknown as { secret: string }).secret;
}, 60_000);
afterAll(() => open?.dispose());

async function call(method: "GET" | "POST" | "DELETE", path: string, payload?: object) {
  const headers = secret === undefined ? {} : { authorization: `Bearer ${secret}` };
  const answer = await open.server.app.inject({
    method,
    url: path,
    headers,
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: answer.statusCode, body: answer.json<Record<string, unknown> & Page<AuditRecord>>() };
}
const list = async (query = "") => (await call("GET", `/api/v1/audit${query}`)).body.items;

describe("the audit log", () => {
  it("names who did it, what, to what, and why", async () => {
    const run = await call("POST", `${BASE}/runs`, { reason: "a look" });
    const { id } = run.body["run"] as { id: string };
    await open.test.engine.wait(id);
    const champion = (await open.test.store.registry.champion("purchases"))?.name;
    const other = champion === "v1" ? "v2" : "v1";
    expect((await call("POST", `${BASE}/versions/${other}/promote`, { reason: "it is better" })).status).toBe(200);
    await call("POST", `${BASE}/rollback`, { reason: "it is not" });
    await call("POST", "/api/v1/events", { name: "catalog-changed" });
    await call("POST", `${BASE}/quarantine/replay`, {});
    await call("POST", `${BASE}/quarantine/drop`, {});
    await call("POST", `${BASE}/versions/v1/reproduce`, {});
    const token = await call("POST", "/api/v1/tokens", { name: "short", role: "viewer" });
    const { id: tokenId } = token.body["token"] as { id: string };
    await call("DELETE", `/api/v1/tokens/${tokenId}`);
    const records = (await list()).filter(({ actor }) => actor === "token:olivia");
    expect(records.map(({ action, subject }) => [action, subject])).toEqual([
      ["token.revoke", tokenId],
      ["token.create", tokenId],
      ["version.reproduce", "purchases/v1"],
      ["quarantine.drop", "purchases"],
      ["quarantine.replay", "purchases"],
      ["event.raise", "catalog-changed"],
      ["rollback", `purchases/${champion}`],
      ["promotion", `purchases/${other}`],
      ["run.request", id],
    ]);
    expect(records.find(({ action }) => action === "promotion")?.details).toMatchObject({
      from: champion,
      to: other,
      reason: "it is better",
    });
    expect(JSON.stringify(records)).not.toContain("rt_");
  }, 60_000);

  it("records a changed configuration, and which models it changed", async () => {
    const config = defineConfig({ models: [{ ...purchases, data: { minRows: 401 } }], alerts: [] });
    await open.test.loop.reconfigure(
      resolveConfig(config, { folder: open.test.directory, environment: {}, flags: {} }),
    );
    expect((await list("?limit=1"))[0]).toMatchObject({
      actor: "configuration",
      action: "config.change",
      details: { changed: ["purchases"] },
    });
  });

  it("is narrowed by who, what, which model and when, page by page", async () => {
    const all = await list("?limit=500");
    const expectSame = async (query: string, keeps: (record: AuditRecord) => boolean) => {
      const kept = all.filter(keeps);
      expect(kept.length).toBeGreaterThan(0);
      expect(await list(`?limit=500&${query}`)).toEqual(kept);
    };
    await expectSame("actor=token:olivia", ({ actor }) => actor === "token:olivia");
    await expectSame("action=token", ({ action }) => action.startsWith("token."));
    await expectSame("action=token.create", ({ action }) => action === "token.create");
    await expectSame(
      "model=purchases",
      ({ subject, details }) => subject.startsWith("purchases") || details["model"] === "purchases",
    );
    expect(await list("?model=purchase")).toEqual([]);
    const middle = all[Math.floor(all.length / 2)]?.at as Instant;
    await expectSame(`from=${middle}`, ({ at }) => at >= middle);
    expect(await list(`?to=${START - 1}`)).toEqual([]);
    const first = await call("GET", "/api/v1/audit?limit=3&actor=token:olivia");
    const next = await call("GET", `/api/v1/audit?limit=3&actor=token:olivia&cursor=${first.body.nextCursor}`);
    const own = all.filter(({ actor }) => actor === "token:olivia").slice(0, 6);
    expect([...first.body.items, ...next.body.items]).toEqual(own);
    for (const query of ["from=yesterday", "action=Token", "action=a.b.c", "who=me"]) {
      expect([query, (await call("GET", `/api/v1/audit?${query}`)).body["code"]]).toEqual([query, "BODY_INVALID"]);
    }
  });

  it("is read by command, with the same filters", async () => {
    const ask = (...words: readonly string[]) => runCommand("audit", ...words, "--url", url, "--token", secret);
    const { code, stdout } = await ask("--model", "purchases", "--action", "promotion");
    expect(code).toBe(0);
    expect(stdout).toMatch(/who +what +about +reason/);
    expect(stdout).toMatch(/token:olivia +promotion +purchases\/v\d +it is better/);
    const json = JSON.parse((await ask("--actor", "token:olivia", "--since", "30d", "--limit", "2", "--json")).stdout);
    expect(json.data.items).toHaveLength(2);
    expect((await ask("--actor", "nobody")).stdout).toBe("Nobody did anything that fits.\n");
    expect((await ask("--since", "soon")).code).toBe(2);
    expect((await ask("--action", "Promotion!")).code).not.toBe(0);
  });

  it("is for administrators", async () => {
    const viewer = await call("POST", "/api/v1/tokens", { name: "operator", role: "operator" });
    const headers = { authorization: `Bearer ${viewer.body["secret"] as string}` };
    const refused = await open.server.app.inject({ url: "/api/v1/audit", headers });
    expect([refused.statusCode, refused.json().code]).toEqual([403, "FORBIDDEN"]);
  });
});

describe("routes that change something", () => {
  it("are all known to be audited, here or in the tests of their own", () => {
    const changing = open.server.routes
      .filter(({ method }) => method === "POST" || method === "DELETE")
      .map(({ method, url: path }) => `${method} ${path.replace(":model", "purchases")}`)
      .filter((route) => route.includes("/api/v1/") && !NOT_AUDITED.has(route));
    expect(changing.filter((route) => !AUDITED.has(route))).toEqual([]);
  });
});
