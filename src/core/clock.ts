/**
 * Two clocks. The world clock says when things happen: `at`, `receivedAt`, ids, ticks, schedules, cool-downs, label delay.
 * In a replay it is virtual. The system clock measures the machine: heartbeats, leases, timeouts, tokens, idempotency,
 * webhook signatures, durations. Mixing them makes a replay time out leases of 2008 or stamp rows of 2008 with today.
 */
import { fail } from "./errors.ts";
import type { Instant } from "./records.ts";

export interface WorldClock {
  readonly kind: "system" | "virtual";
  now(): Instant;
}

export interface SystemClock {
  /** Wall time, ms since the epoch. */
  now(): Instant;
  /** Monotonic milliseconds with fractions, for durations. */
  monotonicMs(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Milliseconds this process's event loop has been at work so far: what waited meanwhile waited for us. Absent: unknown. */
  busyMs?(): number;
}

export interface VirtualWorldClock extends WorldClock {
  readonly kind: "virtual";
  /** Moves forward; going back throws `CLOCK_BACKWARD`. */
  advanceTo(instant: Instant): void;
  /** From now on the clock runs at the given speed against the system clock (1 = real time); 0 stops it. */
  run(speed: number): void;
  /** How fast it runs by itself; 0 while it is only advanced. */
  speed(): number;
}

/** Node's own; the types of a browser, with which the console reads this file too, do not know it. */
const loop = performance as { readonly eventLoopUtilization?: () => { readonly active: number } };

export const systemClock: SystemClock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  busyMs: () => loop.eventLoopUtilization?.().active ?? 0,
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
};

/** The world clock of a live server: the machine's wall clock. */
export const liveWorldClock: WorldClock = { kind: "system", now: () => Date.now() };

/** A world clock that stands still until it is advanced, or runs on from a given instant. */
export function createVirtualClock(start: Instant, system: SystemClock = systemClock): VirtualWorldClock {
  let base = start;
  let speed = 0;
  let since = system.monotonicMs();
  const now = () => (speed === 0 ? base : base + Math.floor((system.monotonicMs() - since) * speed));
  return {
    kind: "virtual",
    now,
    advanceTo(instant) {
      const current = now();
      if (instant < current) {
        throw fail("CLOCK_BACKWARD", {
          message: `The virtual clock stands at ${new Date(current).toISOString()} and cannot go back to ${new Date(instant).toISOString()}.`,
          remedy: "Advance to a later instant.",
        });
      }
      base = instant;
      since = system.monotonicMs();
    },
    run(newSpeed) {
      base = now();
      since = system.monotonicMs();
      speed = newSpeed;
    },
    speed: () => speed,
  };
}
