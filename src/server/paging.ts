/** Cursor paging: the cursor is the id of the last record shown, opaque to the caller. One more than asked is read, to know of a next page. */
import { fail } from "../core/index.ts";
import type { Page } from "./contract.ts";

export const DEFAULT_LIMIT = 50;
export const MAX_LIMIT = 500;

export interface PageRequest {
  readonly limit: number;
  readonly before?: string;
}

/** Query text as a page request. `limit` is checked by the route's schema to be digits. @throws BODY_INVALID */
export function pageRequest(query: { readonly limit?: string; readonly cursor?: string }): PageRequest {
  const limit = query.limit === undefined ? DEFAULT_LIMIT : Number(query.limit);
  if (limit < 1 || limit > MAX_LIMIT) {
    throw fail("BODY_INVALID", {
      message: `limit is ${limit}; it must be 1 to ${MAX_LIMIT}.`,
      remedy: "Page with `cursor`.",
    });
  }
  return query.cursor === undefined ? { limit } : { limit, before: query.cursor };
}

/** @param read gets a limit one larger than the page */
export async function page<T extends { readonly id: string }>(
  request: PageRequest,
  read: (range: { limit: number; before?: string }) => Promise<readonly T[]>,
): Promise<Page<T>> {
  const found = await read({ ...request, limit: request.limit + 1 });
  const items = found.slice(0, request.limit);
  const last = items.at(-1);
  return { items, nextCursor: found.length > request.limit && last !== undefined ? last.id : null };
}
