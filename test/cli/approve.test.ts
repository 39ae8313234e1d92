// `retrain approve`: what a word does, and why it may do nothing.
import { afterAll, beforeAll, expect, it } from "vitest";
import { createClient } from "../../src/client/index.ts";
import { defineConfig, gate, stage } from "../../src/config/index.ts";
import { silentLogger, systemClock } from "../../src/core/index.ts";
import { createServer, type Server } from "../../src/server/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { shopModel, teachShop } from "../server/rollout-story.ts";
import { runCommand } from "./support.ts";

const ADMIN = "an-admin-secret-of-more-than-32-characters";

let test: TestLoop;
let server: Server;
let url: string;
beforeAll(async () => {
  const model = { ...shopModel("shop", [stage.full()]), gates: [gate.atLeast("accuracy", 0.999), gate.approval()] };
  test = await openTestLoop(defineConfig({ models: [model], alerts: [] }), Date.UTC(2026, 0, 1));
  const secured = { requireTokens: true, adminSecret: ADMIN };
  server = await createServer({ loop: test.loop, systemClock, logger: silentLogger, replay: true, ...secured });
  ({ url } = await server.listen({ host: "127.0.0.1", port: 0 }));
  const admin = createClient({ url, token: ADMIN });
  expect(await teachShop(admin, "shop", 1, 1)).toBe("v1");
}, 60_000);
afterAll(async () => {
  await server?.close();
  await test?.dispose();
});

it("says that an approval does not put a version live that its gate refused, and what would", async () => {
  const words = ["approve", "shop", "v1", "--reason", "fine", "--url", url, "--token", ADMIN];
  const { code, stdout } = await runCommand(...words);
  expect(code).toBe(0);
  expect(stdout).toMatch(/approved v1\. Its gate has refused it, which no approval changes: Accuracy is /);
  expect(stdout).toContain("`retrain promote shop v1 --reason");
});
