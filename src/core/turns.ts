/** How long work in the background takes turns with requests, so that neither waits for the other to end. */
import type { SystemClock } from "./clock.ts";

/** Longest pause, ms: a step slowed by the requests themselves must not slow the work for ever. */
const LONGEST_PAUSE_MS = 100;

/** A step and its pauses: background work has a third of the time while requests come. */
const PAUSE_PER_STEP = 2;

/**
 * Between two steps: while requests come, a pause in proportion to the step, so that they find the shared threads free most of
 * the time. Without requests the work goes on at once.
 */
export class Turns {
  readonly #clock: SystemClock;
  readonly #areRequestsComing: () => boolean;
  #beganMs: number;

  constructor(clock: SystemClock, areRequestsComing: () => boolean) {
    this.#clock = clock;
    this.#areRequestsComing = areRequestsComing;
    this.#beganMs = clock.monotonicMs();
  }

  /** Ends a step and waits for the next one's turn. */
  async next(): Promise<void> {
    const tookMs = this.#clock.monotonicMs() - this.#beganMs;
    if (this.#areRequestsComing()) await this.#clock.sleep(Math.min(PAUSE_PER_STEP * tookMs, LONGEST_PAUSE_MS));
    this.#beganMs = this.#clock.monotonicMs();
  }
}
