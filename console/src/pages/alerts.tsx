/** What somebody should know of: open and resolved, with the evidence. */
import { Button } from "@mantine/core";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import type { AlertRecord } from "../../../src/server/contract.ts";
import { useAction } from "../api/actions.ts";
import { useApiPages } from "../api/queries.ts";
import { instant, plural } from "../format.ts";
import { Await, Empty } from "../parts/feedback.tsx";
import { Evidence } from "../parts/evidence.tsx";
import { PageHeading } from "../parts/layout.tsx";
import { More } from "../parts/more.tsx";
import { ReasonDialog } from "../parts/reason-dialog.tsx";
import { Segments } from "../parts/segments.tsx";
import { State } from "../parts/state.tsx";
import { Time } from "../parts/time.tsx";
import type { AlertsSearch } from "../search.ts";

const STATES = [
  ["open", "Open"],
  ["resolved", "Resolved"],
  ["all", "All"],
] as const;

export function AlertsPage() {
  const { state = "open" } = useSearch({ from: "/alerts" });
  const navigate = useNavigate({ from: "/alerts" });
  return (
    <>
      <PageHeading title="Alerts" lead="One open alert per problem, however often it repeats." />
      <StateChoice state={state} onChange={(next) => void navigate({ search: next, replace: true })} />
      <AlertList state={state} />
    </>
  );
}

export function ModelAlertsPage() {
  const { model } = useParams({ from: "/models/$model/alerts" });
  const { state = "open" } = useSearch({ from: "/models/$model/alerts" });
  const navigate = useNavigate({ from: "/models/$model/alerts" });
  return (
    <>
      <StateChoice state={state} onChange={(next) => void navigate({ search: next, replace: true })} />
      <AlertList state={state} model={model} />
    </>
  );
}

function StateChoice(props: {
  readonly state: NonNullable<AlertsSearch["state"]>;
  readonly onChange: (next: AlertsSearch) => void;
}) {
  return (
    <div className="filters">
      <Segments
        label="Which alerts"
        options={STATES}
        value={props.state}
        onChange={(one) => props.onChange({ state: one === "open" ? undefined : one })}
      />
    </div>
  );
}

function AlertList({ state, model }: { readonly state: NonNullable<AlertsSearch["state"]>; readonly model?: string }) {
  const found = useApiPages("GET /alerts", {}, { model, state: state === "all" ? undefined : state });
  return (
    <Await of={{ data: found.items, error: found.error, refetch: found.refetch }} lines={6}>
      {(alerts) =>
        alerts.length === 0 ? (
          <Empty
            sentence={state === "open" ? "No open alert: nothing needs you." : "No alert yet."}
            command="retrain alerts --all"
          />
        ) : (
          <>
            <ul className="alerts">
              {alerts.map((alert) => (
                <AlertCard key={alert.id} alert={alert} />
              ))}
            </ul>
            <More of={found} shown={alerts.length} />
          </>
        )
      }
    </Await>
  );
}

function AlertCard({ alert }: { readonly alert: AlertRecord }) {
  const [isResolving, setIsResolving] = useState(false);
  const resolve = useAction("POST /alerts/:id/resolve", { id: alert.id });
  const { runId, diagnosis } = alert.evidence;
  const close = () => setIsResolving(false);
  return (
    <li className="card alert">
      <div className="alert-heading">
        <State of="severity" value={alert.severity} />
        <h2>{alert.title}</h2>
        {alert.state === "open" ? (
          <Button variant="default" size="compact-sm" onClick={() => setIsResolving(true)}>
            Resolve
          </Button>
        ) : (
          <span className="tag">resolved</span>
        )}
      </div>
      <p className="alert-message">{alert.message}</p>
      {Array.isArray(diagnosis) && diagnosis.length > 0 ? (
        <ul className="sentences">
          {diagnosis.map((one) => (
            <li key={String(one)}>{String(one)}</li>
          ))}
        </ul>
      ) : null}
      <p className="dimmed small">
        {alert.model === null ? (
          "Server"
        ) : (
          <Link className="link" to="/models/$model" params={{ model: alert.model }}>
            {alert.model}
          </Link>
        )}
        {" · "}
        {alert.type}
        {" · since "}
        <Time at={alert.firstAt} />
        {alert.count > 1 ? ` · ${plural(alert.count, "time")}, last ${instant(alert.lastAt)}` : ""}
        {alert.resolvedAt === undefined ? "" : ` · resolved ${instant(alert.resolvedAt)}`}
        {typeof runId === "string" ? (
          <>
            {" · "}
            <Link className="link" to="/runs/$id" params={{ id: runId }}>
              Open the run
            </Link>
          </>
        ) : null}
      </p>
      <Evidence value={alert.evidence} label="Evidence" />
      <ReasonDialog
        isOpen={isResolving}
        title="Resolve this alert"
        explanation="It is closed for everybody. If the problem is still there, it opens again."
        confirm="Resolve"
        isPending={resolve.isPending}
        error={resolve.error}
        onClose={close}
        onConfirm={(reason) => resolve.mutate({ reason }, { onSuccess: close })}
      />
    </li>
  );
}
