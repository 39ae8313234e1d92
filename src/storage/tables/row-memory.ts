/** What the only writer remembers of rows it has read, until it writes to them. */

/** Rows remembered at once; they are small, and a process works with few of them. */
const MAX_ROWS = 1_000;

/**
 * Answers of a table by key. What was asked before a write is never remembered after it, whatever became of the write; with other
 * writers (a shared database) nothing is remembered. Values are shared between callers, who must not change them.
 */
export class RowMemory<T> {
  private readonly isOnlyWriter: boolean;
  private readonly rows = new Map<string, T>();
  private writing = 0;
  /** Grows with every write. */
  private writes = 0;

  constructor(isOnlyWriter: boolean) {
    this.isOnlyWriter = isOnlyWriter;
  }

  /** @param isKept which answers are worth remembering (default: all) */
  async read(key: string, ask: () => Promise<T>, isKept: (row: T) => boolean = () => true): Promise<T> {
    if (this.rows.has(key)) return this.rows.get(key) as T;
    const before = this.writes;
    const row = await ask();
    if (this.isOnlyWriter && this.writing === 0 && before === this.writes && isKept(row)) {
      if (this.rows.size >= MAX_ROWS) this.rows.clear();
      this.rows.set(key, row);
    }
    return row;
  }

  /** Forgets rows (default: all) before and after the change. */
  async write<R>(change: () => Promise<R>, keys?: readonly string[]): Promise<R> {
    this.forget(keys);
    this.writing += 1;
    try {
      return await change();
    } finally {
      this.writing -= 1;
      this.forget(keys);
    }
  }

  /**
   * Like `write`, and remembers what was written, where no other write went on beside it: of two nobody knows which came last.
   * @param isWritten whether the change came about (default: it did)
   */
  async put<R>(
    change: () => Promise<R>,
    rows: ReadonlyMap<string, T>,
    isWritten: (result: R) => boolean = () => true,
  ): Promise<R> {
    const before = this.writes;
    const result = await this.write(change, [...rows.keys()]);
    // Its own two changes of the number, and no other.
    if (!this.isOnlyWriter || this.writing > 0 || this.writes !== before + 2 || !isWritten(result)) return result;
    if (this.rows.size + rows.size > MAX_ROWS) this.rows.clear();
    for (const [key, row] of rows) this.rows.set(key, row);
    return result;
  }

  private forget(keys: readonly string[] | undefined): void {
    this.writes += 1;
    if (keys === undefined) this.rows.clear();
    else for (const key of keys) this.rows.delete(key);
  }
}
