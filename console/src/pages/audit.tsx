/** Who did what: for administrators, newest first, with filters in the address. */
import { Button, TextInput } from "@mantine/core";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import type { AuditRecord } from "../../../src/server/contract.ts";
import { useApi, useApiPages } from "../api/queries.ts";
import { instant, shortId, words } from "../format.ts";
import { Evidence } from "../parts/evidence.tsx";
import { Await, Empty } from "../parts/feedback.tsx";
import { DataTable, PageHeading } from "../parts/layout.tsx";
import { More } from "../parts/more.tsx";
import { useNow } from "../parts/now.ts";
import { RangeFilter, rangeQuery } from "../parts/range.tsx";
import { Select } from "../parts/select.tsx";
import type { AuditSearch } from "../search.ts";

/** First words of actions, which the filter takes. */
const AREAS = [
  "promotion",
  "rollback",
  "rollout",
  "run",
  "version",
  "labeling",
  "quarantine",
  "alert",
  "event",
  "token",
  "config",
] as const;

export function AuditPage() {
  const search = useSearch({ from: "/audit" });
  const navigate = useNavigate({ from: "/audit" });
  const change = (next: AuditSearch) => void navigate({ search: (old) => ({ ...old, ...next }), replace: true });
  return (
    <>
      <PageHeading
        title="Audit"
        lead="Every call that changed what runs or who may: by whom, when, and why. Automatic moves of rollouts are retrain's own."
      />
      <Filters search={search} onChange={change} />
      <Records search={search} />
    </>
  );
}

function Filters(props: { readonly search: AuditSearch; readonly onChange: (next: AuditSearch) => void }) {
  const { search, onChange } = props;
  const models = useApi("GET /models", {});
  const [actor, setActor] = useState(search.actor ?? "");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onChange({ actor: actor.trim() || undefined });
  };
  return (
    <form className="filters" onSubmit={submit}>
      <TextInput
        label="Who"
        placeholder="token:olivia"
        size="sm"
        value={actor}
        maxLength={128}
        onChange={(event) => setActor(event.currentTarget.value)}
        onBlur={() => onChange({ actor: actor.trim() || undefined })}
      />
      <Select
        label="What"
        value={search.action}
        all="Everything"
        options={AREAS.map((area) => [area, words(area)])}
        onChange={(action) => onChange({ action })}
      />
      <Select
        label="Model"
        value={search.model}
        all="All models"
        options={(models.data?.items ?? []).map(({ name }) => [name, name])}
        onChange={(model) => onChange({ model })}
      />
      <RangeFilter range={search} onChange={onChange} />
      <Button type="submit" variant="default" size="sm" className="sr-only">
        Filter
      </Button>
    </form>
  );
}

function Records({ search }: { readonly search: AuditSearch }) {
  const { actor, action, model } = search;
  const now = useNow();
  const found = useApiPages("GET /audit", {}, { actor, action, model, limit: 100, ...rangeQuery(search, now) });
  const isFiltered = Object.values(search).some((one) => one !== undefined);
  return (
    <Await of={{ data: found.items, error: found.error, refetch: found.refetch }} lines={6}>
      {(items) =>
        items.length === 0 ? (
          <Empty
            sentence={isFiltered ? "Nobody did anything that fits these filters." : "Nobody has changed anything yet."}
            {...(isFiltered ? {} : { command: "retrain audit" })}
          />
        ) : (
          <>
            <DataTable label="Audit log" head={["At (UTC)", "Who", "What", "About", "Reason", "Details"]}>
              {items.map((record) => (
                <AuditRow key={record.id} record={record} />
              ))}
            </DataTable>
            <More of={found} shown={items.length} />
          </>
        )
      }
    </Await>
  );
}

function AuditRow({ record }: { readonly record: AuditRecord }) {
  const { at, actor, action } = record;
  const { reason, ...details } = record.details;
  return (
    <tr>
      <td className="nowrap">{instant(at)}</td>
      <td className="nowrap">{actor}</td>
      <td className="nowrap strong">{action}</td>
      <td className="text-short">
        <Subject record={record} />
      </td>
      <td className="text-long">{typeof reason === "string" ? reason : <span className="dimmed">–</span>}</td>
      <td>
        <Evidence value={details} label="Details" />
      </td>
    </tr>
  );
}

/** What it was about, as a way there: a version, a rollout, a run, or a model. */
function Subject({ record: { action, subject, details } }: { readonly record: AuditRecord }) {
  const [model = "", rest] = subject.split("/");
  if (rest !== undefined && /^v\d+$/.test(rest)) {
    return (
      <Link to="/models/$model/versions/$version" params={{ model, version: rest }}>
        {model} {rest}
      </Link>
    );
  }
  if (rest !== undefined && action.startsWith("rollout.")) {
    const challenger = details["challenger"];
    return (
      <Link to="/models/$model/rollouts/$id" params={{ model, id: rest }}>
        {model} {typeof challenger === "string" ? `rollout of ${challenger}` : `rollout ${shortId(rest)}`}
      </Link>
    );
  }
  if (action.startsWith("run.")) {
    const of = details["model"];
    return (
      <Link to="/runs/$id" params={{ id: subject }}>
        {typeof of === "string" ? `${of} run ` : ""}
        {shortId(subject)}
      </Link>
    );
  }
  return subject;
}
