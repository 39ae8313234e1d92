/** One run: what it waits for or found, its steps over time, the training curve as it grows, the gate, the evaluation. */
import { Button, Modal, Stack } from "@mantine/core";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import type { RunRecord } from "../../../src/server/contract.ts";
import { useAction } from "../api/actions.ts";
import { useLive } from "../api/live.tsx";
import { useApi } from "../api/queries.ts";
import { duration, instant, share, shortId, words } from "../format.ts";
import { Await, Refused } from "../parts/feedback.tsx";
import { Facts, PageHeading } from "../parts/layout.tsx";
import { State } from "../parts/state.tsx";
import { AssessmentSection } from "./assessment.tsx";
import { CandidatesSection } from "./candidates.tsx";
import { EvaluationSection } from "./evaluation.tsx";
import { GateSection } from "./gate.tsx";
import { StepsSection } from "./steps.tsx";
import { TraceSection } from "./trace.tsx";

/** Events announce every change; this only covers what they could not (a stream that was cut). */
const OPEN_REFRESH_MS = 5_000;
export const isOpen = (run: RunRecord) => run.state === "queued" || run.state === "running";

export function RunPage() {
  const { id } = useParams({ from: "/runs/$id" });
  const { paused } = useLive();
  const [isDone, setIsDone] = useState(false);
  const run = useApi("GET /runs/:id", { id }, isDone || paused ? {} : { refetchMs: OPEN_REFRESH_MS });
  const ended = run.data !== undefined && !isOpen(run.data);
  if (ended !== isDone) setIsDone(ended);
  return (
    <Await of={run} lines={8} title={`Run ${shortId(id)}`}>
      {(found) => (
        <>
          <RunHeading run={found} />
          {found.error === undefined ? null : <RunError error={found.error} />}
          <RunFacts run={found} />
          <TrainingProgress run={found} />
          <StepsSection run={found} />
          <AssessmentSection run={found} />
          <CandidatesSection run={found} />
          <TraceSection run={found} />
          <GateSection run={found} />
          <EvaluationSection run={found} />
        </>
      )}
    </Await>
  );
}

function RunHeading({ run }: { readonly run: RunRecord }) {
  return (
    <PageHeading
      title={`Run ${shortId(run.id)}`}
      documentTitle={`Run ${shortId(run.id)} of ${run.model}`}
      lead={
        <>
          <span className="lead-state">
            <State of="run" value={run.state} />
          </span>{" "}
          of{" "}
          <Link className="link" to="/models/$model" params={{ model: run.model }}>
            {run.model}
          </Link>
          , started by {words(run.cause.trigger)}: {run.cause.reason}
        </>
      }
      actions={isOpen(run) ? <CancelButton run={run} /> : null}
    />
  );
}

function CancelButton({ run }: { readonly run: RunRecord }) {
  const [isAsking, setIsAsking] = useState(false);
  const cancel = useAction("POST /runs/:id/cancel", { id: run.id });
  const close = () => setIsAsking(false);
  return (
    <>
      <Button variant="default" onClick={() => setIsAsking(true)}>
        Cancel the run
      </Button>
      <Modal opened={isAsking} onClose={close} title="Cancel this run?" closeButtonProps={{ "aria-label": "Close" }}>
        <Stack gap="md">
          <p>Training is stopped and nothing goes live. The champion keeps answering.</p>
          {cancel.error === null ? null : <Refused error={cancel.error} />}
          <div className="actions end">
            <Button variant="default" onClick={close}>
              Let it go on
            </Button>
            <Button loading={cancel.isPending} onClick={() => cancel.mutate({}, { onSuccess: close })} data-autofocus>
              Cancel the run
            </Button>
          </div>
        </Stack>
      </Modal>
    </>
  );
}

function RunError({ error }: { readonly error: NonNullable<RunRecord["error"]> }) {
  return (
    <Refused error={{ problem: { status: 0, code: error.code, detail: error.message, hint: error.remedy } } as never} />
  );
}

function RunFacts({ run }: { readonly run: RunRecord }) {
  return (
    <div className="card run-facts">
      <Facts
        items={[
          ["Queued (UTC)", instant(run.queuedAt)],
          ["Took", duration(run.durationMs)],
          ["Strategy", words(run.strategy)],
          ["Champion then", run.champion ?? "none"],
          [
            "Version made",
            run.version === undefined ? (
              "none"
            ) : (
              <Link
                className="link"
                to="/models/$model/versions/$version"
                params={{ model: run.model, version: run.version }}
              >
                {run.version}
              </Link>
            ),
          ],
          ["Data as of (UTC)", instant(run.asOf)],
          ["Attempt", String(run.attempt)],
          ["Seed", <span className="mono">{run.seed}</span>],
          ["Definition", <span className="mono">{run.definitionRevision}</span>],
          ["Run id", <span className="mono">{run.id}</span>],
        ]}
      />
    </div>
  );
}

function TrainingProgress({ run }: { readonly run: RunRecord }) {
  const { progress } = useLive();
  const now = progress.get(run.id) ?? run.progress;
  if (run.state !== "running" || now === undefined) return null;
  const rest = now.etaMs === undefined ? "" : `, about ${duration(now.etaMs)} left`;
  return (
    <div className="progress">
      <progress max={1} value={now.share} aria-label="Training progress" />
      <span>
        Training: {share(now.share)}
        {rest}
      </span>
    </div>
  );
}
