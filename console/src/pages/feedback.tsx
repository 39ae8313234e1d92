/** What users say about single answers: sums by version, then one by one. */
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import type { FeedbackRecord } from "../../../src/server/contract.ts";
import { useApi, useApiPages } from "../api/queries.ts";
import { instant } from "../format.ts";
import { Await, Empty } from "../parts/feedback.tsx";
import { DataTable, Section } from "../parts/layout.tsx";
import { More } from "../parts/more.tsx";
import { Segments } from "../parts/segments.tsx";
import type { FeedbackSearch } from "../search.ts";

const SHOWN = [
  ["all", "All"],
  ["down", "Thumb down"],
  ["up", "Thumb up"],
  ["value", "Corrected"],
  ["comment", "With a comment"],
] as const;

function queryOf(show: FeedbackSearch["show"]) {
  if (show === "up" || show === "down") return { thumb: show };
  return show === undefined ? {} : { has: show };
}

export function FeedbackPage() {
  const { model } = useParams({ from: "/models/$model/feedback" });
  const { show } = useSearch({ from: "/models/$model/feedback" });
  const navigate = useNavigate({ from: "/models/$model/feedback" });
  return (
    <>
      <Summary model={model} />
      <Section title="One by one">
        <div className="filters">
          <Segments
            label="Which feedback"
            options={SHOWN}
            value={show ?? "all"}
            onChange={(one) => void navigate({ search: { show: one === "all" ? undefined : one }, replace: true })}
          />
        </div>
        <FeedbackList model={model} show={show} />
      </Section>
    </>
  );
}

function Summary({ model }: { readonly model: string }) {
  const summary = useApi("GET /models/:model/feedback/summary", { model });
  return (
    <Await of={summary} lines={3}>
      {({ versions, thumbs }) => (
        <Section title="By version" lead={thumbs}>
          {versions.length === 0 ? (
            <Empty
              sentence="Nobody has said anything yet. Applications send feedback with the id an answer carried."
              command={`retrain feedback give ${model} PREDICTION --down`}
            />
          ) : (
            <DataTable
              label="Feedback by version"
              head={["Version", "Up", "Down", "Share down", "Corrected", "Commented", "Labels", "Last (UTC)"]}
              numeric={[1, 2, 3, 4, 5, 6]}
            >
              {versions.map((one) => (
                <tr key={one.version}>
                  <td>
                    <Link to="/models/$model/versions/$version" params={{ model, version: one.version }}>
                      {one.version}
                    </Link>
                  </td>
                  <td className="right">{one.up}</td>
                  <td className="right">{one.down}</td>
                  <td className="right">
                    {one.up + one.down === 0 ? "–" : `${((100 * one.down) / (one.up + one.down)).toFixed(1)} %`}
                  </td>
                  <td className="right">{one.corrected}</td>
                  <td className="right">{one.commented}</td>
                  <td className="right">{one.labels}</td>
                  <td className="nowrap">{instant(one.lastAt)}</td>
                </tr>
              ))}
            </DataTable>
          )}
        </Section>
      )}
    </Await>
  );
}

function FeedbackList({ model, show }: { readonly model: string; readonly show: FeedbackSearch["show"] }) {
  const found = useApiPages("GET /models/:model/feedback", { model }, queryOf(show));
  return (
    <Await of={{ data: found.items, error: found.error, refetch: found.refetch }} lines={4}>
      {(records) =>
        records.length === 0 ? (
          <Empty sentence="No such feedback." command={`retrain feedback list ${model}`} />
        ) : (
          <>
            <DataTable
              label="Feedback, newest first"
              head={["Received (UTC)", "Example", "Version", "Answered", "Thumb", "Corrected to", "Label", "Comment"]}
            >
              {records.map((record) => (
                <FeedbackRow key={record.id} record={record} />
              ))}
            </DataTable>
            <More of={found} shown={records.length} />
          </>
        )
      }
    </Await>
  );
}

const shown = (value: FeedbackRecord["value"]) =>
  value === undefined ? "–" : value === null ? "taken back" : String(value);

function FeedbackRow({ record }: { readonly record: FeedbackRecord }) {
  return (
    <tr>
      <td className="nowrap">
        {instant(record.at)}
        {record.user === undefined ? null : <div className="dimmed small">{record.user}</div>}
      </td>
      <td className="mono">
        {record.exampleId}
        <div className="dimmed small">{record.predictionId}</div>
      </td>
      <td>{record.version}</td>
      <td>{String(record.decision)}</td>
      <td>{record.thumb ?? "–"}</td>
      <td>{shown(record.value)}</td>
      <td>{shown(record.label)}</td>
      <td className="text">{record.comment ?? ""}</td>
    </tr>
  );
}
