/** What the person who looks may do: the server decides, this only saves asking in vain. */
import type { Role } from "../../../src/server/contract.ts";
import { useApi } from "./queries.ts";

const ORDER: readonly Role[] = ["viewer", "labeler", "operator", "admin"];

/** @returns undefined while it may; else why not, for the title of what is switched off */
export function useRefusal(needed: Role): string | undefined {
  const server = useApi("GET /server", {});
  const role = server.data?.actor.role;
  if (role === undefined || ORDER.indexOf(role) >= ORDER.indexOf(needed)) return undefined;
  return `This takes the role ${needed}; your token has ${role}.`;
}
