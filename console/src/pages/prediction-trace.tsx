/** The way of one row: input, filled, scaled, score, threshold, decision. With numbers, so it can be checked by hand. */
import type { PredictOneAnswer, PredictionTrace } from "../../../src/server/contract.ts";
import { number, signed } from "../format.ts";
import { ContributionBar } from "../parts/drawings.tsx";
import { DataTable, Section } from "../parts/layout.tsx";

const text = (value: number | string | boolean | null) =>
  value === null ? "missing" : typeof value === "number" ? number(value) : String(value);

export function PredictionTraceView({ answer }: { readonly answer: PredictOneAnswer }) {
  const { trace } = answer;
  return (
    <Section title="What the model says" lead={`${answer.version} of ${answer.model}`}>
      <Way answer={answer} />
      {trace === undefined ? (
        <p className="dimmed">This version cannot say how its score came about.</p>
      ) : (
        <PreparedTable trace={trace} />
      )}
    </Section>
  );
}

function Way({ answer }: { readonly answer: PredictOneAnswer }) {
  const { trace, score, probabilities } = answer;
  const stations: { name: string; value: string; note?: string }[] = [];
  if (trace?.intercept !== undefined) {
    stations.push({ name: "Base value", value: number(trace.intercept), note: "what no column adds" });
  }
  if (trace?.raw !== undefined && trace.link !== undefined && trace.link !== "identity") {
    stations.push({
      name: "Base value and contributions",
      value: trace.raw.map((raw) => number(raw)).join(", "),
      note: trace.link,
    });
  }
  if (score !== undefined) stations.push({ name: "Score", value: number(score) });
  else if (probabilities !== undefined) {
    const [best] = Object.entries(probabilities).sort((a, b) => b[1] - a[1]);
    if (best !== undefined) stations.push({ name: "Highest probability", value: number(best[1]), note: best[0] });
  }
  if (trace?.threshold !== undefined) {
    const { threshold } = trace;
    const comparison = score === undefined ? "" : score >= threshold ? "score reaches it" : "score is below";
    stations.push({ name: "Threshold", value: number(threshold), note: comparison });
  }
  stations.push({ name: "Decision", value: answer.decision === null ? "held for review" : text(answer.decision) });
  return (
    <ol className="way">
      {stations.map(({ name, value, note }, index) => (
        <li key={name} className="card" data-last={index === stations.length - 1}>
          <div className="dimmed small">{name}</div>
          <div className="figure">{value}</div>
          {note === undefined ? null : <div className="dimmed small">{note}</div>}
        </li>
      ))}
    </ol>
  );
}

function PreparedTable({ trace }: { readonly trace: PredictionTrace }) {
  const reach = Math.max(...trace.prepared.map(({ contribution }) => Math.abs(contribution ?? 0)));
  const hasContributions = reach > 0;
  return (
    <DataTable
      label="Features on their way to the score"
      head={["Column", "Input", "Filled", "Scaled", ...(hasContributions ? ["Contribution to the sum", ""] : [])]}
      numeric={[1, 2, 3]}
    >
      {trace.prepared.map((step) => (
        <tr key={step.column}>
          <td>
            {step.column}
            {step.from === step.column ? null : <div className="dimmed small">from {step.from}</div>}
          </td>
          <td className="right">{text(step.raw)}</td>
          <td className="right">
            {text(step.filled)}
            {step.raw === null && step.column === step.from ? <div className="dimmed small">filled in</div> : null}
          </td>
          <td className="right">{number(step.scaled)}</td>
          {hasContributions ? (
            <>
              <td>
                <ContributionBar value={step.contribution ?? 0} reach={reach} />
              </td>
              <td className="right nowrap">{step.contribution === undefined ? "–" : signed(step.contribution)}</td>
            </>
          ) : null}
        </tr>
      ))}
    </DataTable>
  );
}
