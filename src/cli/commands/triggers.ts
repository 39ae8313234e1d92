/** `retrain triggers explain`: why did it (not) retrain? */
import type { TriggerJudgement } from "../../server/contract.ts";
import { formatInstant, printData, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";

export async function explain(model: string, options: RemoteOptions): Promise<void> {
  const found = await connect(options).triggers(model);
  printData(options, found, () => {
    const rows = [...(found.first === null ? [] : flatten(found.first, 0)), ...flatten(found.triggers, 0)];
    const guards = found.guards.map((one) => [one.guard, one.refuses ? "refuses" : "passes", one.reason]);
    const last =
      found.lastRun === null
        ? "There was no run yet."
        : `Last run ${found.lastRun.id} (${found.lastRun.state}), ${formatInstant(found.lastRun.queuedAt)}: ${found.lastRun.reason}`;
    const next = found.nextAt === null ? [] : [`Next change by time alone: ${formatInstant(found.nextAt)}.`];
    return [
      found.answer,
      "",
      table(["trigger", "says", "reason", "values"], rows),
      "",
      table(["guard", "says", "reason"], guards),
      "",
      last,
      ...next,
    ].join("\n");
  });
}

function flatten(node: TriggerJudgement, depth: number): (readonly (string | number)[])[] {
  const values = node.of.length > 0 ? "" : valuesOf(node);
  return [
    [`${"  ".repeat(depth)}${node.subject}`, node.outcome, node.reason, values],
    ...node.of.flatMap((one) => flatten(one, depth + 1)),
  ];
}

function valuesOf(node: TriggerJudgement): string {
  const texts = Object.entries(node.inputs).flatMap(([key, value]) => {
    if (value === null || typeof value === "object" || key === "limitFrom") return [];
    if (typeof value === "number" && /At$|^(at|until|due|next|since|trainedThrough)$/.test(key))
      return [`${key} ${formatInstant(value)}`];
    return [`${key} ${typeof value === "number" ? Number(value.toPrecision(4)) : String(value)}`];
  });
  const { limitFrom } = node.inputs;
  const from = typeof limitFrom === "string" ? ` (from ${limitFrom})` : "";
  if (node.threshold !== undefined) texts.push(`limit ${Number(node.threshold.toPrecision(4))}${from}`);
  return texts.join(", ");
}
