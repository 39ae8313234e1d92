/** Runs, newest first: of all models, or of one. */
import { NativeSelect } from "@mantine/core";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import type { RunState } from "../../../src/server/contract.ts";
import { useApiPages } from "../api/queries.ts";
import { PageHeading } from "../parts/layout.tsx";
import { More } from "../parts/more.tsx";
import { RUN_STATES, type RunsSearch } from "../search.ts";
import { RunTable } from "./run-table.tsx";

export function RunsPage() {
  const search = useSearch({ from: "/runs" });
  const navigate = useNavigate({ from: "/runs" });
  const found = useApiPages("GET /runs", {}, { state: search.state });
  return (
    <>
      <PageHeading title="Runs" lead="Every pass through snapshot, training, gate and rollout, newest first." />
      <StateFilter search={search} onChange={(next) => void navigate({ search: next, replace: true })} />
      <RunTable
        of={{ ...found, data: found.items }}
        withModel
        isFiltered={search.state !== undefined}
        command="retrain run MODEL"
      />
      <More of={found} shown={found.items?.length ?? 0} />
    </>
  );
}

export function ModelRunsPage() {
  const { model } = useParams({ from: "/models/$model/runs" });
  const search = useSearch({ from: "/models/$model/runs" });
  const navigate = useNavigate({ from: "/models/$model/runs" });
  const found = useApiPages("GET /models/:model/runs", { model }, { state: search.state });
  return (
    <>
      <StateFilter search={search} onChange={(next) => void navigate({ search: next, replace: true })} />
      <RunTable
        of={{ ...found, data: found.items }}
        isFiltered={search.state !== undefined}
        command={`retrain run ${model}`}
      />
      <More of={found} shown={found.items?.length ?? 0} />
    </>
  );
}

function StateFilter(props: { readonly search: RunsSearch; readonly onChange: (next: RunsSearch) => void }) {
  return (
    <div className="filters">
      <NativeSelect
        label="State"
        size="sm"
        value={props.search.state ?? ""}
        data={[{ value: "", label: "All states" }, ...RUN_STATES.map((state) => ({ value: state, label: state }))]}
        onChange={(event) =>
          props.onChange({ state: (event.currentTarget.value || undefined) as RunState | undefined })
        }
      />
    </div>
  );
}
