/**
 * Current sums of counters, kept in memory and brought up to date with the deltas of newer folds only: monitors ask at every
 * tick, and the number of deltas grows with every fold. Folds commit by compare-and-set, so their numbers have no gaps.
 */
import type { CounterDelta, CounterValues } from "../../core/index.ts";
import type { Queryable, SqlRow } from "../sql.ts";
import { toNumber } from "../sql.ts";

export interface Sum {
  readonly version: string;
  readonly bucket: number;
  readonly values: Map<string, bigint>;
  /** The sum as readers get it, until it changes: most hours of a long history never change again. */
  told?: CounterDelta | undefined;
}
interface Known {
  /** Up to which fold each fold's deltas are in. */
  readonly through: Map<string, number>;
  readonly sums: Map<string, Sum>;
  revision: number;
}

export function parseValues(text: unknown): [string, bigint][] {
  return Object.entries(JSON.parse(text as string) as Record<string, string>).map(([key, value]) => [
    key,
    BigInt(value),
  ]);
}

/** Adds rows of the `counter` table into sums by (version, bucket). */
export function addRows(sums: Map<string, Sum>, rows: readonly SqlRow[]): void {
  for (const row of rows) {
    const version = row["version"] as string;
    const bucket = toNumber(row["bucket"]);
    const key = `${bucket} ${version}`;
    let sum = sums.get(key);
    if (!sum) {
      sum = { version, bucket, values: new Map() };
      sums.set(key, sum);
    }
    sum.told = undefined;
    for (const [name, value] of parseValues(row["values"])) {
      sum.values.set(name, (sum.values.get(name) ?? 0n) + value);
    }
  }
}

function addDeltas(sums: Map<string, Sum>, deltas: readonly CounterDelta[]): void {
  for (const { version, bucket, values } of deltas) {
    const key = `${bucket} ${version}`;
    const sum: Sum = sums.get(key) ?? { version, bucket, values: new Map<string, bigint>() };
    sums.set(key, sum);
    sum.told = undefined;
    for (const [name, value] of Object.entries(values)) sum.values.set(name, (sum.values.get(name) ?? 0n) + value);
  }
}

/** @param sums of this one counter */
export function toDeltas(
  counter: string,
  sums: Iterable<Sum>,
  filter: { version?: string; from?: number; to?: number },
): CounterDelta[] {
  const rows: CounterDelta[] = [];
  for (const sum of sums) {
    const { version, bucket } = sum;
    if (filter.version !== undefined && version !== filter.version) continue;
    if (filter.from !== undefined && bucket < filter.from) continue;
    if (filter.to !== undefined && bucket >= filter.to) continue;
    sum.told ??= { counter, version, bucket, values: Object.fromEntries(sum.values) as CounterValues };
    rows.push(sum.told);
  }
  return rows.sort((left, right) =>
    left.bucket !== right.bucket ? left.bucket - right.bucket : left.version < right.version ? -1 : 1,
  );
}

export class FoldSums {
  private readonly database: Queryable;
  private readonly isOnlyWriter: boolean;
  private readonly known = new Map<string, Known>();
  private readonly revisions = new Map<string, number>();

  constructor(database: Queryable, isOnlyWriter: boolean) {
    this.database = database;
    this.isOnlyWriter = isOnlyWriter;
  }

  /**
   * To be called after every commit of a fold of the model by this process, whatever became of it.
   * @param won what the commit added, when it is known to have won: the sums go on from it without asking
   */
  noteCommit(
    model: string,
    fold: string,
    won?: { readonly foldSeq: number; readonly counters: readonly CounterDelta[] },
  ): void {
    const before = this.revision(model);
    this.revisions.set(model, before + 1);
    if (won === undefined || !this.isOnlyWriter) return;
    for (const [key, known] of this.known) {
      if (!key.startsWith(`${model} `) || known.revision !== before) continue;
      // A reader that asked between the commit and this call has the rows already.
      if ((known.through.get(fold) ?? 0) >= won.foldSeq) continue;
      const counter = key.slice(model.length + 1);
      addDeltas(
        known.sums,
        won.counters.filter((delta) => delta.counter === counter),
      );
      const through = new Map(known.through).set(fold, won.foldSeq);
      // Another object: who is asking meanwhile must not add the same rows to these sums.
      this.known.set(key, { through, sums: known.sums, revision: before + 1 });
    }
  }

  async current(model: string, counter: string): Promise<Iterable<Sum>> {
    const key = `${model} ${counter}`;
    const known = this.known.get(key);
    const revision = this.revision(model);
    if (known && this.isOnlyWriter && known.revision === revision) return known.sums.values();
    let next = known ?? { through: new Map(), sums: new Map(), revision: -1 };
    const rows = await this.newRows(model, counter, next);
    // A collapse summed rows we have with rows we have not: begin again.
    const isCut = rows.some((row) => toNumber(row["from_seq"]) <= (next.through.get(row["fold"] as string) ?? 0));
    if (isCut) {
      next = { through: new Map(), sums: new Map(), revision: -1 };
      return this.take(key, next, await this.newRows(model, counter, next), revision);
    }
    // Two readers may have asked together; the one whose base is gone must not add its rows twice.
    if (this.known.get(key) !== known) return this.current(model, counter);
    return this.take(key, next, rows, revision);
  }

  private take(key: string, next: Known, rows: readonly SqlRow[], revision: number): Iterable<Sum> {
    const fresh: Known = { through: new Map(next.through), sums: next.sums, revision };
    const unseen = rows.filter((row) => toNumber(row["fold_seq"]) > (next.through.get(row["fold"] as string) ?? 0));
    addRows(fresh.sums, unseen);
    for (const row of unseen) {
      const fold = row["fold"] as string;
      fresh.through.set(fold, Math.max(fresh.through.get(fold) ?? 0, toNumber(row["fold_seq"])));
    }
    this.known.set(key, fresh);
    return fresh.sums.values();
  }

  private async newRows(model: string, counter: string, known: Known): Promise<SqlRow[]> {
    const after = known.through.size === 0 ? 0 : Math.min(...known.through.values());
    const { rows } = await this.database.query(
      `select fold, from_seq, fold_seq, version, bucket, "values" from counter
       where model = $1 and counter = $2 and fold_seq > $3 order by fold_seq`,
      [model, counter, after],
    );
    // Of a fold we know, rows before `through` were fetched for the sake of another fold.
    return rows.filter((row) => toNumber(row["fold_seq"]) > (known.through.get(row["fold"] as string) ?? 0));
  }

  private revision(model: string): number {
    return this.revisions.get(model) ?? 0;
  }
}
