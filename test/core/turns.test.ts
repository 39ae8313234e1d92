import { describe, expect, it } from "vitest";
import { type SystemClock, Turns } from "../../src/core/index.ts";

/** Time passes in steps and pauses alone. */
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
  const work = (ms: number) => async () => {
    now += ms;
    return ms;
  };
  return { clock, slept, work };
}

describe("turns of work in the background", () => {
  it("pause as long as a step took while requests come, at most a tenth of a second", async () => {
    const hand = handClock();
    const turns = new Turns(hand.clock, () => true);
    for (const ms of [7, 20, 900]) expect(await turns.take(hand.work(ms))).toBe(ms);
    expect(hand.slept).toEqual([7, 20, 100]);
    await turns.take(hand.work(9), 3);
    expect(hand.slept.at(-1)).toBe(27);
  });

  it("come one after the other, also after a step that failed", async () => {
    const { clock } = handClock();
    const turns = new Turns(clock, () => true);
    let running = 0;
    let most = 0;
    const step = async (fails: boolean) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      if (fails) throw new Error("step");
    };
    const all = await Promise.allSettled([false, true, false, true].map((fails) => turns.take(() => step(fails))));
    expect(all.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "rejected"]);
    expect(most).toBe(1);
  });

  it("are not kept without requests", async () => {
    const hand = handClock();
    const turns = new Turns(hand.clock, () => false);
    let release = () => {};
    const first = turns.take(() => new Promise<void>((resolve) => (release = resolve)));
    expect(await turns.take(hand.work(50))).toBe(50);
    release();
    await first;
    expect(hand.slept).toEqual([]);
  });
});
