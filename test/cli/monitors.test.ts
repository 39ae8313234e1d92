// What monitors and triggers say, through HTTP and the command line: one server for both.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTestServer, type TestServer, trainFirstVersion } from "../server/support.ts";
import { runCommand } from "./support.ts";

let open: TestServer;
let url: string;
beforeAll(async () => {
  open = await openTestServer();
  await trainFirstVersion(open);
  ({ url } = await open.server.listen({ host: "127.0.0.1", port: 0 }));
}, 60_000);
afterAll(async () => open.dispose());

const ask = (...words: readonly string[]) => runCommand(...words, "--url", url);
async function get(path: string) {
  const response = await open.server.app.inject({ method: "GET", url: `/api/v1/models/${path}` });
  return { status: response.statusCode, body: response.json() };
}

describe("why a model is (not) retrained", () => {
  it("is answered over HTTP with every trigger, every guard and their values", async () => {
    const { status, body } = await get("purchases/triggers");
    expect(status).toBe(200);
    expect(body).toMatchObject({ model: "purchases", wouldStart: false, lastRun: { state: "promoted" } });
    expect(body.triggers.of.length).toBeGreaterThan(0);
    expect(body.guards.map((one: { guard: string }) => one.guard)).toEqual([
      "one run at a time",
      "new evidence",
      "cool-down",
      "daily budget",
      "quiet hours",
      "breaker",
      "self-trigger",
    ]);
    expect((await get("nobody/triggers")).body).toMatchObject({ code: "MODEL_UNKNOWN" });
  });

  it("is told by the command line, as text and as JSON", async () => {
    const { code, stdout } = await ask("triggers", "explain", "purchases");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^It does not retrain now: no trigger fires\./);
    expect(stdout).toMatch(/cool-down +(passes|refuses)/);
    expect(stdout).toMatch(/Last run \S+ \(promoted\)/);
    const json = JSON.parse((await ask("triggers", "explain", "purchases", "--json")).stdout);
    expect(json).toMatchObject({ ok: true, data: { model: "purchases" } });
    expect((await ask("triggers", "explain", "purchase")).code).toBe(5);
  });
});
