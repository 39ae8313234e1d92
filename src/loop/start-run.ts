/**
 * Starting a run: one open run per model, its record first, then the engine. A crash between the two leaves a queued record
 * without a workflow; `resumeQueued` enqueues it again at start, and enqueuing twice is the same as once.
 */
import { fail, type RunRecord, seedFrom, type TrainingStrategy, type TriggerCause, uuidV7 } from "../core/index.ts";
import { definitionRevision } from "../config/index.ts";
import type { ModelSpec } from "../config/spec.ts";
import { type LoopContext, modelSpec } from "./context.ts";
import { removeEndedFolders, removeRunFolder } from "./run-folder.ts";
import { announce } from "./run-record.ts";

export const RUN_WORKFLOW = "run";
const RUN_QUEUE = "runs";

export interface RunRequest {
  readonly model: string;
  readonly cause: TriggerCause;
  readonly strategy?: TrainingStrategy;
  /** Gates a held version again instead of training. */
  readonly regate?: RunRecord["regate"];
}

/** @returns the new run, or the open one it was coalesced into. */
export async function startRun(
  context: LoopContext,
  request: RunRequest,
): Promise<{ readonly run: RunRecord; readonly coalesced: boolean }> {
  const { store, worldClock } = context;
  const spec = modelSpec(context, request.model);
  const at = worldClock.now();
  const champion = await store.registry.champion(request.model);
  const revision = definitionRevision(spec);
  await store.registry.saveDefinition({ model: spec.name, revision, definition: spec as never, createdAt: at });
  const id = uuidV7(at);
  const strategy = strategyOf(spec, request.strategy, champion !== undefined);
  const number = await store.runs.countSince(request.model, 0);
  const run: RunRecord = {
    id,
    model: request.model,
    definitionRevision: revision,
    state: "queued",
    strategy,
    cause: request.cause,
    queuedAt: at,
    asOf: at,
    // Not from the id: the same history with the same configuration must train the same models.
    seed: seedFrom(spec.seed, request.model, number),
    ...(champion === undefined ? {} : { champion: champion.name }),
    ...(request.regate === undefined ? {} : { regate: request.regate }),
    steps: [],
    attempt: 0,
  };
  if (!(await store.runs.create(run))) {
    const open = await store.runs.active(request.model);
    // It may have ended between the two statements: then there is room now.
    if (open === undefined) return startRun(context, request);
    if (open.regate !== undefined && request.regate === undefined) {
      // Nobody who asks for a training has got one when a held version is judged again; that takes about a second.
      await context.engine.wait(open.id);
      return startRun(context, request);
    }
    return { run: open, coalesced: true };
  }
  await enqueue(context, run);
  announce(context, run.id, run.model, "queued");
  return { run, coalesced: false };
}

/**
 * Without a champion there is nothing of its own to go on from; a transfer starts from another model, `best` leaves out what cannot be done.
 * @throws CONFIG_INVALID for a strategy asked for by hand that the definition says nothing about
 */
function strategyOf(spec: ModelSpec, asked: TrainingStrategy | undefined, hasChampion: boolean): TrainingStrategy {
  const { how, transfer, best } = spec.retrain;
  const wanted = asked ?? how;
  if ((wanted === "transfer" && transfer === undefined) || (wanted === "best" && best === undefined)) {
    throw fail("CONFIG_INVALID", {
      message: `${spec.name} was asked for the strategy "${wanted}", but its definition does not describe one.`,
      remedy: `Write \`how: ${wanted}({ … })\` in its \`retrain\`, or ask for full, warm-start or incremental.`,
    });
  }
  return hasChampion || wanted === "transfer" || wanted === "best" ? wanted : "full";
}

async function enqueue(context: LoopContext, run: RunRecord): Promise<void> {
  await context.engine.enqueue({
    workflow: RUN_WORKFLOW,
    id: run.id,
    queue: RUN_QUEUE,
    partition: run.model,
    input: { runId: run.id, model: run.model },
  });
}

/** After a restart: records whose workflow was never enqueued start now, records whose workflow has ended without them are closed. */
export async function resumeQueued(context: LoopContext): Promise<void> {
  const open = await context.store.runs.list({ states: ["queued", "running"], limit: 1_000 });
  for (const run of open) {
    const status = await context.engine.status(run.id);
    if (status === undefined) await enqueue(context, run);
    else if (status.state === "canceled" || status.state === "failed") await closeRun(context, run.id, status.state);
  }
  await removeEndedFolders(context);
}

/** Ends a record whose workflow can no longer do it. */
export async function closeRun(context: LoopContext, id: string, state: "canceled" | "failed"): Promise<void> {
  const { runs } = context.store;
  const run = await runs.get(id);
  if (run === undefined || (run.state !== "queued" && run.state !== "running")) return;
  const at = context.worldClock.now();
  const attempt = await runs.beginAttempt(id, at);
  // What was under way ended with it: a step that runs in a run that has ended would run for ever.
  const ended = state === "canceled" ? ({ state: "stopped", output: "canceled" } as const) : ({ state } as const);
  for (const step of run.steps)
    if (step.state === "running") await runs.recordStep(id, attempt, { ...step, ...ended, attempt, endedAt: at });
  await runs.update(id, attempt, { state, endedAt: at });
  await removeRunFolder(context, id);
  announce(context, id, run.model, state);
}
