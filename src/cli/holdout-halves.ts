/** The held-out rows in time, as text: who wins on the past and loses on the present? */
import type { EvaluationReport } from "../server/contract.ts";
import { formatInstant, formatNumber, table } from "./output.ts";

/** Undefined where rows have no time. */
export function holdoutHalvesText(
  { holdoutParts = [] }: Pick<EvaluationReport, "holdoutParts">,
  names: { readonly candidate: string; readonly champion: string | undefined },
): string | undefined {
  const metrics = Object.keys(holdoutParts[0]?.candidate ?? {});
  if (metrics.length === 0) return undefined;
  const { candidate, champion } = names;
  const hasChampion = champion !== undefined && holdoutParts.some((half) => half.champion !== undefined);
  const rows = metrics.flatMap((metric) =>
    holdoutParts.map((half) => {
      const value = half.candidate[metric];
      const other = half.champion?.[metric];
      const difference = typeof value === "number" && typeof other === "number" ? value - other : null;
      const own = [metric, half.part, half.rows] as const;
      return hasChampion
        ? [...own, formatNumber(other), formatNumber(value), formatNumber(difference)]
        : [...own, formatNumber(value)];
    }),
  );
  const [older, recent] = holdoutParts;
  const header = ["metric", "half", "rows", ...(hasChampion ? [champion, candidate, "difference"] : [candidate])];
  const since = `The older half ends ${formatInstant(older?.to)}, the recent one ${formatInstant(recent?.to)}:`;
  return `${since}\n${table(header, rows)}`;
}
