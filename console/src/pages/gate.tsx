/** What the gate checked, each with its interval against the limit. */
import type { RunRecord } from "../../../src/server/contract.ts";
import { number, whole } from "../format.ts";
import { IntervalDrawing } from "../parts/drawings.tsx";
import { DataTable, Section } from "../parts/layout.tsx";
import { State } from "../parts/state.tsx";

type Check = NonNullable<RunRecord["gate"]>["checks"][number];

export function GateSection({ run }: { readonly run: RunRecord }) {
  const { gate } = run;
  if (gate === undefined) return null;
  return (
    <Section
      title="Gate"
      lead={
        <>
          <State of="outcome" value={gate.outcome} /> {gate.reason}
        </>
      }
    >
      {gate.checks.length === 0 ? (
        <p className="dimmed">The model names no gate, so nothing was checked.</p>
      ) : (
        <GateTable checks={gate.checks} />
      )}
    </Section>
  );
}

export function GateTable({ checks }: { readonly checks: readonly Check[] }) {
  return (
    <DataTable
      label="Checks of the gate"
      head={["Check", "Passed", "Value", "Limit", "Interval", "Rows"]}
      numeric={[2, 3, 5]}
    >
      {checks.map((check) => (
        <tr key={check.gate}>
          <td className="text-long">
            <span className="strong">{check.gate}</span>
            <div className="dimmed small">{check.reason}</div>
          </td>
          <td>
            <State of="outcome" value={check.outcome} />
          </td>
          <td className="right">{number(check.value)}</td>
          <td className="right">{number(check.threshold)}</td>
          <td>
            <CheckInterval check={check} />
          </td>
          <td className="right nowrap">
            {whole(check.rows)}
            {check.rowsNeeded === undefined ? null : (
              <div className="dimmed small">needs {whole(check.rowsNeeded)}</div>
            )}
          </td>
        </tr>
      ))}
    </DataTable>
  );
}

function CheckInterval({ check }: { readonly check: Check }) {
  const { value, interval, threshold } = check;
  if (value === undefined || interval === undefined) return <span className="dimmed">–</span>;
  const [low, high] = interval;
  return (
    <>
      <IntervalDrawing
        value={value}
        low={low}
        high={high}
        line={threshold ?? 0}
        lineLabel={threshold === undefined ? "zero" : "limit"}
      />
      <span className="dimmed small nowrap">
        {number(low)} to {number(high)}
      </span>
    </>
  );
}
