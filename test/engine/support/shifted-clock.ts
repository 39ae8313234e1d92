import { type SystemClock, systemClock } from "../../../src/core/index.ts";

/** The system clock, ahead by what it was advanced; whoever sleeps is woken by an advance and looks at the time again. */
export interface ShiftedClock extends SystemClock {
  advance(ms: number): void;
}
export function shiftedClock(): ShiftedClock {
  let ahead = 0;
  let moved = new AbortController();
  return {
    now: () => systemClock.now() + ahead,
    monotonicMs: () => systemClock.monotonicMs() + ahead,
    sleep: async (ms, signal) => {
      const either = signal === undefined ? moved.signal : AbortSignal.any([signal, moved.signal]);
      await systemClock.sleep(ms, either).catch((error: unknown) => {
        if (signal?.aborted) throw error;
      });
    },
    advance: (ms) => {
      ahead += ms;
      const before = moved;
      moved = new AbortController();
      before.abort(new Error("the clock was advanced"));
    },
  };
}
