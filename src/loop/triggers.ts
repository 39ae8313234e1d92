/** Why did it (not) retrain? The policy judged on what is known now, node by node, with every guard; nothing is written. */
import {
  evaluateTrigger,
  type GuardStanding,
  guardStandings,
  nextScheduledAt,
  type TriggerJudgement,
} from "../trigger/index.ts";
import { type LoopContext, modelSpec } from "./context.ts";
import type { TriggerExplanation } from "./monitor-contract.ts";
import { gatherGuardState, gatherTriggerState } from "./tick-state.ts";

export async function explainTriggers(context: LoopContext, model: string): Promise<TriggerExplanation> {
  const spec = modelSpec(context, model);
  const now = context.worldClock.now();
  const state = await gatherTriggerState(context, spec, now);
  const evaluation = evaluateTrigger(spec.retrain.when, state);
  const guards = guardStandings(await gatherGuardState(context, spec, state), evaluation.trigger);
  const refusing = guards.find((one) => one.refuses);
  const fires = evaluation.outcome === "yes";
  const { lastRun, lastRunAt, champion } = state;
  const next = nextScheduledAt(spec.retrain.when, now, { lastRunAt, champion, since: evaluation.since });
  return {
    model,
    at: now,
    answer: answerOf(evaluation.outcome, evaluation.reason, refusing),
    wouldStart: fires && refusing === undefined,
    triggers: evaluation.judgement,
    first: evaluation.first ?? null,
    guards,
    lastRun:
      lastRun === undefined
        ? null
        : {
            id: lastRun.id,
            state: lastRun.state,
            queuedAt: lastRun.queuedAt,
            trigger: lastRun.cause.trigger,
            reason: lastRun.cause.reason,
          },
    nextAt: next ?? null,
  };
}

function answerOf(outcome: TriggerJudgement["outcome"], reason: string, refusing: GuardStanding | undefined): string {
  if (outcome === "cannot-tell") return "It does not retrain now: no trigger fires, and not every one can tell.";
  if (outcome === "no")
    return `It does not retrain now: ${reason === "No trigger fired." ? "no trigger fires." : reason}`;
  return refusing === undefined
    ? `It retrains at the next tick: ${reason}`
    : `A trigger fires (${reason.replace(/\.$/, "")}), but the guard "${refusing.guard}" holds it back: ${refusing.reason}`;
}
