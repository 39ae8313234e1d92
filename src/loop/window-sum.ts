/**
 * The sum of counters over a window that moves on. A trigger asks for it at every tick, and most hours of a window of weeks are
 * those of the tick before: only what entered, left or changed is added or taken away. Counters are integers, so the sum has the
 * bits of one made anew.
 */
import type { CounterDelta, CounterValues, Instant } from "../core/index.ts";
import { addInPlace } from "../monitor/index.ts";
import type { LoopContext } from "./context.ts";

export class WindowSum {
  readonly #buckets = new Map<Instant, CounterValues>();
  readonly #sum = new Map<string, bigint>();

  /**
   * The sum of the buckets that start in [from, to). Cost: a look at each row, and the counters of the rows that are others.
   * @param rows one row a bucket, of one version; values are never changed, but replaced
   */
  move(rows: readonly CounterDelta[], from: Instant, to: Instant): CounterValues {
    let inside = 0;
    for (const { bucket, values } of rows) {
      if (bucket < from || bucket >= to) continue;
      inside += 1;
      const known = this.#buckets.get(bucket);
      if (known === values) continue;
      if (known !== undefined) addInPlace(this.#sum, known, -1n);
      addInPlace(this.#sum, values);
      this.#buckets.set(bucket, values);
    }
    if (this.#buckets.size > inside) this.#leave(new Set(rows.map(({ bucket }) => bucket)), from, to);
    return Object.fromEntries(this.#sum);
  }

  #leave(there: ReadonlySet<Instant>, from: Instant, to: Instant): void {
    for (const [bucket, values] of this.#buckets) {
      if (bucket >= from && bucket < to && there.has(bucket)) continue;
      addInPlace(this.#sum, values, -1n);
      this.#buckets.delete(bucket);
    }
  }
}

const sums = new WeakMap<LoopContext, Map<string, { readonly version: string; readonly sum: WindowSum }>>();

/** The moving sum of a name for a version; another version begins anew. */
export function windowSum(context: LoopContext, name: string, version: string): WindowSum {
  const named = sums.get(context) ?? new Map<string, { readonly version: string; readonly sum: WindowSum }>();
  sums.set(context, named);
  const known = named.get(name);
  if (known?.version === version) return known.sum;
  const sum = new WindowSum();
  named.set(name, { version, sum });
  return sum;
}
