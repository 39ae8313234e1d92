/** What the run's assessment said of the new data, one line a question. */
import type { RunRecord } from "../../../src/server/contract.ts";
import { useApi } from "../api/queries.ts";
import { Await } from "../parts/feedback.tsx";
import { DataTable, Section } from "../parts/layout.tsx";
import { State } from "../parts/state.tsx";

export function AssessmentSection({ run }: { readonly run: RunRecord }) {
  const isAssessed = run.steps.some(
    ({ step, state }) => step === "assess" && state !== "waiting" && state !== "running",
  );
  const found = useApi(
    "GET /decisions",
    {},
    { query: { model: run.model, runId: run.id, kind: "assessment", limit: 50 }, enabled: isAssessed },
  );
  if (!isAssessed) return null;
  return (
    <Section title="Assessment of the data" lead="Broken data stop a run; the rest is for you to know.">
      <Await of={found} lines={4}>
        {({ items }) => (
          <DataTable label="What the assessment found" head={["Question", "Fine", "Finding", "Rule"]}>
            {[...items].reverse().map((one) => (
              <tr key={one.id}>
                <td className="strong nowrap">{one.subject}</td>
                <td>
                  <State of="outcome" value={one.outcome} />
                </td>
                <td className="text">{one.reason}</td>
                <td className="text">{one.rule}</td>
              </tr>
            ))}
          </DataTable>
        )}
      </Await>
    </Section>
  );
}
