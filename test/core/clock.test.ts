import { describe, expect, it } from "vitest";
import { createVirtualClock, RetrainError } from "../../src/core/index.ts";

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof RetrainError) return error.code;
    throw error;
  }
  return "nothing thrown";
};

/** A machine's clock that a test moves. */
function machine() {
  let ms = 1000;
  return { pass: (by: number) => (ms += by), clock: { now: () => ms, monotonicMs: () => ms } };
}

describe("the virtual clock", () => {
  it("stands still until it is advanced, and never goes back", () => {
    const { pass, clock } = machine();
    const world = createVirtualClock(5000, clock as never);
    pass(10_000);
    expect(world.now()).toBe(5000);
    world.advanceTo(7000);
    expect(world.now()).toBe(7000);
    expect(codeOf(() => world.advanceTo(6999))).toBe("CLOCK_BACKWARD");
    expect(world.now()).toBe(7000);
  });

  it("runs on at the speed it is given, from where it stands", () => {
    const { pass, clock } = machine();
    const world = createVirtualClock(5000, clock as never);
    world.run(2);
    pass(100);
    expect(world.now()).toBe(5200);
    world.run(0);
    pass(100);
    expect(world.now()).toBe(5200);
  });
});
