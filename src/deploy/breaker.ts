/**
 * The hard breaker: counts what a challenger's answers were like in this replica, and trips when too many of the latest were bad,
 * long before any statistic could say so. A tripped challenger answers nothing more here, while its rollback is on the way.
 */
import { plural } from "../core/index.ts";
import type { ServingCounts } from "../core/index.ts";

export type BadAnswer = "error" | "invalid" | "timeout" | "slow";

/** A user waits no longer than this for a challenger, ms: the champion then answers well within a tenth of a second. */
export const CHALLENGER_DEADLINE_MS = 50;
/** The latest answers looked at. With all of them bad it trips after 10; with a fifth of them bad after 50 answers. */
const WINDOW = 50;
const BAD_TO_TRIP = 10;
/**
 * A challenger is slow beyond five times the champion's own 99 % quantile, but not below a floor: in this process 2 ms hold up
 * every other request; another process waits for a core that long on a busy machine without being slow, and nobody feels 10 ms.
 */
const SLOW_FACTOR = 5;
const SLOW_FLOOR_MICROS = 2_000;
const REMOTE_SLOW_FLOOR_MICROS = 10_000;
/** Answers of the champion before its quantile says anything. */
const LATENCY_ROWS = 50;
/** Bins of a latency histogram, four to a doubling: 1 µs to 18 minutes. */
const BINS = 120;

/** Durations in logarithmic bins; quantiles are right within 19 %. */
export class LatencyHistogram {
  readonly #bins = new Float64Array(BINS);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(micros: number): void {
    const bin = Math.max(0, Math.min(BINS - 1, Math.ceil(Math.log2(Math.max(micros, 1)) * 4)));
    this.#bins[bin] = (this.#bins[bin] as number) + 1;
    this.#count += 1;
  }

  /** Upper edge of the bin that holds the quantile, µs; null without values. */
  quantile(share: number): number | null {
    if (this.#count === 0) return null;
    let seen = 0;
    for (let bin = 0; bin < BINS; bin++) {
      seen += this.#bins[bin] as number;
      if (seen >= share * this.#count) return edge(bin);
    }
    return edge(BINS - 1);
  }
}

/** 2^(bin/4) without a power function, whose last bits differ between machines. */
function edge(bin: number): number {
  const QUARTERS = [1, 1.189207115002721, 1.4142135623730951, 1.681792830507429];
  return Math.round((1 << (bin >> 2)) * (QUARTERS[bin & 3] as number));
}

export class Breaker {
  readonly rollout: string;
  readonly phase: number;
  readonly #latest = new Uint8Array(WINDOW);
  #next = 0;
  #bad = 0;
  #tripped: string | undefined;
  readonly #counts = { answers: 0, errors: 0, invalid: 0, timeouts: 0, slow: 0 };
  readonly #challenger = new LatencyHistogram();
  readonly #champion = new LatencyHistogram();
  mirrorDropped = 0;

  constructor(rollout: string, phase: number) {
    this.rollout = rollout;
    this.phase = phase;
  }

  get tripped(): string | undefined {
    return this.#tripped;
  }

  championTook(micros: number): void {
    this.#champion.add(micros);
  }

  /** µs beyond which an answer of the challenger counts as slow; Infinity while the champion's own are unknown. */
  slowLimit(isRemote: boolean): number {
    if (this.#champion.count < LATENCY_ROWS) return Number.POSITIVE_INFINITY;
    const floor = isRemote ? REMOTE_SLOW_FLOOR_MICROS : SLOW_FLOOR_MICROS;
    return Math.max(floor, SLOW_FACTOR * (this.#champion.quantile(0.99) as number));
  }

  /** How long the challenger is waited for, ms: a model as slow as its champion is not faulty. */
  deadlineMs(): number {
    return Math.max(CHALLENGER_DEADLINE_MS, (SLOW_FACTOR * (this.#champion.quantile(0.99) ?? 0)) / 1000);
  }

  /** @returns true when this answer tripped the breaker */
  record(bad: BadAnswer | undefined, micros: number): boolean {
    this.#counts.answers += 1;
    if (bad === undefined || bad === "slow") this.#challenger.add(micros);
    if (bad === "error") this.#counts.errors += 1;
    if (bad === "invalid") this.#counts.invalid += 1;
    if (bad === "timeout") this.#counts.timeouts += 1;
    if (bad === "slow") this.#counts.slow += 1;
    this.#bad += (bad === undefined ? 0 : 1) - (this.#latest[this.#next] as number);
    this.#latest[this.#next] = bad === undefined ? 0 : 1;
    this.#next = (this.#next + 1) % WINDOW;
    if (this.#tripped !== undefined || this.#bad < BAD_TO_TRIP) return false;
    const seen = Math.min(WINDOW, this.#counts.answers);
    this.#tripped = `${this.#bad} of the challenger's latest ${plural(seen, "answer")} in one replica were bad (last: ${bad ?? "none"}).`;
    return true;
  }

  counts(): ServingCounts {
    return {
      rollout: this.rollout,
      phase: this.phase,
      ...this.#counts,
      medianMicros: this.#challenger.quantile(0.5),
      p99Micros: this.#challenger.quantile(0.99),
      championMedianMicros: this.#champion.quantile(0.5),
      championP99Micros: this.#champion.quantile(0.99),
      mirrorDropped: this.mirrorDropped,
    };
  }
}
