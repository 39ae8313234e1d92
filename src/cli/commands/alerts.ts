/** `retrain alerts`: what somebody should know of. */
import { formatInstant, printData, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";

export interface AlertOptions extends RemoteOptions {
  readonly model?: string;
  readonly all?: boolean;
}

export async function list(options: AlertOptions): Promise<void> {
  const { model, all } = options;
  const page = await connect(options).alerts({
    limit: 100,
    ...(model === undefined ? {} : { model }),
    ...(all === true ? {} : { state: "open" as const }),
  });
  printData(options, page, () => {
    if (page.items.length === 0) return "No alert is open.";
    const rows = page.items.map((one) => [
      one.id,
      formatInstant(one.lastAt),
      one.count,
      one.severity,
      one.state,
      one.model ?? "–",
      `${one.title}: ${one.message}`,
    ]);
    return table(["id", "last", "times", "severity", "state", "model", "what"], rows);
  });
}

export async function resolve(id: string, options: RemoteOptions & { readonly reason?: string }): Promise<void> {
  const alert = await connect(options).resolveAlert(id, options.reason);
  printData(options, alert, () => `Resolved: ${alert.title}`);
}
