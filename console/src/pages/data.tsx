/** What arrived: deliveries, and the rows that were refused with their reasons. */
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import type { BatchRecord } from "../../../src/server/contract.ts";
import { useApiPages } from "../api/queries.ts";
import { instant, whole } from "../format.ts";
import { Await, Empty } from "../parts/feedback.tsx";
import { DataTable, Section } from "../parts/layout.tsx";
import { More } from "../parts/more.tsx";
import { Segments } from "../parts/segments.tsx";
import { QUARANTINE_STATES } from "../search.ts";
import { QuarantineList } from "./quarantine.tsx";

const ROUTE = "/models/$model/data";

export function DataPage() {
  const { model } = useParams({ from: ROUTE });
  const { state = "waiting" } = useSearch({ from: ROUTE });
  const navigate = useNavigate({ from: ROUTE });
  return (
    <>
      <Section
        title="Quarantine"
        lead="Rows that break the schema wait here, untouched, until they are replayed after a fix or dropped."
        actions={
          <Segments
            label="Which rows"
            options={[...QUARANTINE_STATES, "all" as const].map((one) => [one, one] as const)}
            value={state}
            onChange={(one) => void navigate({ search: { state: one === "waiting" ? undefined : one }, replace: true })}
          />
        }
      >
        <QuarantineList model={model} state={state} />
      </Section>
      <Section title="Batches" lead="Deliveries of rows, newest first.">
        <Batches model={model} />
      </Section>
    </>
  );
}

function Batches({ model }: { readonly model: string }) {
  const found = useApiPages("GET /models/:model/batches", { model }, {});
  return (
    <Await of={{ data: found.items, error: found.error, refetch: found.refetch }} lines={5}>
      {(batches) =>
        batches.length === 0 ? (
          <Empty sentence="No rows have arrived yet." command={`retrain ingest ${model} rows.csv`} />
        ) : (
          <>
            <DataTable
              label="Batches"
              head={["Received (UTC)", "From", "Rows", "Accepted", "Quarantined", "Duplicates", "Anomalies"]}
              numeric={[2, 3, 4, 5]}
            >
              {batches.map((batch) => (
                <BatchRow key={batch.id} batch={batch} />
              ))}
            </DataTable>
            <More of={found} shown={batches.length} />
          </>
        )
      }
    </Await>
  );
}

function BatchRow({ batch }: { readonly batch: BatchRecord }) {
  return (
    <tr>
      <td className="nowrap">{instant(batch.receivedAt)}</td>
      <td>{batch.origin}</td>
      <td className="right">{whole(batch.rowCount)}</td>
      <td className="right">{whole(batch.acceptedCount)}</td>
      <td className={batch.quarantinedCount > 0 ? "right strong" : "right"}>{whole(batch.quarantinedCount)}</td>
      <td className="right">{whole(batch.duplicateCount)}</td>
      <td className="text">
        {batch.anomalies.length === 0
          ? "none"
          : batch.anomalies.map((anomaly, index) => (
              <div key={index}>
                <span className="mono">{anomaly.code}</span>
                {anomaly.blocking ? " (stops training)" : ""}: {anomaly.message}
              </div>
            ))}
      </td>
    </tr>
  );
}
