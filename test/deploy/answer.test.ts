import { describe, expect, it } from "vitest";
import { type SystemClock, systemClock } from "../../src/core/index.ts";
import { askChallenger, type Scorer } from "../../src/deploy/answer.ts";
import { Breaker, CHALLENGER_DEADLINE_MS } from "../../src/deploy/breaker.ts";
import type { Prediction } from "../../src/model/index.ts";

const good: Prediction = { scores: [0.25, 0.75], decision: true };
const local = (predictRow: () => Prediction): Scorer => ({ task: "binary", classes: [false, true], predictRow });
const remote = (answer: () => Promise<Prediction>): Scorer => ({
  ...local(() => good),
  remote: { predictRows: async () => [await answer()], trace: () => ({ ...good, prepared: [] }) },
});

/** A clock of which the test says when a sleep is over and how long the loop was busy. */
function handClock() {
  const state = { nowMs: 0, busyMs: 0, ring: () => {} };
  const clock: SystemClock = {
    now: () => state.nowMs,
    monotonicMs: () => state.nowMs,
    busyMs: () => state.busyMs,
    sleep: () =>
      new Promise((resolve) => {
        state.ring = resolve;
      }),
  };
  return { state, clock };
}

describe("an answer of a challenger", () => {
  it.each([
    [
      "throws",
      () => {
        throw new Error("division by zero");
      },
      "error",
    ],
    ["is no number", () => ({ scores: [Number.NaN, Number.NaN], decision: false }), "invalid"],
    ["has another shape", () => ({ scores: [0.2, 0.3, 0.5], decision: false }), "invalid"],
    ["does not sum to 1", () => ({ scores: [0.2, 0.3], decision: false }), "invalid"],
    ["is outside [0, 1]", () => ({ scores: [-1, 2], decision: false }), "invalid"],
    ["decides nothing", () => ({ scores: [0.5, 0.5] }) as unknown as Prediction, "invalid"],
  ] as const)("that %s is reported, from this process and from another", async (_what, answer, bad) => {
    expect(askChallenger(local(answer as () => Prediction), {}, systemClock)).toMatchObject({ bad });
    const elsewhere = remote(async () => (answer as () => Prediction)());
    await expect(askChallenger(elsewhere, {}, systemClock)).resolves.toMatchObject({ bad });
  });

  it("that comes too late from this process is not used", () => {
    const { state, clock } = handClock();
    const slow = local(() => {
      state.nowMs += CHALLENGER_DEADLINE_MS + 1;
      return good;
    });
    expect(askChallenger(slow, {}, clock)).toMatchObject({ bad: "timeout" });
  });

  it("that never comes is waited for until the deadline", async () => {
    const { state, clock } = handClock();
    const asked = askChallenger(
      remote(() => new Promise(() => {})),
      {},
      clock,
    );
    state.ring();
    await expect(asked).resolves.toMatchObject({ bad: "timeout" });
  });

  it("that lay there while this process was busy is used, and took the time it was waited for", async () => {
    const { state, clock } = handClock();
    let answer: (prediction: Prediction) => void = () => {};
    const asked = askChallenger(
      remote(
        () =>
          new Promise((resolve) => {
            answer = resolve;
          }),
      ),
      {},
      clock,
    );
    // A burst holds the loop for 80 ms; then the timer is due first, and the answer is read right after it.
    state.nowMs = 83;
    state.busyMs = 80;
    state.ring();
    setImmediate(() => answer(good));
    const found = await asked;
    expect(found.bad).toBeUndefined();
    expect(found.micros).toBeCloseTo(3_000, 6);
  });
});

describe("the breaker", () => {
  const breakerAfter = (champion: number, micros: number) => {
    const breaker = new Breaker("rollout", 0);
    for (let i = 0; i < champion; i++) breaker.championTook(micros);
    return breaker;
  };

  it("trips after ten bad answers in a row, and with a fifth of them bad after fifty", () => {
    const all = new Breaker("rollout", 0);
    let count = 1;
    while (!all.record("error", 10)) count++;
    expect(count).toBe(10);
    const some = new Breaker("rollout", 0);
    count = 1;
    while (!some.record(count % 5 === 0 ? "invalid" : undefined, 10)) count++;
    expect(count).toBe(50);
    expect(some.tripped).toMatch(/10 of the challenger's latest 50 answers/);
    const few = new Breaker("rollout", 0);
    for (let i = 1; i <= 1_000; i++) few.record(i % 6 === 0 ? "error" : undefined, 10);
    expect(few.tripped).toBeUndefined();
  });

  it("knows slow by the champion, above what anybody feels", () => {
    expect(breakerAfter(10, 1_000).slowLimit(false)).toBe(Number.POSITIVE_INFINITY);
    expect(breakerAfter(60, 10).slowLimit(false)).toBe(2_000);
    expect(breakerAfter(60, 10).slowLimit(true)).toBe(10_000);
    expect(breakerAfter(60, 8_000).slowLimit(true)).toBeGreaterThan(40_000);
  });

  it("gives a challenger of a slow champion as much time as its champion takes, five times over", async () => {
    expect(breakerAfter(0, 0).deadlineMs()).toBe(CHALLENGER_DEADLINE_MS);
    expect(breakerAfter(60, 500).deadlineMs()).toBe(CHALLENGER_DEADLINE_MS);
    const deadlineMs = breakerAfter(60, 80_000).deadlineMs();
    expect(deadlineMs).toBeGreaterThanOrEqual(400);
    const { state, clock } = handClock();
    const slow = local(() => {
      state.nowMs += 90;
      return good;
    });
    expect(askChallenger(slow, {}, clock)).toMatchObject({ bad: "timeout" });
    expect(askChallenger(slow, {}, clock, deadlineMs)).toMatchObject({ row: good });
  });
});
