/** Writing a rollout's change: one transaction, then this replica follows the routing it made. */
import { type RolloutChange, type RolloutRecord, type Routing, stopPoint } from "../../core/index.ts";
import type { RolloutStep } from "../../deploy/advance.ts";
import { raiseAlert } from "../alerts.ts";
import type { LoopContext } from "../context.ts";
import { afterPromotion } from "../promote.ts";

/** @returns the routing after it (the old one where it did not change); undefined when another process was first */
export async function saveChange(context: LoopContext, change: RolloutChange): Promise<Routing | undefined> {
  stopPoint(`rollout.${change.action}.before`);
  const result = await context.store.rollouts.change(change);
  stopPoint(`rollout.${change.action}.committed`);
  if (!result.applied) return undefined;
  const { rollout } = change;
  if (result.routing !== undefined) await context.routing.sync(rollout.model);
  context.ticks.dirty.add(rollout.model);
  context.emit("rollout.updated", rollout.model, {
    rollout: rollout.id,
    state: rollout.state,
    action: change.action,
    reason: change.reason,
  });
  return result.routing ?? (await context.store.registry.routing(rollout.model));
}

export async function applyStep(
  context: LoopContext,
  before: RolloutRecord,
  step: RolloutStep,
  actor = "retrain",
): Promise<Routing | undefined> {
  if (step.kind !== "move") return undefined;
  const at = context.worldClock.now();
  const routing = await saveChange(context, {
    rollout: { ...step.rollout, revision: before.revision + 1 },
    ...(step.routing === undefined ? {} : { routing: step.routing }),
    actor,
    action: step.action,
    reason: step.reason,
    at,
    details: { rollout: before.id, phase: before.phases.length - 1 },
  });
  if (routing !== undefined) await tell(context, step.rollout, step);
  return routing;
}

async function tell(context: LoopContext, rollout: RolloutRecord, step: Extract<RolloutStep, { kind: "move" }>) {
  const { model, challenger } = rollout;
  if (step.action === "promote") {
    await afterPromotion(context, { model, version: challenger, action: "promotion", reason: step.reason });
  }
  if (step.action !== "rollback") return;
  if (rollout.phases.at(-1)?.kind === "watch") {
    await afterPromotion(context, { model, version: rollout.champion, action: "rollback", reason: step.reason });
  }
  await raiseAlert(context, {
    model,
    key: `rollout.rolled-back:${rollout.id}`,
    type: "rollout.rolled-back",
    severity: "critical",
    title: `${challenger} of ${model} was rolled back`,
    message: step.reason,
    evidence: { rollout: rollout.id, champion: rollout.champion, challenger },
  });
}
