/** One look at a model: advance the folds, judge the triggers on what is known, apply the guards, start at most one run. */
import type { DecisionRecord, Instant } from "../core/index.ts";
import { applyGuards, evaluateTrigger, type GuardResult } from "../trigger/index.ts";
import { absorb } from "./absorb.ts";
import { reportConceptDrift } from "./concept-drift.ts";
import { type LoopContext, modelSpec } from "./context.ts";
import { countProfiles, monitorDrift } from "./drift.ts";
import { judgeHeld } from "./held.ts";
import { advanceIncremental } from "./incremental/advance.ts";
import { labelSilence } from "./silence.ts";
import { tickLabeling } from "./labeling/index.ts";
import { tickRollout } from "./rollouts/drive.ts";
import { startRun } from "./start-run.ts";
import { gatherGuardState, gatherTriggerState, isQuiet, rememberTick, tickSettings } from "./tick-state.ts";

export interface TickResult {
  /** Nothing could have changed since the last tick. */
  readonly skipped: boolean;
  readonly decisions: readonly DecisionRecord[];
  readonly runId?: string;
}

const NOT_STARTED: GuardResult = { start: false, decisions: [], heldUntil: null };

export async function tick(context: LoopContext, model: string, at: Instant): Promise<TickResult> {
  const spec = modelSpec(context, model);
  if (await isQuiet(context, spec, at)) return { skipped: true, decisions: [] };
  await labelSilence(context, spec, at);
  const reviewsDueAt = await tickLabeling(context, spec, at);
  const { isCounted } = await advanceFolds(context, model);
  await context.states.keep(model);
  const learningDueAt = await advanceIncremental(context, spec, at);
  const driftDueAt = await monitorDrift(context, spec, { at, isCounted });

  const rollout = await tickRollout(context, model, at);
  const state = await gatherTriggerState(context, spec, at);
  const concept = await reportConceptDrift(context, spec, state.conceptWatch, at);
  const evaluation = evaluateTrigger(spec.retrain.when, state);
  // Guards stand between a trigger that fired and a run; a quiet tick need not ask for them.
  const guards = evaluation.outcome === "yes" ? await gatherGuardState(context, spec, state) : undefined;
  const guarded = guards === undefined ? NOT_STARTED : applyGuards(evaluation, guards);
  const judged = [...evaluation.decisions, ...guarded.decisions].map((decision) => ({ ...decision, model, at }));
  const isHeld = guarded.heldUntil !== null;
  const settings = tickSettings(spec, state, { isHeld, since: evaluation.since });
  const recorded = await context.store.decisions.recordAll(
    [...concept.decisions, ...judged],
    // Before a run is made, what made it must not count as seen.
    guarded.start ? concept.marks : { ...concept.marks, ...settings },
  );
  const decisions = recorded.slice(concept.decisions.length);
  await concept.announce();
  context.emit("decision", model, { count: decisions.length, outcome: evaluation.outcome });

  // A new training sees the rows a held version waits for, and more: it comes first. Only where nothing is live an imported one
  // comes before it: it is there already, and may be all that is needed.
  const mayWait = guarded.start && evaluation.trigger === "first";
  const held = guarded.start && !mayWait ? undefined : await judgeHeld(context, spec, at, { importedOnly: mayWait });
  const nextDueAt = Math.min(
    guarded.heldUntil ?? Number.POSITIVE_INFINITY,
    held?.nextDueAt ?? Number.POSITIVE_INFINITY,
    driftDueAt,
    reviewsDueAt,
    learningDueAt,
    rollout.nextDueAt,
  );
  if (guarded.start) await context.store.settings.setAll(settings);
  rememberTick(context, spec, state, { nextDueAt, since: evaluation.since });
  if (!guarded.start && held?.due === undefined) return { skipped: false, decisions };
  const cause = {
    trigger: evaluation.trigger,
    reason: evaluation.reason,
    decisionIds: decisions.map((decision) => decision.id),
  };
  const { run } = await startRun(context, { model, ...(held?.due ?? { cause }) });
  return { skipped: false, decisions, runId: run.id };
}

/** Brings the counts of a model up to what is in the log. @returns whether nothing is left to count of its profiles */
export async function advanceFolds(context: LoopContext, model: string): Promise<{ readonly isCounted: boolean }> {
  const [isCounted] = await together(
    countProfiles(context, modelSpec(context, model)),
    // The store has the counts by then, and commits them while the labels are joined here.
    othersTurn().then(() => absorb(context, model)),
  );
  return { isCounted };
}

const othersTurn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** Two folds of the same rows: one counts while the other waits for the store. Both have ended when this returns or throws. */
async function together<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([one, other]);
  return Promise.all([one, other]);
}
