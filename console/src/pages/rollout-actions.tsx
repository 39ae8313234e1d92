/** Moving a rollout by hand; each way asks for a reason, and says what it does before it does it. */
import { Button, Modal, NativeSelect, Stack } from "@mantine/core";
import { type FormEvent, useState } from "react";
import type { RolloutAction, RolloutRecord } from "../../../src/server/contract.ts";
import { useAction } from "../api/actions.ts";
import { useApi } from "../api/queries.ts";
import { useRefusal } from "../api/role.ts";
import { duration, number, plural } from "../format.ts";
import { Refused } from "../parts/feedback.tsx";
import { ReasonDialog } from "../parts/reason-dialog.tsx";
import { KIND_WORDS } from "./rollout-words.ts";

interface Way {
  readonly action: RolloutAction;
  readonly button: (rollout: RolloutRecord) => string;
  /** Whether the state of the rollout allows it. */
  readonly fits: (rollout: RolloutRecord) => boolean;
  readonly explanation: (rollout: RolloutRecord) => string;
}

const WAYS: readonly Way[] = [
  {
    action: "pause",
    button: () => "Pause",
    fits: ({ state }) => state === "open",
    explanation: () => "Traffic stays as it is and nothing moves on until somebody resumes it. Harm still rolls back.",
  },
  {
    action: "resume",
    button: () => "Resume",
    fits: ({ state }) => state === "paused",
    explanation: () => "The stages go on from where they are, with the evidence gathered meanwhile.",
  },
  {
    action: "promote",
    button: () => "Promote now",
    fits: ({ state }) => state === "open" || state === "paused",
    explanation: ({ champion, challenger }) =>
      `${challenger} takes over from ${champion} with the next request, whatever the evidence says so far.`,
  },
  {
    action: "abort",
    button: () => "Abort",
    fits: ({ state }) => state === "open" || state === "paused",
    explanation: ({ champion, challenger }) =>
      `The rollout ends without a judgement: ${champion} answers everything, ${challenger} goes back to the registry.`,
  },
  {
    action: "rollback",
    button: ({ champion }) => `Roll back to ${champion}`,
    fits: () => true,
    explanation: ({ champion, challenger }) =>
      `${champion} answers everything again, at once; ${challenger} is marked as rolled back, and the team is alerted.`,
  },
];

export function RolloutActions({ rollout }: { readonly rollout: RolloutRecord }) {
  const [open, setOpen] = useState<RolloutAction>();
  const refusal = useRefusal("operator");
  const chosen = WAYS.find(({ action }) => action === open);
  return (
    <>
      {WAYS.filter(({ fits }) => fits(rollout)).map(({ action, button }) => (
        <Button
          key={action}
          variant="default"
          size="compact-md"
          disabled={refusal !== undefined}
          title={refusal}
          onClick={() => setOpen(action)}
        >
          {button(rollout)}
        </Button>
      ))}
      {chosen === undefined ? null : (
        <ChangeDialog key={chosen.action} rollout={rollout} way={chosen} onClose={() => setOpen(undefined)} />
      )}
    </>
  );
}

function ChangeDialog(props: { readonly rollout: RolloutRecord; readonly way: Way; readonly onClose: () => void }) {
  const { rollout, way, onClose } = props;
  const { model, challenger } = rollout;
  const change = useAction("POST /models/:model/rollouts/:action", { model, action: way.action });
  return (
    <ReasonDialog
      isOpen
      title={`${way.button(rollout)}: ${challenger} of ${model}`}
      explanation={way.explanation(rollout)}
      confirm={way.button(rollout)}
      isPending={change.isPending}
      error={change.error}
      onClose={onClose}
      onConfirm={(reason) => change.mutate({ reason }, { onSuccess: onClose })}
    />
  );
}

/** Puts a version into the stages by hand. */
export function StartRollout({ model, champion }: { readonly model: string; readonly champion: string }) {
  const [isOpen, setIsOpen] = useState(false);
  const refusal = useRefusal("operator");
  const versions = useApi("GET /models/:model/versions", { model });
  const others = versions.data?.items.filter(({ name }) => name !== champion) ?? [];
  const why = refusal ?? (others.length === 0 ? `${model} has no version besides its champion.` : undefined);
  return (
    <>
      <Button variant="default" disabled={why !== undefined} title={why} onClick={() => setIsOpen(true)}>
        Start a rollout
      </Button>
      {why === undefined ? null : <p className="dimmed small start-note">{why}</p>}
      {isOpen ? (
        <StartDialog model={model} versions={others.map(({ name }) => name)} onClose={() => setIsOpen(false)} />
      ) : null}
    </>
  );
}

function StartDialog(props: {
  readonly model: string;
  readonly versions: readonly string[];
  readonly onClose: () => void;
}) {
  const { model, versions, onClose } = props;
  const [version, setVersion] = useState(versions[0] ?? "");
  const start = useAction("POST /models/:model/rollouts", { model });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    start.mutate({ version }, { onSuccess: onClose });
  };
  return (
    <Modal opened onClose={onClose} title={`Start a rollout of ${model}`} closeButtonProps={{ "aria-label": "Close" }}>
      <form onSubmit={submit}>
        <Stack gap="md">
          <p>The version enters the first stage of the model's rollout, whatever its gate said.</p>
          <NativeSelect
            label="Version"
            value={version}
            data={[...versions]}
            onChange={(event) => setVersion(event.currentTarget.value)}
            data-autofocus
          />
          <PlanNote model={model} />
          {start.error === null ? null : <Refused error={start.error} />}
          <div className="actions end">
            <Button variant="default" onClick={onClose}>
              Not now
            </Button>
            <Button type="submit" loading={start.isPending}>
              Start
            </Button>
          </div>
        </Stack>
      </form>
    </Modal>
  );
}

/** What it will take, before anybody is exposed to it. */
function PlanNote({ model }: { readonly model: string }) {
  const plan = useApi("GET /models/:model/rollouts/plan", { model });
  if (plan.data === undefined) return null;
  const { stages, power, reason, labelDelayMs } = plan.data;
  const ab = stages.find((one) => one.kind === "ab");
  const isTooSlow = power?.expectedMs != null && ab !== undefined && power.expectedMs > ab.maxMs + labelDelayMs;
  return (
    <div className="card">
      <p>
        {plural(stages.length, "stage")}: {stages.map((one) => KIND_WORDS[one.kind]).join(", ")}.
      </p>
      <p className="dimmed small">
        {power === null
          ? reason
          : `To find a difference of ${number(power.effect)} with 80 % probability the A/B needs about ${plural(power.rows, "labelled row")}${
              power.expectedMs === null
                ? "; none arrive at present"
                : `, about ${duration(power.expectedMs)} at the present rate`
            }${ab === undefined ? "" : `; it lasts at most ${duration(ab.maxMs)}`}.`}
      </p>
      {isTooSlow ? (
        <p className="plan-note">
          At this rate it ends without evidence for a difference that small: more traffic, a larger margin or a longer
          maximum would change that.
        </p>
      ) : null}
    </div>
  );
}
