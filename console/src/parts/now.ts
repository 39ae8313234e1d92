import { useApi } from "../api/queries.ts";

/** The server's clock, which may be virtual; undefined until it has answered. */
export function useNow(): number | undefined {
  return useApi("GET /server", {}).data?.now;
}
