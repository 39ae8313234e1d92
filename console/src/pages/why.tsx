/** Why did it (not) retrain? The latest word of every trigger and guard of a model. */
import { Link } from "@tanstack/react-router";
import type { DecisionRecord } from "../../../src/server/contract.ts";
import { useApi } from "../api/queries.ts";
import { instant, plural } from "../format.ts";
import { Await, Empty } from "../parts/feedback.tsx";
import { DataTable, Section } from "../parts/layout.tsx";
import { State } from "../parts/state.tsx";

/** Newest first; one per subject is enough to explain the present. */
function latestBySubject(decisions: readonly DecisionRecord[]): readonly DecisionRecord[] {
  const found = new Map<string, DecisionRecord>();
  for (const decision of decisions) {
    const known = found.get(decision.subject);
    if (known === undefined || decision.lastAt > known.lastAt) found.set(decision.subject, decision);
  }
  return [...found.values()];
}

export function WhySection({ model }: { readonly model: string }) {
  const triggers = useApi("GET /decisions", {}, { query: { model, kind: "trigger", limit: 50 } });
  const guards = useApi("GET /decisions", {}, { query: { model, kind: "guard", limit: 50 } });
  const runs = useApi("GET /models/:model/runs", { model }, { query: { limit: 1 } });
  const lastRun = runs.data?.items[0];
  return (
    <Section
      title="Why did it (not) retrain?"
      lead={
        lastRun === undefined ? (
          "It has never been retrained."
        ) : (
          <>
            It last retrained on {instant(lastRun.queuedAt)} UTC, for this reason: {lastRun.cause.reason}{" "}
            <Link className="link" to="/runs/$id" params={{ id: lastRun.id }}>
              Open the run
            </Link>
          </>
        )
      }
    >
      <Await of={triggers}>
        {({ items }) => {
          const newest = Math.max(...items.map(({ lastAt }) => lastAt));
          // A look judges every trigger at once, and guards when one fires: older words are not about the present.
          const latest = latestBySubject([...items, ...(guards.data?.items ?? [])]).filter(
            ({ lastAt }) => lastAt >= newest,
          );
          if (latest.length === 0) {
            return (
              <Empty
                sentence="No trigger has been looked at yet: the first look follows the first rows."
                command={`retrain status ${model}`}
              />
            );
          }
          return <WhyTable decisions={latest} />;
        }}
      </Await>
    </Section>
  );
}

function WhyTable({ decisions }: { readonly decisions: readonly DecisionRecord[] }) {
  return (
    <DataTable
      label="Latest word of every trigger and guard"
      head={["Trigger or guard", "Says", "Reason", "Rule", "Looked at (UTC)"]}
    >
      {decisions.map((decision) => (
        <tr key={decision.id}>
          <td className="strong">
            {decision.subject}
            <div className="dimmed small">{decision.kind}</div>
          </td>
          <td>
            <State of="outcome" value={decision.outcome} />
          </td>
          <td className="text">{decision.reason}</td>
          <td className="text">{decision.rule}</td>
          <td className="nowrap">
            {instant(decision.lastAt)}
            {decision.count > 1 ? <div className="dimmed small">{plural(decision.count, "time")} the same</div> : null}
          </td>
        </tr>
      ))}
    </DataTable>
  );
}
