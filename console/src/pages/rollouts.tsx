/** What is deployed where: who answers with which share, the open rollout's stages, and how the earlier ones ended. */
import "../css/rollouts.css";
import { Link, useParams } from "@tanstack/react-router";
import type { ModelDetail, RolloutDetail, RolloutRecord, ServingCounts } from "../../../src/server/contract.ts";
import { useApi, useApiPages } from "../api/queries.ts";
import { duration, instant, plural, share, whole } from "../format.ts";
import { Await, Empty } from "../parts/feedback.tsx";
import { DataTable, Section } from "../parts/layout.tsx";
import { More } from "../parts/more.tsx";
import { useNow } from "../parts/now.ts";
import { RolloutMark } from "../parts/rollout-state.tsx";
import { State } from "../parts/state.tsx";
import { Time } from "../parts/time.tsx";
import { RolloutActions, StartRollout } from "./rollout-actions.tsx";
import { StageMachine } from "./rollout-stages.tsx";
import { stationsOf } from "./rollout-words.ts";

export function RolloutsPage() {
  const { model } = useParams({ from: "/models/$model/rollouts" });
  const detail = useApi("GET /models/:model", { model });
  const rollouts = useApiPages("GET /models/:model/rollouts", { model }, { limit: 20 });
  const newest = rollouts.items?.[0];
  const open = newest !== undefined && newest.endedAt === undefined ? newest : undefined;
  return (
    <>
      <Await of={detail}>{(found) => <Traffic detail={found} open={open} />}</Await>
      {open === undefined ? null : <OpenRollout rollout={open} />}
      <Await of={{ data: rollouts.items, error: rollouts.error, refetch: rollouts.refetch }} lines={5}>
        {(items) => (
          <>
            {open === undefined && detail.data?.summary.champion != null ? (
              <Section
                title="Start a rollout"
                lead="A version that passes its gate starts by itself; any other registered version can be put into the stages by hand."
              >
                <StartRollout model={model} champion={detail.data.summary.champion} />
              </Section>
            ) : null}
            <History rollouts={items} model={model} />
            <More of={rollouts} shown={items.length} />
            <Decisions model={model} />
          </>
        )}
      </Await>
    </>
  );
}

function Traffic({ detail, open }: { readonly detail: ModelDetail; readonly open: RolloutRecord | undefined }) {
  const { champion, challenger, plan, number: routing, at } = detail.routing;
  if (champion === null) return null;
  const part = challenger === null ? 0 : (plan?.share ?? 0);
  const mirrored = plan?.mirror ?? 0;
  const parts = [
    { version: champion, role: "champion", of: 1 - part },
    ...(challenger === null ? [] : [{ version: challenger, role: "challenger", of: part }]),
  ];
  return (
    <Section title="Who answers">
      <div className="card">
        <div className="traffic" aria-hidden="true">
          {parts
            .filter(({ of }) => of > 0)
            .map(({ version, role, of }) => (
              <div key={version} className="traffic-part" data-role={role} style={{ width: `${of * 100}%` }}>
                {of >= 0.15 ? `${version} ${share(of)}` : ""}
              </div>
            ))}
        </div>
        <ul className="traffic-legend">
          {parts.map(({ version, role, of }) => (
            <li key={version}>
              <span className="traffic-key" data-role={role} />
              <Link
                to="/models/$model/versions/$version"
                params={{ model: detail.summary.name, version }}
                className="link"
              >
                {version}
              </Link>{" "}
              {role}: {share(of)} of requests
              {role === "challenger" && mirrored > 0 ? `, and ${share(mirrored)} mirrored to it unseen` : ""}
            </li>
          ))}
          <li className="dimmed small">
            Routing {whole(routing)} since {instant(at)} UTC
            {open?.state === "watching" ? `; ${open.champion} stays warm for an instant way back` : ""}
          </li>
        </ul>
      </div>
    </Section>
  );
}

function OpenRollout({ rollout }: { readonly rollout: RolloutRecord }) {
  const { model, challenger, champion } = rollout;
  const detail = useApi("GET /experiments/:id", { id: rollout.id });
  return (
    <Section
      title={`${challenger} against ${champion}`}
      lead={
        <>
          <RolloutMark state={rollout.state} /> {rollout.verdict}
        </>
      }
      actions={<RolloutActions rollout={rollout} />}
    >
      {rollout.waiting === undefined ? null : (
        <p className="waiting-note">
          {rollout.waiting.version} passed its gate {instant(rollout.waiting.at)} UTC and waits for this rollout to end.
        </p>
      )}
      <Await of={detail} lines={4}>
        {(found) => (
          <>
            <OpenStages detail={found} />
            <p className="experiment-link">
              <Link to="/models/$model/rollouts/$id" params={{ model, id: rollout.id }} className="link">
                Open the experiment: comparison, exposure, guardrails
              </Link>
            </p>
            <Serving serving={found.serving} rollout={rollout} />
          </>
        )}
      </Await>
    </Section>
  );
}

