/** Where folds stand, and what the only writer remembers of it. */
import { type FoldState, type Instant, type Json, LOG_START } from "../../core/index.ts";
import { parseBody, type Queryable, toNumber, toNumberOrNull } from "../sql.ts";

/** Known before anything was: the knownThrough of a fold that has not run. */
const NEVER: Instant = 0;

async function read(database: Queryable, model: string, fold: string): Promise<FoldState> {
  const { rows } = await database.query("select * from fold where model = $1 and fold = $2", [model, fold]);
  const row = rows[0];
  if (!row) return { cursor: LOG_START, foldSeq: 0, knownThrough: NEVER, state: null };
  return {
    cursor: { transactionId: BigInt(row["cursor_xid"] as number), seq: BigInt(row["cursor_seq"] as number) },
    foldSeq: toNumber(row["fold_seq"]),
    knownThrough: toNumber(row["known_through"]),
    state: parseBody<Json>(row["state"]),
  };
}

/**
 * What the only writer remembers of its own commits, so that a tick without news asks the database nothing. Every commit of
 * unknown outcome forgets it. With other writers nothing is remembered.
 */
export class FoldMemory {
  private readonly database: Queryable;
  private readonly isOnlyWriter: boolean;
  private readonly states = new Map<string, FoldState>();
  private readonly knownThrough = new Map<string, Instant>();
  /** Grows with every commit: what was asked before one must not be remembered after it. */
  private forgotten = 0;

  constructor(database: Queryable, isOnlyWriter: boolean) {
    this.database = database;
    this.isOnlyWriter = isOnlyWriter;
  }

  async state(model: string, fold: string): Promise<FoldState> {
    const key = `${model} ${fold}`;
    const known = this.states.get(key);
    if (known) return known;
    const before = this.forgotten;
    const state = await read(this.database, model, fold);
    if (this.isOnlyWriter && before === this.forgotten) this.states.set(key, state);
    return state;
  }

  /** Returns the greatest knownThrough of the model, where it was known, and a mark for `remember`. */
  forget(model: string, fold: string): { readonly newest: Instant | undefined; readonly mark: number } {
    this.forgotten += 1;
    this.states.delete(`${model} ${fold}`);
    const newest = this.knownThrough.get(model);
    this.knownThrough.delete(model);
    return { newest, mark: this.forgotten };
  }

  /** After a commit that won: what it wrote is what a reader would find, unless another commit went on beside it. */
  remember(
    model: string,
    fold: string,
    change: Omit<FoldState, "foldSeq"> & { readonly expectedFoldSeq: number },
    before: { readonly newest: Instant | undefined; readonly mark: number },
  ): void {
    const isAlone = before.mark === this.forgotten;
    this.forget(model, fold);
    if (!this.isOnlyWriter || !isAlone) return;
    const { expectedFoldSeq, cursor, knownThrough, state } = change;
    this.states.set(`${model} ${fold}`, { cursor, knownThrough, state, foldSeq: expectedFoldSeq + 1 });
    if (before.newest !== undefined) this.knownThrough.set(model, Math.max(before.newest, knownThrough));
  }

  /** The greatest knownThrough of any fold of the model; NEVER without one. */
  async newest(model: string): Promise<Instant> {
    const known = this.knownThrough.get(model);
    if (known !== undefined) return known;
    const before = this.forgotten;
    const { rows } = await this.database.query(
      "select max(known_through) as newest from fold_commit where model = $1",
      [model],
    );
    const newest = toNumberOrNull(rows[0]?.["newest"]) ?? NEVER;
    if (this.isOnlyWriter && before === this.forgotten) this.knownThrough.set(model, newest);
    return newest;
  }
}
