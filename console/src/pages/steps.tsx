/**
 * What took so long: the steps one below the other as bars on one time axis. Lengths come from the system clock's durations, laid
 * end to end, because on a virtual clock a run lasts no world time at all.
 */
import type { RunRecord, RunStepName, RunStepRecord } from "../../../src/server/contract.ts";
import { duration } from "../format.ts";
import { DataTable, Section } from "../parts/layout.tsx";
import { State } from "../parts/state.tsx";

const STEPS: readonly RunStepName[] = [
  "snapshot",
  "assess",
  "prepare",
  "train",
  "evaluate",
  "gate",
  "register",
  "rollout",
];
/** A step of a millisecond must still be seen. */
const MIN_WIDTH_PERCENT = 0.6;

export function StepsSection({ run }: { readonly run: RunRecord }) {
  const known = new Map(run.steps.map((step) => [step.step, step]));
  const total = run.steps.reduce((sum, { durationMs }) => sum + (durationMs ?? 0), 0) || 1;
  const longest = run.steps.reduce<RunStepRecord | undefined>(
    (found, step) => ((step.durationMs ?? 0) > (found?.durationMs ?? 0) ? step : found),
    undefined,
  );
  let offset = 0;
  const rows = STEPS.map((name) => {
    const step = known.get(name);
    const from = offset;
    offset += step?.durationMs ?? 0;
    return { name, step, from };
  });
  const lead =
    longest === undefined
      ? "No step has ended yet."
      : `${duration(total)} in steps; ${longest.step} took longest, ${duration(longest.durationMs)}.`;
  return (
    <Section title="Steps" lead={lead}>
      <DataTable label="Steps of the run" head={["Step", "State", "Timeline", "Took", "Attempts", "Input", "Output"]}>
        {rows.map(({ name, step, from }) => (
          <tr key={name}>
            <td className="strong">{name}</td>
            <td>
              <State of="step" value={step?.state ?? "waiting"} />
            </td>
            <td className="timeline-cell">
              <Bar step={step} from={from} total={total} />
            </td>
            <td className="nowrap">{duration(step?.durationMs)}</td>
            <td>{step?.attempt ?? "–"}</td>
            <td className="text">
              <Clamped text={step?.input} />
            </td>
            <td className="text">
              <Clamped text={step?.output} />
            </td>
          </tr>
        ))}
      </DataTable>
    </Section>
  );
}

function Clamped({ text = "–" }: { readonly text: string | undefined }) {
  return (
    <div className="clamp" title={text}>
      {text}
    </div>
  );
}

function Bar(props: { readonly step: RunStepRecord | undefined; readonly from: number; readonly total: number }) {
  const { step, from, total } = props;
  const left = (from / total) * 100;
  const width = Math.max(((step?.durationMs ?? 0) / total) * 100, MIN_WIDTH_PERCENT);
  return (
    <div className="timeline" aria-hidden="true">
      {step === undefined || step.state === "waiting" || step.state === "skipped" ? null : (
        <div
          className="timeline-bar"
          data-state={step.state}
          style={{ left: `${Math.min(left, 100 - MIN_WIDTH_PERCENT)}%`, width: `${width}%` }}
        />
      )}
    </div>
  );
}
