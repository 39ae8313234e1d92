/** What a rollback would do, by the same rules as the rollback itself. */
import { RetrainError } from "../core/index.ts";
import { type LoopContext, modelSpec } from "./context.ts";
import { previousChampion } from "./promote.ts";
import type { RollbackPlan } from "./rollback-surface.ts";

export async function planRollback(context: LoopContext, name: string): Promise<RollbackPlan> {
  const { rollouts, registry } = context.store;
  const model = modelSpec(context, name).name;
  const active = await rollouts.active(model);
  if (active !== undefined)
    return { model, from: active.challenger, to: active.champion, endsRollout: true, refusal: null };
  const champion = await registry.champion(model);
  const plan = { model, from: champion?.name ?? null, endsRollout: false };
  try {
    return { ...plan, to: (await previousChampion(context, model)).name, refusal: null };
  } catch (error) {
    if (!(error instanceof RetrainError) || error.code !== "ROLLBACK_IMPOSSIBLE") throw error;
    return { ...plan, to: null, refusal: { message: error.message, remedy: error.remedy } };
  }
}
