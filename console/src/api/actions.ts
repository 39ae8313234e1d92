/** Changing things: every action reads again what it may have changed, at once, without waiting for the stream. */
import { useMutation, type UseMutationResult, useQueryClient } from "@tanstack/react-query";
import type { Api } from "../../../src/server/contract.ts";
import { type ApiError, type Body, type Params, type Query, write, type WriteRoute } from "./client.ts";

export function useAction<K extends WriteRoute>(
  route: K,
  params: Params<K>,
  query?: Query<K>,
): UseMutationResult<Api[K], ApiError, Body<K>> {
  const client = useQueryClient();
  return useMutation<Api[K], ApiError, Body<K>>({
    mutationFn: (body) => write(route, params, body, query),
    onSuccess: () => {
      // A prediction changes counters only, which the stream announces.
      if (!route.endsWith("/predict")) void client.invalidateQueries();
    },
  });
}
