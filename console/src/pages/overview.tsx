/** Is all well? One row per model, the answer in words first. */
import { Link } from "@tanstack/react-router";
import type { ModelSummary } from "../../../src/server/contract.ts";
import { useApi } from "../api/queries.ts";
import { number, plural, whole } from "../format.ts";
import { metricWithDirection } from "../metrics.ts";
import { Sparkline } from "../parts/drawings.tsx";
import { Await, Empty } from "../parts/feedback.tsx";
import { PageHeading, Section } from "../parts/layout.tsx";
import { State } from "../parts/state.tsx";
import { Time } from "../parts/time.tsx";
import { RunTable } from "./run-table.tsx";

export function OverviewPage() {
  const models = useApi("GET /models", {});
  return (
    <>
      <PageHeading title="Overview" lead={models.data === undefined ? undefined : leadOf(models.data.items)} />
      <Await of={models} lines={5}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty
              sentence="There is no model yet; this command makes one from a file of your own."
              command="npx retrain init --from customers.csv --label purchased"
            />
          ) : (
            <>
              <ul className="models">
                {items.map((summary) => (
                  <ModelRow key={summary.name} summary={summary} />
                ))}
              </ul>
              <LatestRuns />
            </>
          )
        }
      </Await>
    </>
  );
}

const SHOWN_RUNS = 5;

function LatestRuns() {
  const runs = useApi("GET /runs", {}, { query: { limit: SHOWN_RUNS } });
  return (
    <Section
      title="Latest runs"
      actions={
        <Link className="link" to="/runs">
          All runs
        </Link>
      }
    >
      <RunTable of={{ ...runs, data: runs.data?.items }} withModel isFiltered={false} command="retrain run MODEL" />
    </Section>
  );
}

function leadOf(items: readonly ModelSummary[]): string {
  const unwell = items.filter(({ state }) => state === "worse" || state === "blocked" || state === "not-ready");
  const alerts = items.reduce((sum, { openAlerts }) => sum + openAlerts, 0);
  const models = plural(items.length, "model");
  const names = unwell.map(({ name }) => name).join(", ");
  const health =
    unwell.length === 0 ? "nothing looks wrong" : `${names} ${unwell.length === 1 ? "needs" : "need"} a look`;
  return `${models}, ${health}; ${alerts === 0 ? "no open alerts" : plural(alerts, "open alert")}.`;
}

function ModelRow({ summary }: { readonly summary: ModelSummary }) {
  const { name, state, sentence, metric, sparkline, champion } = summary;
  const latest = sparkline.findLast((value) => value !== null);
  return (
    <li className="card model-row">
      <div className="model-row-what">
        <h2>
          <Link className="link" to="/models/$model" params={{ model: name }}>
            {name}
          </Link>
          <State of="model" value={state} />
        </h2>
        <p>{sentence}</p>
        <p className="dimmed small">
          {summary.task}, {champion === null ? "no live version" : `${champion} is live`}
        </p>
      </div>
      <div className="model-row-metric">
        <div className="dimmed small">{metricWithDirection(metric)}</div>
        <div className="figure">{number(latest)}</div>
        <Sparkline values={sparkline} label={metricWithDirection(metric)} />
      </div>
      <ModelFacts summary={summary} />
    </li>
  );
}

function ModelFacts({ summary }: { readonly summary: ModelSummary }) {
  const { name, lastRun, nextScheduledAt, openAlerts, quarantined, events } = summary;
  return (
    <dl className="model-row-facts">
      <dt>Last retrain</dt>
      <dd>
        {lastRun === null ? (
          "none yet"
        ) : (
          <Link className="link state-link" to="/runs/$id" params={{ id: lastRun.id }}>
            <State of="run" value={lastRun.state} /> <Time at={lastRun.at} isShort />
          </Link>
        )}
      </dd>
      <dt>Next scheduled</dt>
      <dd>{nextScheduledAt === null ? "when a trigger fires" : <Time at={nextScheduledAt} isShort />}</dd>
      <dt>Open alerts</dt>
      <dd>
        {openAlerts === 0 ? (
          "none"
        ) : (
          <Link className="link strong" to="/models/$model/alerts" params={{ model: name }}>
            {whole(openAlerts)}
          </Link>
        )}
      </dd>
      <dt>Quarantined rows</dt>
      <dd>
        {quarantined === 0 ? (
          "none"
        ) : (
          <Link className="link strong" to="/models/$model/data" params={{ model: name }}>
            {whole(quarantined)}
          </Link>
        )}
      </dd>
      <dt>Predictions</dt>
      <dd>{whole(events.predictions)}</dd>
      <dt>Labels</dt>
      <dd>{whole(events.labels)}</dd>
      <dt>Observations</dt>
      <dd>{whole(events.observations)}</dd>
    </dl>
  );
}
