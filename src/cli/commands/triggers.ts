/** `retrain triggers explain`: why did it (not) retrain? */
import { DAY_MS, HOUR_MS } from "../../core/index.ts";
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
  const values = node.of.length > 0 && node.kind !== "debounce" ? "" : valuesOf(node);
  return [
    [`${"  ".repeat(depth)}${node.subject}`, node.outcome, node.reason, values],
    ...node.of.flatMap((one) => flatten(one, depth + 1)),
  ];
}

/** Triggers whose limit is a span of time. */
const TIMED: ReadonlySet<TriggerJudgement["kind"]> = new Set(["interval", "staleness", "debounce"]);
const UNITS = [
  ["d", DAY_MS],
  ["h", HOUR_MS],
  ["m", 60_000],
] as const;

/** To a tenth of its unit. */
function span(ms: number): string {
  const [unit, size] = UNITS.find(([, least]) => ms >= least) ?? ["s", 1_000];
  return `${Number((ms / size).toFixed(1))}${unit}`;
}

function valuesOf(node: TriggerJudgement): string {
  const texts = Object.entries(node.inputs).flatMap(([key, value]) => {
    if (value === null || typeof value === "object" || key === "limitFrom") return [];
    if (typeof value === "number" && /At$|^(at|until|due|next|since|trainedThrough)$/.test(key))
      return [`${key} ${formatInstant(value)}`];
    if (typeof value === "number" && key.endsWith("Ms")) return [`${key.slice(0, -2)} ${span(value)}`];
    return [`${key} ${typeof value === "number" ? Number(value.toPrecision(4)) : String(value)}`];
  });
  const { limitFrom } = node.inputs;
  const from = typeof limitFrom === "string" ? ` (from ${limitFrom})` : "";
  const limit = (value: number) => (TIMED.has(node.kind) ? span(value) : Number(value.toPrecision(4)));
  if (node.threshold !== undefined) texts.push(`limit ${limit(node.threshold)}${from}`);
  return texts.join(", ");
}
