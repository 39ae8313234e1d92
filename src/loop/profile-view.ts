/**
 * Current counts in memory, brought up to date with the deltas of newer folds only, so that a report over any window is a sum
 * of some hundred short lists whatever the number of rows.
 */
import { DAY_MS, type Instant } from "../core/index.ts";
import { addSparseInPlace, decodeCounts, mergeSparse, type SparseCounts } from "../data/index.ts";
import type { LoopContext } from "./context.ts";

interface Bucket {
  readonly from: Instant;
  readonly widthMs: number;
  counts: SparseCounts;
}
interface Known {
  through: number;
  readonly scopes: Map<string, Map<Instant, Bucket>>;
}
const views = new WeakMap<LoopContext, Map<string, Known>>();

export interface WindowQuery {
  readonly model: string;
  /** Grid of the counts. */
  readonly grid: string;
  readonly scope: string;
  /** Length of the vector. */
  readonly size: number;
}
export interface TimeRange {
  readonly from: Instant;
  readonly to: Instant;
}

/** Sums of counts over each range [from, to); a bucket belongs to the range its start lies in. */
export async function windowCounts(
  context: LoopContext,
  query: WindowQuery,
  ranges: readonly TimeRange[],
): Promise<Float64Array[]> {
  const known = await current(context, query);
  const buckets = known.scopes.get(query.scope);
  return ranges.map(({ from, to }) => {
    const vector = new Float64Array(query.size);
    if (buckets !== undefined) {
      for (const bucket of buckets.values())
        if (bucket.from >= from && bucket.from < to) addSparseInPlace(vector, bucket.counts);
    }
    return vector;
  });
}

/** First and last time that has counts, over the given scopes; undefined without any. */
export async function countedRange(
  context: LoopContext,
  query: Omit<WindowQuery, "size" | "scope">,
  scopes: readonly string[],
): Promise<TimeRange | undefined> {
  const known = await current(context, query);
  let from = Number.POSITIVE_INFINITY;
  let to = Number.NEGATIVE_INFINITY;
  for (const scope of scopes) {
    for (const bucket of known.scopes.get(scope)?.values() ?? []) {
      from = Math.min(from, bucket.from);
      to = Math.max(to, bucket.from + bucket.widthMs);
    }
  }
  return from < to ? { from, to } : undefined;
}

async function current(context: LoopContext, query: { readonly model: string; readonly grid: string }): Promise<Known> {
  let byGrid = views.get(context);
  if (byGrid === undefined) {
    byGrid = new Map();
    views.set(context, byGrid);
  }
  const key = `${query.model}\u001f${query.grid}`;
  const known = byGrid.get(key);
  const through = known?.through ?? 0;
  const rows = await context.store.profiles.rows(query.model, query.grid, through);
  // Somebody else may have brought it up to date in the meantime; adding the same rows twice would be wrong.
  if (byGrid.get(key) !== known || (known !== undefined && known.through !== through)) return current(context, query);
  // A collapse summed rows we have with rows we have not: begin again.
  const isCut = known !== undefined && rows.some((row) => row.fromSeq <= known.through);
  const next: Known = known === undefined || isCut ? { through: 0, scopes: new Map() } : known;
  if (known === undefined || isCut) {
    for (const other of byGrid.keys()) if (other.startsWith(`${query.model}\u001f`)) byGrid.delete(other);
    byGrid.set(key, next);
  }
  const all = isCut ? await context.store.profiles.rows(query.model, query.grid, 0) : rows;
  if (isCut && (byGrid.get(key) !== next || next.through !== 0)) return current(context, query);
  for (const row of all) {
    let buckets = next.scopes.get(row.scope);
    if (buckets === undefined) {
      buckets = new Map();
      next.scopes.set(row.scope, buckets);
    }
    // Late events of a day that is summed already come as an hour: they belong to the day's bucket or stand beside it.
    const day = Math.floor(row.bucket / DAY_MS) * DAY_MS;
    const whole = buckets.get(day);
    const at = whole !== undefined && whole.widthMs === DAY_MS ? day : row.bucket;
    const counts = decodeCounts(row.counts);
    const found = buckets.get(at);
    if (found === undefined) buckets.set(at, { from: at, widthMs: row.widthMs, counts });
    else {
      const last = (sparse: SparseCounts) => (sparse.places[sparse.places.length - 1] ?? 0) + 1;
      found.counts = mergeSparse(found.counts, counts, Math.max(last(found.counts), last(counts)));
    }
    next.through = Math.max(next.through, row.foldSeq);
  }
  return next;
}
