/** Reading through the cache. A key starts with its route, so that events of the stream can name what they make old. */
import {
  type InfiniteData,
  keepPreviousData,
  QueryClient,
  useInfiniteQuery,
  type UseInfiniteQueryResult,
  useQuery,
  type UseQueryResult,
} from "@tanstack/react-query";
import type { Api, Page } from "../../../src/server/contract.ts";
import { ApiError, type Params, type Query, read, type ReadRoute } from "./client.ts";

export type QueryKey = readonly [route: ReadRoute, params: object, query: object];

export function keyOf<K extends ReadRoute>(route: K, params: Params<K>, query?: Query<K>): QueryKey {
  return [route, params, query ?? {}];
}

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // Refusals are final; a server that is restarting is not.
      retry: (count, error) => error instanceof ApiError && error.problem.status === 0 && count < 3,
      staleTime: 5_000,
      refetchOnWindowFocus: true,
    },
  },
});

interface ReadOptions<K extends ReadRoute> {
  readonly query?: Query<K>;
  readonly enabled?: boolean;
  readonly refetchMs?: number;
  /** Shows the last answer while another filter is being read. */
  readonly keepPrevious?: boolean;
}

export function useApi<K extends ReadRoute>(
  route: K,
  params: Params<K>,
  options: ReadOptions<K> = {},
): UseQueryResult<Api[K], ApiError> {
  const { query, enabled = true, refetchMs, keepPrevious = false } = options;
  return useQuery<Api[K], ApiError>({
    queryKey: keyOf(route, params, query),
    queryFn: ({ signal }) => read(route, params, query, signal),
    enabled,
    ...(refetchMs === undefined ? {} : { refetchInterval: refetchMs }),
    ...(keepPrevious ? { placeholderData: keepPreviousData } : {}),
  });
}

type PagedRoute = {
  [K in ReadRoute]: Api[K] extends Page<unknown> ? (Query<K> extends { readonly cursor?: unknown } ? K : never) : never;
}[ReadRoute];
type ItemOf<K extends PagedRoute> = Api[K] extends Page<infer Item> ? Item : never;

/** A list that grows by pages: `items` holds all that was read so far. */
export function useApiPages<K extends PagedRoute>(
  route: K,
  params: Params<K>,
  query: Query<K>,
): UseInfiniteQueryResult<InfiniteData<Api[K]>, ApiError> & { readonly items: readonly ItemOf<K>[] | undefined } {
  const result = useInfiniteQuery<Api[K], ApiError, InfiniteData<Api[K]>, QueryKey, string | undefined>({
    queryKey: keyOf(route, params, query),
    queryFn: ({ signal, pageParam }) => read(route, params, { ...query, cursor: pageParam } as Query<K>, signal),
    initialPageParam: undefined,
    getNextPageParam: (last) => (last as Page<unknown>).nextCursor ?? undefined,
    placeholderData: keepPreviousData,
  });
  const items = result.data?.pages.flatMap((page) => (page as Page<ItemOf<K>>).items);
  return Object.assign(result, { items });
}
