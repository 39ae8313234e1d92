/** A server over a whole loop, and rows of a model simple enough to be learned from a few hundred of them. */
import { createRandom, DAY_MS, type Instant, silentLogger, systemClock } from "../../src/core/index.ts";
import { defineConfig, defineModel, f, gate, linear, when } from "../../src/config/index.ts";
import { createServer, type Server, type ServerOptions } from "../../src/server/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { checkAnswers } from "./checked-answers.ts";

export const START: Instant = Date.UTC(2026, 0, 5);

export const purchases = defineModel({
  name: "purchases",
  task: "binary",
  id: "customer",
  time: "at",
  features: { age: f.number({ min: 0, max: 150 }), balance: f.number(), job: f.category("clerk", "farmer", "nurse") },
  label: f.boolean(),
  labelDelay: "1d",
  trainer: linear({ epochs: 8 }),
  data: { minRows: 400 },
  retrain: { when: when.any(when.newLabels(400), when.event("catalog-changed")), cooldown: "1h", maxPerDay: 10 },
  gates: [gate.betterThanBaseline("logLoss"), gate.noWorseThanChampion("logLoss")],
});

/** Rows a few minutes apart: crowded ones would all fall into the label delay before the holdout. */
export function labelledRows(count: number, from: Instant, seed: number, spacingMs = 1000) {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const age = 20 + random.nextInt(60);
    const job = ["clerk", "farmer", "nurse"][random.nextInt(3)] as string;
    const label = random.nextFloat() < 1 / (1 + Math.exp(-(age - 50) / 8));
    return { customer: `${seed}-${i}`, at: from + i * spacingMs, age, balance: random.nextInt(1000), job, label };
  });
}

export interface TestServer {
  readonly test: TestLoop;
  readonly server: Server;
  dispose(): Promise<void>;
}

export async function openTestServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const test = await openTestLoop(defineConfig({ models: [purchases], alerts: [] }), START);
  const server = await createServer({ loop: test.loop, systemClock, logger: silentLogger, replay: true, ...options });
  checkAnswers(server);
  const dispose = async () => {
    await server.close();
    await test.dispose();
  };
  return { test, server, dispose };
}

/** Sends 1,200 labelled rows of the past and lets the first run make v1. */
export async function trainFirstVersion({ test, server }: TestServer): Promise<void> {
  const rows = labelledRows(1200, START - 20 * DAY_MS, 1, 20 * 60_000);
  const sent = await server.app.inject({ method: "POST", url: "/api/v1/models/purchases/examples", payload: rows });
  if (sent.statusCode !== 200) throw new Error(sent.body);
  const { runs } = await test.loop.advance(START + 2 * 3_600_000);
  if ((await test.store.registry.champion("purchases"))?.name === "v1") return;
  throw new Error(`no first version: ${JSON.stringify(await test.store.runs.get(runs[0] ?? ""))}`);
}
