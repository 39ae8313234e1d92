/** Versions that go live in stages, told to a server over HTTP: what the tests of routes, commands and pages look at. */
import { vi } from "vitest";
import type { RetrainClient } from "../../src/client/index.ts";
import { defineModel, f, gate, linear, type StageConfig, when } from "../../src/config/index.ts";
import { createRandom, HOUR_MS, type Instant } from "../../src/core/index.ts";

/** A shop whose label follows `x`; a version trained on the opposite side is plainly wrong. */
export function shopModel(name: string, rollout: readonly StageConfig[]) {
  return defineModel({
    name,
    task: "binary",
    id: "visit",
    time: "at",
    unit: "customer",
    features: { x: f.number(), z: f.number() },
    label: f.boolean(),
    trainer: linear({ epochs: 6 }),
    threshold: 0.5,
    data: { minRows: 400, window: { rows: 800 } },
    retrain: { when: when.manual(), cooldown: "0s" },
    gates: [gate.atLeast("accuracy", 0.2)],
    rollout,
  });
}

/** 1: the label follows `x`; −1: its opposite. */
export type Side = 1 | -1;

export function visits(count: number, from: Instant, seed: number, side: Side, spacingMs = 1_000) {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const x = random.nextFloat() * 4 - 2;
    const z = random.nextFloat();
    const label = random.nextFloat() < 1 / (1 + Math.exp(-3 * side * x));
    return { visit: `${seed}-${i}`, customer: `c${random.nextInt(700)}`, at: from + i * spacingMs, x, z, label };
  });
}

/** Sends rows of one side and trains on them. @returns the version it made */
export async function teachShop(client: RetrainClient, model: string, seed: number, side: Side): Promise<string> {
  const { now } = await client.server();
  await client.ingest(model, visits(700, now - 12 * HOUR_MS, seed, side, 60_000));
  const { run } = await client.startRun(model, { reason: "a test" });
  const ended = await vi.waitUntil(
    async () => {
      const found = await client.run(run.id);
      return found.state === "queued" || found.state === "running" ? undefined : found;
    },
    { timeout: 60_000, interval: 20 },
  );
  if (ended.version === undefined) throw new Error(JSON.stringify(ended.error ?? ended.gate ?? ended.state));
  return ended.version;
}

export interface Traffic {
  readonly seed: number;
  readonly side: Side;
  readonly steps: number;
  readonly perStep: number;
  readonly everyMs?: number;
}

/** Asks for predictions, labels them, moves the clock; every six hours unless said. */
export async function visitShop(client: RetrainClient, model: string, traffic: Traffic): Promise<void> {
  const { seed, side, steps, perStep, everyMs = 6 * HOUR_MS } = traffic;
  for (let step = 0; step < steps; step++) {
    const { now } = await client.server();
    const rows = visits(perStep, now, seed * 1_000 + step, side);
    await client.predictMany(
      model,
      rows.map(({ label: _, ...row }) => row),
    );
    await client.label(
      model,
      rows.map(({ visit, label }) => ({ exampleId: visit, label })),
    );
    await client.advance(now + everyMs);
  }
}
