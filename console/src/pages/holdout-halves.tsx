/** The held-out rows in time: who wins on the past and loses on the present? */
import type { EvaluationReport } from "../../../src/server/contract.ts";
import { day, number, signed, whole } from "../format.ts";
import { isBetter, metricLabel, metricWithDirection } from "../metrics.ts";
import { DataTable, Section } from "../parts/layout.tsx";

type Report = Pick<EvaluationReport, "holdoutParts" | "differences">;

/** Nothing where rows have no time. */
export function HoldoutHalves(props: {
  readonly report: Report;
  readonly candidate: string;
  readonly champion: string | undefined;
}) {
  const { report, candidate, champion } = props;
  const halves = report.holdoutParts ?? [];
  const metrics = Object.keys(halves[0]?.candidate ?? {});
  if (halves.length === 0 || metrics.length === 0) return null;
  return (
    <Section title="Older and recent half" lead={turnWords(report, candidate)}>
      <DataTable
        label="Metrics on the older and the recent half of the held-out rows"
        head={["Metric", "Half", "Rows", candidate, ...(champion === undefined ? [] : [champion, "Difference"])]}
        numeric={[2, 3, 4, 5]}
      >
        {metrics.flatMap((metric) =>
          halves.map((half) => {
            const value = half.candidate[metric];
            const other = half.champion?.[metric];
            const better = isBetter(metric, value, other);
            return (
              <tr key={`${metric} ${half.part}`}>
                <td className="nowrap">{metricWithDirection(metric)}</td>
                <td className="nowrap">
                  {half.part}
                  <div className="dimmed small">
                    {day(half.from)} to {day(half.to)}
                  </div>
                </td>
                <td className="right">{whole(half.rows)}</td>
                <td className="right">{number(value)}</td>
                {champion === undefined ? null : (
                  <>
                    <td className="right">{number(other)}</td>
                    <td className="right nowrap">
                      {typeof value === "number" && typeof other === "number" ? signed(value - other) : "–"}
                      {better === undefined ? null : (
                        <span className="dimmed small"> {better ? "better" : "worse"}</span>
                      )}
                    </td>
                  </>
                )}
              </tr>
            );
          }),
        )}
      </DataTable>
    </Section>
  );
}

/** Metrics that change their winner between the halves: the reason to look at them at all. */
function turnWords({ holdoutParts = [] }: Report, candidate: string): string {
  const [older, recent] = holdoutParts;
  const turned = Object.keys(older?.candidate ?? {}).filter((metric) => {
    const before = isBetter(metric, older?.candidate[metric], older?.champion?.[metric]);
    return before === true && isBetter(metric, recent?.candidate[metric], recent?.champion?.[metric]) === false;
  });
  const names = turned.map((metric) => metricLabel(metric).toLowerCase()).join(", ");
  return turned.length === 0
    ? "The same held-out rows, halved in time. Single values without intervals: half the rows tell half as much."
    : `By ${names}, ${candidate} wins on the older half and loses on the recent one: it may know the past better than the present.`;
}
