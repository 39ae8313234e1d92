/** Did the challenger beat the champion live? The verdict first, then what it rests on, phase by phase. */
import "../css/rollouts.css";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import type { PhaseEvidence, RolloutDetail, RolloutPhase, RolloutRecord } from "../../../src/server/contract.ts";
import { useApi } from "../api/queries.ts";
import { instant, share } from "../format.ts";
import { Await } from "../parts/feedback.tsx";
import { Section } from "../parts/layout.tsx";
import { useNow } from "../parts/now.ts";
import { RolloutMark } from "../parts/rollout-state.tsx";
import { Segments } from "../parts/segments.tsx";
import { ComparisonSection, ExposureSection, GuardrailSection, PlanSection } from "./experiment-parts.tsx";
import { RolloutActions } from "./rollout-actions.tsx";
import { StageMachine } from "./rollout-stages.tsx";
import { KIND_WORDS } from "./rollout-words.ts";
import { Serving } from "./rollouts.tsx";

const ROUTE = "/models/$model/rollouts/$id";

export function ExperimentPage() {
  const { id } = useParams({ from: ROUTE });
  const detail = useApi("GET /experiments/:id", { id });
  return (
    <Await of={detail} lines={8}>
      {(found) => <Experiment detail={found} />}
    </Await>
  );
}

function Experiment({ detail }: { readonly detail: RolloutDetail }) {
  const { rollout, evidence, serving } = detail;
  const { model, champion, challenger } = rollout;
  const search = useSearch({ from: ROUTE });
  const navigate = useNavigate({ from: ROUTE });
  const now = useNow();
  const described = useApi("GET /models/:model", { model });
  const last = rollout.phases.length - 1;
  const chosen = Math.min(Math.max(0, search.phase ?? latestCompared(evidence) ?? last), last);
  const phase = rollout.phases[chosen];
  const seen = evidence[chosen];
  return (
    <>
      <div className="section-heading version-heading">
        <h2>
          {challenger} against {champion} <RolloutMark state={rollout.state} />
        </h2>
        <div className="actions">
          {rollout.endedAt === undefined ? <RolloutActions rollout={rollout} /> : null}
          <Link to="/models/$model/compare" params={{ model }} search={{ a: champion, b: challenger }} className="link">
            Compare on held-out rows
          </Link>
        </div>
      </div>
      <p className="verdict">{rollout.verdict}</p>
      <p className="dimmed small">
        Begun {instant(rollout.createdAt)}
        {rollout.endedAt === undefined ? " UTC" : `, ended ${instant(rollout.endedAt)} UTC`}
        {rollout.runId === undefined ? ", by hand" : ""}.{" "}
        {rollout.runId === undefined ? null : (
          <Link to="/runs/$id" params={{ id: rollout.runId }} className="link">
            The run that made {challenger}
          </Link>
        )}
      </p>
      {phase === undefined || seen === undefined ? (
        <p className="dimmed">It has no stage with traffic of its own: {challenger} was promoted at once.</p>
      ) : (
        <>
          {last > 0 ? (
            <div className="phases">
              <Segments
                label="Stage"
                withLabel
                value={String(chosen)}
                options={rollout.phases.map((one, i) => [String(i), phaseWords(one)] as const)}
                onChange={(value) => void navigate({ search: { phase: Number(value) }, replace: true })}
              />
            </div>
          ) : null}
          <Phase detail={detail} phase={phase} evidence={seen} rollout={rollout} />
        </>
      )}
      <PlanSection detail={detail} />
      <Section title="Stages">
        <StageMachine
          rollout={rollout}
          evidence={evidence}
          now={now}
          labelDelayMs={described.data?.description.labelDelayMs ?? 0}
        />
        <Serving serving={serving} rollout={rollout} />
      </Section>
    </>
  );
}

/** The phase most is known about: the latest one with a comparison. */
function latestCompared(evidence: readonly PhaseEvidence[]): number | undefined {
  const found = evidence.findLastIndex(({ comparison }) => comparison !== null);
  return found < 0 ? undefined : found;
}

function phaseWords({ kind, share: part, mirror }: RolloutPhase): string {
  if (kind === "watch") return KIND_WORDS.watch;
  return `${KIND_WORDS[kind]} ${share(kind === "shadow" ? mirror : part)}`;
}

function Phase(props: {
  readonly detail: RolloutDetail;
  readonly rollout: RolloutRecord;
  readonly phase: RolloutPhase;
  readonly evidence: PhaseEvidence;
}) {
  const { detail, rollout, phase, evidence } = props;
  const looks = detail.looks.filter((look) => look.phase === evidence.phase);
  const stage = rollout.stages[phase.stage];
  return (
    <>
      <ComparisonSection
        rollout={rollout}
        phase={phase}
        evidence={evidence}
        looks={looks}
        margin={stage?.margin ?? 0}
      />
      <ExposureSection rollout={rollout} phase={phase} evidence={evidence} />
      <GuardrailSection findings={evidence.guardrails} />
    </>
  );
}
