/** A table of runs, whichever list they come from. */
import { Link } from "@tanstack/react-router";
import type { ComponentProps } from "react";
import type { RunRecord } from "../../../src/server/contract.ts";
import { useLive } from "../api/live.tsx";
import { duration, share, shortId, words } from "../format.ts";
import { Await, Empty } from "../parts/feedback.tsx";
import { DataTable } from "../parts/layout.tsx";
import { State } from "../parts/state.tsx";
import { Time } from "../parts/time.tsx";

export function RunTable(props: {
  readonly of: ComponentProps<typeof Await<readonly RunRecord[]>>["of"];
  readonly withModel?: boolean;
  readonly isFiltered: boolean;
  readonly command: string;
}) {
  const { of, withModel = false, isFiltered, command } = props;
  return (
    <Await of={of} lines={6}>
      {(runs) =>
        runs.length === 0 ? (
          <Empty
            sentence={
              isFiltered ? "No run is in this state." : "No run yet: one starts when a trigger fires, or by hand."
            }
            {...(isFiltered ? {} : { command })}
          />
        ) : (
          <DataTable
            label="Runs"
            head={[
              "Run",
              ...(withModel ? ["Model"] : []),
              "State",
              "Started because",
              "Queued (UTC)",
              "Took",
              "Result",
            ]}
          >
            {runs.map((run) => (
              <RunRow key={run.id} run={run} withModel={withModel} />
            ))}
          </DataTable>
        )
      }
    </Await>
  );
}

function RunRow({ run, withModel }: { readonly run: RunRecord; readonly withModel: boolean }) {
  const { progress } = useLive();
  const now = progress.get(run.id) ?? run.progress;
  const isTraining = run.state === "running" && now !== undefined;
  return (
    <tr>
      <td className="mono nowrap">
        <Link to="/runs/$id" params={{ id: run.id }} title={run.id}>
          {shortId(run.id)}
        </Link>
      </td>
      {withModel ? (
        <td>
          <Link to="/models/$model" params={{ model: run.model }}>
            {run.model}
          </Link>
        </td>
      ) : null}
      <td>
        <State of="run" value={run.state} />
        {isTraining ? <div className="dimmed small nowrap">{share(now.share)} trained</div> : null}
      </td>
      <td className="text">
        <div className="clamp" title={run.cause.reason}>
          <span className="strong">{words(run.cause.trigger)}</span>: {run.cause.reason}
        </div>
      </td>
      <td>
        <Time at={run.queuedAt} />
      </td>
      <td className="nowrap">
        {duration(run.durationMs)}
        <div className="dimmed small">{words(run.strategy)}</div>
      </td>
      <td className="text">
        <div className="clamp" title={resultOf(run)}>
          {resultOf(run)}
        </div>
      </td>
    </tr>
  );
}

function resultOf(run: RunRecord): string {
  if (run.error !== undefined) return run.error.message;
  if (run.gate !== undefined) {
    return `${run.version ?? "candidate"}: ${run.gate.reason}`;
  }
  const last = run.steps.findLast((step) => step.state === "stopped" || step.state === "running");
  return last === undefined ? "–" : `${last.step}: ${last.output ?? last.state}`;
}
