/** How work in the background shares the event loop and the store with requests, so that neither waits for the other to end. */
import type { SystemClock } from "./clock.ts";

/** Longest pause, ms: a step slowed by the requests themselves must not slow the work for ever. */
const LONGEST_PAUSE_MS = 100;

/**
 * While requests come, the steps of all background work run one at a time, each followed by a pause at least as long as itself:
 * however many folds and copies are at it, requests have every second moment. Without requests steps run at once. A step must not take another.
 */
export class Turns {
  readonly #clock: SystemClock;
  readonly #areRequestsComing: () => boolean;
  #last: Promise<void> = Promise.resolve();

  constructor(clock: SystemClock, areRequestsComing: () => boolean) {
    this.#clock = clock;
    this.#areRequestsComing = areRequestsComing;
  }

  /**
   * Runs a step when it is its turn.
   * @param rest how many times as long as the step the pause after it is: more for work without hurry
   */
  async take<T>(step: () => Promise<T>, rest = 1): Promise<T> {
    if (!this.#areRequestsComing()) return step();
    const before = this.#last;
    let pass = () => {};
    this.#last = new Promise((resolve) => {
      pass = resolve;
    });
    await before;
    const beganMs = this.#clock.monotonicMs();
    try {
      return await step();
    } finally {
      const tookMs = this.#clock.monotonicMs() - beganMs;
      void this.#clock.sleep(Math.min(rest * tookMs, LONGEST_PAUSE_MS)).then(pass);
    }
  }
}
