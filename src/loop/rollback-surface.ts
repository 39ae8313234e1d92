/** What the loop offers about going back, before anybody does. Built by `rollback.ts`. */

export interface RollbackPlan {
  readonly model: string;
  /** The version that would stop answering: the challenger of an open rollout, else the champion. Null where none is live. */
  readonly from: string | null;
  /** The version that would answer all requests. Null where there is none to go back to. */
  readonly to: string | null;
  /** Whether an open rollout would end by it. */
  readonly endsRollout: boolean;
  /** Set where it would be refused. */
  readonly refusal: { readonly message: string; readonly remedy: string } | null;
}

export interface RollbackSurface {
  /** What a rollback would do now. Changes nothing. */
  rollbackPlan(model: string): Promise<RollbackPlan>;
}
