/** Where is it wrong? The same metrics on parts of the holdout, worst against the champion first. */
import { NativeSelect } from "@mantine/core";
import { useState } from "react";
import type { EvaluationReport } from "../../../src/server/contract.ts";
import { number, signed, whole } from "../format.ts";
import { higherIsBetter, metricLabel, metricWithDirection } from "../metrics.ts";
import { DataTable, Section } from "../parts/layout.tsx";

export function SlicesSection({
  report,
  candidate,
}: {
  readonly report: EvaluationReport;
  readonly candidate: string;
}) {
  const names = Object.keys(report.slices[0]?.candidate ?? {});
  const [chosen, setChosen] = useState<string>();
  const metric = chosen ?? names[0];
  if (metric === undefined) return null;
  const rows = report.slices
    .map((slice) => {
      const value = slice.candidate[metric] ?? null;
      const champion = slice.champion?.[metric] ?? null;
      const gain = value === null || champion === null ? null : (value - champion) * (higherIsBetter(metric) ? 1 : -1);
      return { ...slice, value, other: champion, gain };
    })
    .sort((a, b) => (a.gain ?? 0) - (b.gain ?? 0));
  return (
    <Section
      title="Slices"
      lead="Parts of the holdout; the part where the candidate loses most against the champion stands first."
      actions={
        <NativeSelect
          aria-label="Metric of the slices"
          size="sm"
          value={metric}
          data={names.map((name) => ({ value: name, label: metricLabel(name) }))}
          onChange={(event) => setChosen(event.currentTarget.value)}
        />
      }
    >
      <DataTable
        label="Slices of the holdout"
        head={["Slice", "Rows", `${candidate}: ${metricWithDirection(metric)}`, "Champion", "Difference"]}
        numeric={[1, 2, 3, 4]}
      >
        {rows.map(({ slice, rows: count, value, other, gain }) => (
          <tr key={slice}>
            <td>{slice}</td>
            <td className="right">{whole(count)}</td>
            <td className="right">{number(value)}</td>
            <td className="right">{number(other)}</td>
            <td className="right nowrap">
              {value === null || other === null ? "–" : signed(value - other)}
              {gain === null || gain === 0 ? null : (
                <span className="dimmed small"> {gain > 0 ? "better" : "worse"}</span>
              )}
            </td>
          </tr>
        ))}
      </DataTable>
    </Section>
  );
}
