/** Heading, actions and tabs that every page of a model shares. */
import { Link, Outlet, useParams } from "@tanstack/react-router";
import { useApi } from "../api/queries.ts";
import { MODEL_PAGES } from "../model-pages.ts";
import { Await } from "../parts/feedback.tsx";
import { PageHeading } from "../parts/layout.tsx";
import { State } from "../parts/state.tsx";
import { ModelActions } from "./model-actions.tsx";

export function ModelLayout() {
  const { model } = useParams({ from: "/models/$model" });
  const detail = useApi("GET /models/:model", { model });
  return (
    <Await of={detail} lines={5} title={model}>
      {({ summary }) => (
        <>
          <PageHeading
            title={model}
            lead={
              <>
                <span className="lead-state">
                  <State of="model" value={summary.state} />
                </span>{" "}
                {summary.sentence}
              </>
            }
            actions={<ModelActions model={model} champion={summary.champion} />}
          />
          <nav className="tabs" aria-label={`Pages of ${model}`}>
            {MODEL_PAGES.map(({ to, name, exact }) => (
              <Link key={to} to={to} params={{ model }} activeOptions={{ exact, includeSearch: false }} className="tab">
                {name}
                {name === "Alerts" && summary.openAlerts > 0 ? (
                  <span className="count">{summary.openAlerts}</span>
                ) : null}
                {name === "Data" && summary.quarantined > 0 ? (
                  <span className="count">{summary.quarantined}</span>
                ) : null}
              </Link>
            ))}
          </nav>
          <Outlet />
        </>
      )}
    </Await>
  );
}
