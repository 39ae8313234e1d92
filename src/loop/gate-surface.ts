/** What the loop offers about gates: people's approval. Built by `approvals.ts`. */
import type { ApprovalRecord, Role } from "../core/index.ts";

export interface GateSurface {
  /**
   * A person approves or refuses a version. Where it is held for that, its gate is judged again at once, on the same evidence.
   * @throws VERSION_UNKNOWN, CONFLICT when no gate of the model asks for approval
   */
  approve(request: {
    readonly model: string;
    readonly version: string;
    readonly verdict: ApprovalRecord["verdict"];
    readonly person: string;
    readonly role: Role;
    readonly reason: string;
  }): Promise<{ readonly approval: ApprovalRecord; readonly runId: string | null }>;
}
