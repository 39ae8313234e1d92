/** What people said of a version, and the two words one can say, where a gate asks for them. */
import { Button } from "@mantine/core";
import { useState } from "react";
import type { VersionRecord } from "../../../src/server/contract.ts";
import { useAction } from "../api/actions.ts";
import { useApi } from "../api/queries.ts";
import { DataTable } from "../parts/layout.tsx";
import { ReasonDialog } from "../parts/reason-dialog.tsx";
import { Time } from "../parts/time.tsx";

export function ApprovalPanel({ version }: { readonly version: VersionRecord }) {
  const isAsked = version.gate.checks.some(({ gate }) => gate.startsWith("approval("));
  return isAsked ? <Approvals version={version} /> : null;
}

function Approvals({ version }: { readonly version: VersionRecord }) {
  const { model, name } = version;
  const [verdict, setVerdict] = useState<"approve" | "refuse" | null>(null);
  const words = useApi("GET /models/:model/versions/:version/approvals", { model, version: name });
  const say = useAction("POST /models/:model/versions/:version/approvals", { model, version: name });
  const items = words.data?.items ?? [];
  const close = () => setVerdict(null);
  const verb = verdict === "refuse" ? "Refuse" : "Approve";
  return (
    <>
      {items.length === 0 ? null : (
        <DataTable label={`What people said of ${name}`} head={["Person", "Role", "Said", "Why", "When (UTC)"]}>
          {items.map((one) => (
            <tr key={one.id}>
              <td className="strong">{one.person}</td>
              <td>{one.role}</td>
              <td>{one.verdict === "approve" ? "approved" : "refused"}</td>
              <td className="text">{one.reason}</td>
              <td>
                <Time at={one.at} />
              </td>
            </tr>
          ))}
        </DataTable>
      )}
      <div className="actions">
        <Button onClick={() => setVerdict("approve")}>Approve</Button>
        <Button variant="default" onClick={() => setVerdict("refuse")}>
          Refuse
        </Button>
      </div>
      <ReasonDialog
        isOpen={verdict !== null}
        title={`${verb} ${name}`}
        explanation={
          verdict === "refuse"
            ? `The gate refuses ${name} for good; the champion keeps serving.`
            : `Where approval is all that is missing, the gate of ${name} is judged again at once, on the same evidence.`
        }
        confirm={`${verb} ${name}`}
        isPending={say.isPending}
        error={say.error}
        onClose={close}
        onConfirm={(reason) => say.mutate({ reason, verdict: verdict ?? "approve" }, { onSuccess: close })}
      />
    </>
  );
}
