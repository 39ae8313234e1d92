/** `retrain decisions`: what was judged, and why. */
import type { DecisionRecord } from "../../server/contract.ts";
import { formatInstant, printData, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";

export interface DecisionOptions extends RemoteOptions {
  readonly model?: string;
  readonly kind?: string;
  readonly run?: string;
  readonly limit: number;
}

export async function decisions(options: DecisionOptions): Promise<void> {
  const { model, kind, run, limit } = options;
  const page = await connect(options).decisions({
    limit,
    ...(model === undefined ? {} : { model }),
    ...(kind === undefined ? {} : { kind: kind as DecisionRecord["kind"] }),
    ...(run === undefined ? {} : { runId: run }),
  });
  printData(options, page, () => {
    if (page.items.length === 0) return "Nothing has been judged yet.";
    const rows = page.items.map((one) => [
      formatInstant(one.lastAt),
      one.count,
      one.model,
      one.kind,
      one.subject,
      one.outcome,
      one.reason,
    ]);
    return table(["last", "times", "model", "kind", "subject", "outcome", "reason"], rows);
  });
}
