import { describe, expect, it } from "vitest";
import { type SystemClock, Turns } from "../../src/core/index.ts";

function handClock() {
  let now = 0;
  const slept: number[] = [];
  const clock: SystemClock = {
    now: () => now,
    monotonicMs: () => now,
    sleep: (ms) => {
      slept.push(ms);
      now += ms;
      return Promise.resolve();
    },
  };
  return { clock, slept, work: (ms: number) => (now += ms) };
}

describe("turns of work in the background", () => {
  it("pause twice as long as a step took while requests come, at most a tenth of a second", async () => {
    const hand = handClock();
    const turns = new Turns(hand.clock, () => true);
    for (const ms of [7, 20, 900]) {
      hand.work(ms);
      await turns.next();
    }
    expect(hand.slept).toEqual([14, 40, 100]);
  });

  it("do not pause without requests", async () => {
    const hand = handClock();
    const turns = new Turns(hand.clock, () => false);
    hand.work(50);
    await turns.next();
    expect(hand.slept).toEqual([]);
  });
});