function OpenStages({ detail }: { readonly detail: RolloutDetail }) {
  const now = useNow();
  const model = useApi("GET /models/:model", { model: detail.rollout.model });
  return (
    <StageMachine
      rollout={detail.rollout}
      evidence={detail.evidence}
      now={now}
      labelDelayMs={model.data?.description.labelDelayMs ?? 0}
    />
  );
}

function took(micros: number | null): string {
  if (micros === null) return "–";
  return micros < 1000 ? `${Math.round(micros)} µs` : `${(micros / 1000).toFixed(1)} ms`;
}

/** Of this process's replicas while the rollout is open; nothing where nobody asked yet. */
export function Serving(props: { readonly serving: readonly ServingCounts[]; readonly rollout: RolloutRecord }) {
  const { serving, rollout } = props;
  const shown = serving.filter((one) => one.rollout === rollout.id && one.answers > 0);
  if (shown.length === 0) return null;
  return (
    <div className="serving">
      <h3>Answers of {rollout.challenger}, per replica</h3>
      <DataTable
        label={`Answers of ${rollout.challenger}`}
        head={[
          "Replica",
          "Answers",
          "Errors",
          "Invalid",
          "Timed out",
          "Slow",
          "p50",
          "p99",
          "Champion p50",
          "Champion p99",
        ]}
        numeric={[1, 2, 3, 4, 5, 6, 7, 8, 9]}
      >
        {shown.map((one, replica) => (
          <tr key={replica}>
            <td>{replica + 1}</td>
            {[one.answers, one.errors, one.invalid, one.timeouts, one.slow].map((count, column) => (
              <td key={column} className="right">
                {whole(count)}
              </td>
            ))}
            {[one.medianMicros, one.p99Micros, one.championMedianMicros, one.championP99Micros].map(
              (micros, column) => (
                <td key={column} className="right nowrap">
                  {took(micros)}
                </td>
              ),
            )}
          </tr>
        ))}
      </DataTable>
    </div>
  );
}

function History({ rollouts, model }: { readonly rollouts: readonly RolloutRecord[]; readonly model: string }) {
  if (rollouts.length === 0) {
    return (
      <Section title="Rollouts">
        <Empty
          sentence={`${model} has had no rollout: its first version goes live directly, and the next one passes through the stages.`}
          command={`retrain rollout status ${model}`}
        />
      </Section>
    );
  }
  return (
    <Section title="Rollouts" lead="Newest first.">
      <DataTable
        label="Rollouts"
        head={["Begun (UTC)", "Rollout", "State", "Took", "Stages", "How it stands or ended"]}
      >
        {rollouts.map((rollout) => (
          <tr key={rollout.id}>
            <td>
              <Time at={rollout.createdAt} />
            </td>
            <td className="nowrap">
              <Link to="/models/$model/rollouts/$id" params={{ model, id: rollout.id }}>
                {rollout.challenger} against {rollout.champion}
              </Link>
            </td>
            <td>
              <RolloutMark state={rollout.state} />
            </td>
            <td className="nowrap">
              {rollout.endedAt === undefined ? "under way" : duration(rollout.endedAt - rollout.createdAt)}
            </td>
            <td className="nowrap">{passedWords(rollout)}</td>
            <td className="text-long">
              <div className="clamp" title={rollout.verdict}>
                {rollout.verdict}
              </div>
            </td>
          </tr>
        ))}
      </DataTable>
    </Section>
  );
}

function passedWords(rollout: RolloutRecord): string {
  const stations = stationsOf(rollout);
  const passed = stations.filter(({ state }) => state === "done" || state === "skipped").length;
  return `${passed} of ${plural(stations.length, "stage")}`;
}

/** Enough to see the latest turn; the page of decisions has all. */
const SHOWN_DECISIONS = 12;

function Decisions({ model }: { readonly model: string }) {
  const found = useApi("GET /decisions", {}, { query: { model, kind: "rollout", limit: SHOWN_DECISIONS } });
  // Equal ones are folded into the first of them: what was said last stands first.
  const items = (found.data?.items ?? []).toSorted((left, right) => right.lastAt - left.lastAt);
  if (items.length === 0) return null;
  return (
    <Section
      title="Decisions"
      lead={
        <>
          What was judged at each look, newest first.{" "}
          <Link to="/models/$model/decisions" params={{ model }} search={{ kind: "rollout" }} className="link">
            All of them
          </Link>
        </>
      }
    >
      <DataTable label="Decisions of rollouts" head={["Last (UTC)", "About", "Judged", "Outcome", "Reason"]}>
        {items.map((decision) => (
          <tr key={decision.id}>
            <td className="nowrap">
              {instant(decision.lastAt)}
              {decision.count > 1 ? <div className="dimmed small">{plural(decision.count, "time")}</div> : null}
            </td>
            <td>{decision.version ?? "–"}</td>
            <td>{decision.subject}</td>
            <td>
              <State of="outcome" value={decision.outcome} />
            </td>
            <td className="text-long">{decision.reason}</td>
          </tr>
        ))}
      </DataTable>
    </Section>
  );
}
