/** The latest cycle, one line a step, and how model, data and performance changed over it. */
import { Link } from "@tanstack/react-router";
import type { StatusTable } from "../../../src/server/contract.ts";
import { DataTable, Section } from "../parts/layout.tsx";
import { State } from "../parts/state.tsx";

export function StatusSection({ table }: { readonly table: StatusTable }) {
  const { run } = table;
  return (
    <>
      {table.tracker.length === 0 ? null : (
        <Section title="What the latest cycle changed">
          <ul className="tracker">
            {table.tracker.map(({ what, before, after }) => (
              <li key={what} className="card">
                <div className="dimmed small">{what}</div>
                <div className="tracker-values">
                  <span>
                    <span className="sr-only">before: </span>
                    {before}
                  </span>
                  <span aria-hidden="true">→</span>
                  <span className="strong">
                    <span className="sr-only">after: </span>
                    {after}
                  </span>
                </div>
              </li>
            ))}
          </ul>
        </Section>
      )}
      <Section
        title="Latest cycle"
        lead={
          <>
            {table.sentence}{" "}
            {run === null ? null : (
              <>
                <Link className="link" to="/runs/$id" params={{ id: run.id }}>
                  Open the run
                </Link>
              </>
            )}
          </>
        }
      >
        <DataTable label="Steps of the latest cycle" head={["Step", "State", "Action", "Input", "Output", "Next"]}>
          {table.rows.map((row) => (
            <tr key={row.step}>
              <td className="strong">{row.step}</td>
              <td>
                <State of="step" value={row.state} />
              </td>
              <td className="text-short">{row.action}</td>
              <td className="text">{row.input || "–"}</td>
              <td className="text">{row.output || "–"}</td>
              <td className="text-short">{row.next}</td>
            </tr>
          ))}
        </DataTable>
      </Section>
    </>
  );
}
