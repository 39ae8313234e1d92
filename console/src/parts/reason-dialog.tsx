/** Actions that change what is live ask for a typed reason, which goes into the decision and the audit log. */
import { Button, Modal, Stack, Textarea } from "@mantine/core";
import { type FormEvent, type ReactNode, useState } from "react";
import type { ApiError } from "../api/client.ts";
import { Refused } from "./feedback.tsx";

export function ReasonDialog(props: {
  readonly isOpen: boolean;
  readonly title: string;
  readonly explanation: ReactNode;
  readonly confirm: string;
  readonly isPending: boolean;
  /** Nothing to confirm: the explanation says why. */
  readonly isImpossible?: boolean;
  readonly error: ApiError | null;
  readonly onConfirm: (reason: string) => void;
  readonly onClose: () => void;
}) {
  const [reason, setReason] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (reason.trim() !== "") props.onConfirm(reason.trim());
  };
  return (
    <Modal
      opened={props.isOpen}
      onClose={props.onClose}
      title={props.title}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <form onSubmit={submit}>
        <Stack gap="md">
          <p>{props.explanation}</p>
          <Textarea
            label="Reason"
            description="Kept with the decision and in the audit log."
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
            maxLength={500}
            rows={3}
            required
            data-autofocus
          />
          {props.error === null ? null : <Refused error={props.error} />}
          <div className="actions end">
            <Button variant="default" onClick={props.onClose}>
              Leave it as it is
            </Button>
            <Button
              type="submit"
              loading={props.isPending}
              disabled={reason.trim() === "" || props.isImpossible === true}
            >
              {props.confirm}
            </Button>
          </div>
        </Stack>
      </form>
    </Modal>
  );
}
