/** Tokens of the server. */
import { fail, type Role, ROLES } from "../../core/index.ts";
import type { TokenScope } from "../../server/contract.ts";
import { colors, formatInstant, note, printData, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";

export interface CreateOptions extends RemoteOptions {
  readonly role: string;
  readonly scope?: readonly string[];
  readonly days?: number;
}

export async function list(options: RemoteOptions): Promise<void> {
  const answer = await connect(options).tokens();
  printData(options, answer, () => {
    if (answer.items.length === 0) return "There is no token.";
    const rows = answer.items.map(({ id, name, role, scopes, createdAt, expiresAt, revokedAt }) => [
      id,
      name,
      role,
      scopes.join(" ") || "all",
      formatInstant(createdAt),
      revokedAt === null ? formatInstant(expiresAt) : "revoked",
    ]);
    return table(["id", "name", "role", "scopes", "made", "ends"], rows);
  });
}

export async function create(name: string, options: CreateOptions): Promise<void> {
  if (!(ROLES as readonly string[]).includes(options.role)) {
    throw fail("USAGE", { message: `"${options.role}" is no role.`, remedy: `Use ${ROLES.join(", ")}.` });
  }
  const answer = await connect(options).createToken({
    name,
    role: options.role as Role,
    ...(options.scope === undefined ? {} : { scopes: options.scope as readonly TokenScope[] }),
    ...(options.days === undefined ? {} : { expiresInDays: options.days }),
  });
  printData(options, answer, () => answer.secret);
  note(options, colors.bold("Keep it now: it is not shown again."));
}

export async function revoke(id: string, options: RemoteOptions): Promise<void> {
  const token = await connect(options).revokeToken(id);
  printData(options, token, () => `Token ${token.name} is revoked.`);
}
