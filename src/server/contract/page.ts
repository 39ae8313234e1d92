/** Paging of lists. */

/** A page of a list. `nextCursor` is null on the last page. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}
export interface PageQuery {
  /** 1..500, default 50. */
  readonly limit?: number;
  readonly cursor?: string;
}
