/** The first tick of a project: it waits for the rows of the sources, so that the first version is not a tick late. */
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { defineConfig, resolveConfig, source } from "../../src/config/index.ts";
import { silentLogger, systemClock } from "../../src/core/index.ts";
import type { LoopContext } from "../../src/loop/context.ts";
import type { Predictor } from "../../src/loop/predict.ts";
import { Schedule, type ScheduleParts } from "../../src/loop/schedule.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { purchases, START } from "../server/support.ts";

let test: TestLoop;
beforeAll(async () => {
  test = await openTestLoop(defineConfig({ models: [purchases], alerts: [] }), START);
}, 60_000);
afterAll(async () => test.dispose());

/** A schedule on a system clock that sleeps no longer than the event loop needs, and whose sources are read when the test says so. */
function schedule(monotonicMs: () => number) {
  const sources = [source.file("rows.csv", { model: "purchases" })];
  const spec = resolveConfig(defineConfig({ models: [purchases], sources, alerts: [] }), { folder: "." });
  const clock = { ...systemClock, monotonicMs, sleep: async () => new Promise<void>((done) => setImmediate(done)) };
  const { objects } = test;
  // The loop that opened the store leads; this schedule is told that it does.
  const settings = Object.assign(Object.create(test.store.settings), {
    takeLease: async () => true,
    dropLease: async () => {},
  });
  const store = Object.assign(Object.create(test.store), { settings });
  const context = {
    store,
    objects,
    spec,
    systemClock: clock,
    worldClock: { kind: "system", now: () => START },
    logger: silentLogger,
    emit: () => {},
    instance: "one",
    role: "all",
    engine: { start: async () => {}, stop: async () => {} },
    live: { remove: () => {} },
    directory: test.directory,
  };
  let isRead = false;
  const polls = vi.fn(async () => {
    while (!isRead) await new Promise<void>((done) => setImmediate(done));
  });
  const ticks = vi.fn(async () => ({}));
  const parts = {
    sources: { pollDue: polls },
    keeper: { syncAll: async () => {}, beat: async () => {}, behind: () => [], leave: async () => {} },
    fold: async () => {},
  };
  const predictor = { retryUnlogged: async () => {}, logged: new Map() };
  const made = new Schedule(
    context as unknown as LoopContext,
    predictor as unknown as Predictor,
    ticks as never,
    parts as unknown as ScheduleParts,
  );
  const read = () => {
    isRead = true;
  };
  return { made, polls, ticks, read };
}
const turns = async () => {
  for (let i = 0; i < 20; i++) await new Promise<void>((done) => setImmediate(done));
};

it("waits for the first reading of the sources", async () => {
  const { made, polls, ticks, read } = schedule(() => 0);
  await made.start();
  await vi.waitUntil(() => polls.mock.calls.length > 0);
  await turns();
  expect(ticks).not.toHaveBeenCalled();
  read();
  await vi.waitUntil(() => ticks.mock.calls.length > 0);
  expect(ticks).toHaveBeenCalledWith("purchases", START);
  await made.stop();
});

it("waits ten seconds at most", async () => {
  let now = 0;
  const { made, ticks, read } = schedule(() => now);
  await made.start();
  now = 9_999;
  await turns();
  expect(ticks).not.toHaveBeenCalled();
  now = 10_000;
  await vi.waitUntil(() => ticks.mock.calls.length > 0);
  read();
  await made.stop();
});
