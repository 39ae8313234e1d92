/** Every automatic judgement with its inputs, rule and reason: of all models, or of one. */
import { NativeSelect } from "@mantine/core";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import type { DecisionRecord } from "../../../src/server/contract.ts";
import { useApi, useApiPages } from "../api/queries.ts";
import { instant, plural, words } from "../format.ts";
import { Await, Empty } from "../parts/feedback.tsx";
import { Evidence } from "../parts/evidence.tsx";
import { DataTable, PageHeading } from "../parts/layout.tsx";
import { More } from "../parts/more.tsx";
import { State } from "../parts/state.tsx";
import { DECISION_KINDS, type DecisionsSearch, OUTCOMES } from "../search.ts";
import { TriggerStrip } from "./trigger-strip.tsx";
import { WhySection } from "./why.tsx";

export function DecisionsPage() {
  const search = useSearch({ from: "/decisions" });
  const navigate = useNavigate({ from: "/decisions" });
  const models = useApi("GET /models", {});
  const change = (next: DecisionsSearch) => void navigate({ search: (old) => ({ ...old, ...next }), replace: true });
  return (
    <>
      <PageHeading
        title="Decisions"
        lead="What Retrain judged by itself, and why. Equal judgements in a row are one line with a count."
      />
      <Filters search={search} models={models.data?.items.map(({ name }) => name) ?? []} onChange={change} />
      {search.model === undefined ? null : (
        <>
          <WhySection model={search.model} />
          <TriggerStrip model={search.model} />
        </>
      )}
      <DecisionTable search={search} withModel={search.model === undefined} />
    </>
  );
}

export function ModelDecisionsPage() {
  const { model } = useParams({ from: "/models/$model/decisions" });
  const search = useSearch({ from: "/models/$model/decisions" });
  const navigate = useNavigate({ from: "/models/$model/decisions" });
  const change = (next: DecisionsSearch) => void navigate({ search: (old) => ({ ...old, ...next }), replace: true });
  return (
    <>
      <WhySection model={model} />
      <TriggerStrip model={model} />
      <h2 className="list-heading">All decisions</h2>
      <Filters search={search} onChange={change} />
      <DecisionTable search={{ ...search, model }} withModel={false} />
    </>
  );
}

function Filters(props: {
  readonly search: DecisionsSearch;
  readonly models?: readonly string[];
  readonly onChange: (next: DecisionsSearch) => void;
}) {
  const { search, models, onChange } = props;
  const optional = (value: string) => value || undefined;
  const choices = (all: string, values: readonly string[]) => [
    { value: "", label: all },
    ...values.map((value) => ({ value, label: words(value) })),
  ];
  return (
    <div className="filters">
      {models === undefined ? null : (
        <NativeSelect
          label="Model"
          size="sm"
          value={search.model ?? ""}
          data={[{ value: "", label: "All models" }, ...models.map((value) => ({ value, label: value }))]}
          onChange={(event) => onChange({ model: optional(event.currentTarget.value) })}
        />
      )}
      <NativeSelect
        label="Kind"
        size="sm"
        value={search.kind ?? ""}
        data={choices("All kinds", DECISION_KINDS)}
        onChange={(event) => onChange({ kind: optional(event.currentTarget.value) as DecisionsSearch["kind"] })}
      />
      <NativeSelect
        label="Outcome"
        size="sm"
        value={search.outcome ?? ""}
        data={choices("All outcomes", OUTCOMES)}
        onChange={(event) => onChange({ outcome: optional(event.currentTarget.value) as DecisionsSearch["outcome"] })}
      />
    </div>
  );
}

function DecisionTable({ search, withModel }: { readonly search: DecisionsSearch; readonly withModel: boolean }) {
  const found = useApiPages("GET /decisions", {}, { model: search.model, kind: search.kind, limit: 100 });
  return (
    <Await of={{ data: found.items, error: found.error, refetch: found.refetch }} lines={6}>
      {(all) => {
        const shown = all.filter(({ outcome }) => search.outcome === undefined || outcome === search.outcome);
        const isFiltered = search.kind !== undefined || search.outcome !== undefined;
        if (shown.length === 0 && !found.hasNextPage) {
          return (
            <Empty
              sentence={
                isFiltered
                  ? "No decision fits these filters."
                  : "Nothing has been judged yet: triggers are looked at as soon as rows arrive."
              }
              {...(isFiltered ? {} : { command: "retrain decisions" })}
            />
          );
        }
        return (
          <>
            <DataTable
              label="Decisions"
              head={["Last (UTC)", ...(withModel ? ["Model"] : []), "Judged", "Outcome", "Reason", "Evidence"]}
            >
              {shown.map((decision) => (
                <DecisionRow key={decision.id} decision={decision} withModel={withModel} />
              ))}
            </DataTable>
            <More of={found} shown={shown.length} />
          </>
        );
      }}
    </Await>
  );
}

function DecisionRow({ decision, withModel }: { readonly decision: DecisionRecord; readonly withModel: boolean }) {
  const { model, count, firstAt, lastAt } = decision;
  return (
    <tr>
      <td className="nowrap">
        {instant(lastAt)}
        {count > 1 ? (
          <div className="dimmed small">
            {plural(count, "time")} since
            <br />
            {instant(firstAt)}
          </div>
        ) : null}
      </td>
      {withModel ? (
        <td>
          <Link to="/models/$model/decisions" params={{ model }}>
            {model}
          </Link>
        </td>
      ) : null}
      <td>
        {decision.subject}
        <div className="dimmed small">{decision.kind}</div>
      </td>
      <td>
        <State of="outcome" value={decision.outcome} />
      </td>
      <td className="text-long">
        <div className="clamp" title={decision.reason}>
          {decision.reason}
        </div>
        <div className="dimmed small clamp" title={decision.rule}>
          Rule: {decision.rule}
        </div>
      </td>
      <td>
        <Evidence value={decision.inputs} label="Inputs" />
        {decision.runId === undefined ? null : (
          <Link to="/runs/$id" params={{ id: decision.runId }} className="nowrap">
            Open the run
          </Link>
        )}
      </td>
    </tr>
  );
}
