/** A person's word about a version: kept, audited, and heard at once where the version is held for it. */
import { type ApprovalRecord, fail, type Role, uuidV7 } from "../core/index.ts";
import { type LoopContext, modelSpec } from "./context.ts";
import { requireVersion } from "./promote.ts";

export interface ApprovalRequest {
  readonly model: string;
  readonly version: string;
  readonly verdict: ApprovalRecord["verdict"];
  readonly person: string;
  readonly role: Role;
  readonly reason: string;
}

/** @throws MODEL_UNKNOWN, VERSION_UNKNOWN, CONFLICT when no gate of the model asks for it */
export async function recordApproval(context: LoopContext, request: ApprovalRequest): Promise<ApprovalRecord> {
  const { model, version, ...word } = request;
  const spec = modelSpec(context, model);
  await requireVersion(context, model, version);
  if (!spec.gates.some(({ kind }) => kind === "approval")) {
    throw fail("CONFLICT", {
      message: `No gate of ${model} asks for approval; nobody would read it.`,
      remedy: "Add gate.approval() to the model, or promote the version by hand with a reason.",
    });
  }
  const at = context.worldClock.now();
  const approval: ApprovalRecord = { id: uuidV7(at), model, version, ...word, at };
  await context.store.gates.addApproval(approval);
  await context.store.settings.audit({
    at,
    actor: word.person,
    action: `version.${word.verdict}`,
    subject: `${model}/${version}`,
    details: { role: word.role, reason: word.reason },
  });
  context.emit("version.approval", model, { version, verdict: word.verdict, person: word.person });
  return approval;
}
