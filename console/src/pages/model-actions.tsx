/** Train now and roll back. */
import { Button, Modal, NativeSelect, Stack, TextInput } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import type { RollbackPlan, TrainingStrategy } from "../../../src/server/contract.ts";
import { useAction } from "../api/actions.ts";
import { useApi } from "../api/queries.ts";
import { Refused } from "../parts/feedback.tsx";
import { ReasonDialog } from "../parts/reason-dialog.tsx";

const STRATEGIES: readonly { value: TrainingStrategy | ""; label: string }[] = [
  { value: "", label: "As the model's description says" },
  { value: "full", label: "Full: from nothing, on the whole window" },
  { value: "warm-start", label: "Warm start: from the champion's weights" },
  { value: "incremental", label: "Incremental: new rows only" },
  { value: "transfer", label: "Transfer: from another model's layers, as described" },
  { value: "best", label: "Best: several ways, as described, and the gate judges the best" },
];

export function ModelActions({ model, champion }: { readonly model: string; readonly champion: string | null }) {
  const [open, setOpen] = useState<"train" | "rollback">();
  const rollback = useAction("POST /models/:model/rollback", { model });
  const close = () => setOpen(undefined);
  const plan = useApi("GET /models/:model/rollback", { model }, { enabled: open === "rollback" }).data;
  return (
    <>
      <Button onClick={() => setOpen("train")}>Train now</Button>
      <Button variant="default" disabled={champion === null} onClick={() => setOpen("rollback")}>
        Roll back
      </Button>
      <TrainDialog model={model} isOpen={open === "train"} onClose={close} />
      <ReasonDialog
        isOpen={open === "rollback"}
        title={`Roll back ${model}`}
        explanation={rollbackWords(plan)}
        confirm={plan?.to == null ? "Roll back" : `Roll back to ${plan.to}`}
        isImpossible={plan?.to == null}
        isPending={rollback.isPending}
        error={rollback.error}
        onClose={close}
        onConfirm={(reason) => rollback.mutate({ reason }, { onSuccess: close })}
      />
    </>
  );
}

function rollbackWords(plan: RollbackPlan | undefined): string {
  if (plan === undefined) return "Reading which version answers after it …";
  const { from, to, endsRollout, refusal } = plan;
  if (refusal !== null) return `${refusal.message} ${refusal.remedy}`;
  const ends = endsRollout ? " The open rollout ends." : "";
  return `${from ?? "The champion"} stops answering, and ${to} answers from the next request on.${ends}`;
}

function TrainDialog(props: { readonly model: string; readonly isOpen: boolean; readonly onClose: () => void }) {
  const { model, isOpen, onClose } = props;
  const [reason, setReason] = useState("");
  const [strategy, setStrategy] = useState<TrainingStrategy | "">("");
  const start = useAction("POST /models/:model/runs", { model });
  const navigate = useNavigate();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const body = {
      ...(reason.trim() === "" ? {} : { reason: reason.trim() }),
      ...(strategy === "" ? {} : { strategy }),
    };
    start.mutate(body, {
      onSuccess: ({ run }) => {
        onClose();
        void navigate({ to: "/runs/$id", params: { id: run.id } });
      },
    });
  };
  return (
    <Modal opened={isOpen} onClose={onClose} title={`Train ${model} now`} closeButtonProps={{ "aria-label": "Close" }}>
      <form onSubmit={submit}>
        <Stack gap="md">
          <p>
            The candidate must pass the same gates as any other; the champion answers until then. If a run is open
            already, this joins it.
          </p>
          <NativeSelect
            label="Strategy"
            value={strategy}
            data={[...STRATEGIES]}
            onChange={(event) => setStrategy(event.currentTarget.value as TrainingStrategy | "")}
          />
          <TextInput
            label="Reason"
            placeholder="asked for by hand"
            value={reason}
            maxLength={500}
            onChange={(event) => setReason(event.currentTarget.value)}
            data-autofocus
          />
          {start.error === null ? null : <Refused error={start.error} />}
          <div className="actions end">
            <Button variant="default" onClick={onClose}>
              Not now
            </Button>
            <Button type="submit" loading={start.isPending}>
              Start the run
            </Button>
          </div>
        </Stack>
      </form>
    </Modal>
  );
}
