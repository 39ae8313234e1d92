/** What happened to the model, as text under the chart: the same marks, for reading and for keyboards. */
import { Link } from "@tanstack/react-router";
import type { PerformanceSeries } from "../../../src/server/contract.ts";
import { instant, plural } from "../format.ts";
import { DataTable } from "../parts/layout.tsx";

type Marker = PerformanceSeries["markers"][number];

export const MARKER_WORDS: Readonly<Record<Marker["kind"], string>> = {
  retrain: "Retrained",
  promotion: "Promoted",
  rollback: "Rolled back",
  rejected: "Rejected",
  held: "Held",
  alert: "Alert",
};

export function MarkerList({ markers }: { readonly markers: readonly Marker[] }) {
  if (markers.length === 0) return null;
  return (
    <details className="marker-list">
      <summary>{plural(markers.length, "mark")} on this chart</summary>
      <DataTable label="Marks on the chart" head={["When (UTC)", "What", "Why", "Run"]}>
        {markers.toReversed().map((marker, index) => (
          <tr key={index}>
            <td className="nowrap">{instant(marker.at)}</td>
            <td className="nowrap">
              {MARKER_WORDS[marker.kind]} {marker.version ?? ""}
            </td>
            <td className="text">{marker.label}</td>
            <td>
              {marker.runId === undefined ? (
                "–"
              ) : (
                <Link to="/runs/$id" params={{ id: marker.runId }}>
                  Open
                </Link>
              )}
            </td>
          </tr>
        ))}
      </DataTable>
    </details>
  );
}
