/** `retrain audit`: who did what, when and why. */
import { parseDuration } from "../../core/index.ts";
import { formatInstant, printData, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";

export interface AuditOptions extends RemoteOptions {
  readonly actor?: string;
  readonly action?: string;
  readonly model?: string;
  readonly since?: string;
  readonly limit: number;
}

export async function audit(options: AuditOptions): Promise<void> {
  const { actor, action, model, since, limit } = options;
  const client = connect(options);
  const from = since === undefined ? undefined : (await client.server()).now - parseDuration(since, "--since");
  const found = await client.audit({
    limit,
    ...(actor === undefined ? {} : { actor }),
    ...(action === undefined ? {} : { action }),
    ...(model === undefined ? {} : { model }),
    ...(from === undefined ? {} : { from }),
  });
  printData(options, found, () => {
    if (found.items.length === 0) return "Nobody did anything that fits.";
    const rows = found.items.map(({ at, actor: who, action: what, subject, details }) => {
      const { reason, ...others } = details;
      return [formatInstant(at), who, what, subject, typeof reason === "string" ? reason : "–", brief(others)];
    });
    return table(["at", "who", "what", "about", "reason", "details"], rows);
  });
}

function brief(details: Readonly<Record<string, unknown>>): string {
  return Object.entries(details)
    .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" ");
}
