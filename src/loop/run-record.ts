/**
 * What surrounds the steps of a run: reading its record, recording each step before and after, ending it, and containing its
 * failure. A failing run is marked, the team alerted, and the champion keeps serving.
 */
import type { ModelSpec } from "../config/spec.ts";
import {
  asRetrainError,
  type JsonObject,
  type RetrainError,
  type RunRecord,
  type RunState,
  type RunStepName,
  type StepControl,
  stopPoint,
  type WorkflowContext,
} from "../core/index.ts";
import { raiseAlert, resolveAlert } from "./alerts.ts";
import { type LoopContext, modelSpec } from "./context.ts";
import { removeRunFolder, runFolder } from "./run-folder.ts";

export type RunInput = { readonly runId: string; readonly model: string };

/** What a step hands on; JSON, because the engine keeps it over a crash. */
export interface StepResult {
  /** Short texts for the status table. */
  readonly input: string;
  readonly output: string;
  /** For later steps and for the console. */
  readonly data: JsonObject;
  /** Ends the run after this step. */
  readonly stop?: { readonly state: RunState; readonly reason: string } & (
    | { readonly code?: undefined }
    | { readonly code: string; readonly remedy: string }
  );
}
export interface StepInput {
  readonly context: LoopContext;
  readonly run: RunRecord;
  readonly spec: ModelSpec;
  readonly folder: string;
  readonly control: StepControl;
  readonly attempt: number;
  /** Data of the steps before. */
  readonly results: Readonly<Partial<Record<RunStepName, JsonObject>>>;
}
export interface RunStep {
  readonly name: RunStepName;
  readonly run: (input: StepInput) => Promise<StepResult>;
}

/** A text out of a step's data; empty where there is none. */
export function textOf(data: JsonObject | undefined, key: string): string {
  const value = data?.[key];
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

export interface OpenRun {
  readonly context: LoopContext;
  readonly workflow: WorkflowContext;
  readonly record: RunRecord;
  readonly spec: ModelSpec;
  readonly folder: string;
  readonly attempt: number;
  readonly startedMs: number;
  readonly results: Partial<Record<RunStepName, JsonObject>>;
  stop: StepResult["stop"];
}

export async function openRun(context: LoopContext, workflow: WorkflowContext, input: RunInput): Promise<OpenRun> {
  const { runs, registry } = context.store;
  const now = context.worldClock.now();
  const attempt = await runs.beginAttempt(input.runId, now);
  const record = await runs.get(input.runId);
  if (record === undefined) throw new Error(`run ${input.runId} has no record`);
  const revision = await registry.definition(record.model, record.definitionRevision);
  const spec = (revision?.definition ?? modelSpec(context, record.model)) as unknown as ModelSpec;
  await runs.update(record.id, attempt, { state: "running", startedAt: record.startedAt ?? now });
  announce(context, record.id, record.model, "running");
  return {
    context,
    workflow,
    record,
    spec,
    folder: runFolder(context.directory, record.id),
    attempt,
    startedMs: context.systemClock.monotonicMs(),
    results: {},
    stop: undefined,
  };
}

/** Does one step through the engine. @returns true when it ends the run. */
export async function recordedStep(run: OpenRun, step: RunStep): Promise<boolean> {
  const outcome = (await run.workflow.step(
    step.name,
    async (control) => (await performStep(run, step, control)) as never,
  )) as unknown as StepResult;
  run.results[step.name] = outcome.data;
  if (outcome.stop === undefined) return false;
  run.stop = outcome.stop;
  // A refused or held candidate is registered all the same; only the steps that would act on it are left out.
  return step.name !== "gate";
}

async function performStep(run: OpenRun, step: RunStep, control: StepControl): Promise<StepResult> {
  const { context, record, attempt } = run;
  const { runs } = context.store;
  const startedAt = context.worldClock.now();
  const startedMs = context.systemClock.monotonicMs();
  const base = { step: step.name, attempt, startedAt };
  const skipped = skippedStep(run, step);
  if (skipped !== undefined) {
    await runs.recordStep(record.id, attempt, { ...base, state: "skipped", output: skipped.output });
    return skipped;
  }
  await runs.recordStep(record.id, attempt, { ...base, state: "running" });
  stopPoint(`${step.name}.begun`);
  announce(context, record.id, record.model, "running", step.name);
  const finish = (
    state: "done" | "stopped" | "failed",
    rest: { input?: string; output?: string; details?: JsonObject },
  ) =>
    runs.recordStep(record.id, attempt, {
      ...base,
      state,
      endedAt: context.worldClock.now(),
      durationMs: context.systemClock.monotonicMs() - startedMs,
      ...rest,
    });
  try {
    const { spec, folder, results } = run;
    const outcome = await step.run({ context, run: record, spec, folder, control, attempt, results });
    stopPoint(`${step.name}.done`);
    await finish(outcome.stop === undefined || step.name === "gate" ? "done" : "stopped", {
      input: outcome.input,
      output: outcome.output,
      details: outcome.data,
    });
    stopPoint(`${step.name}.recorded`);
    return outcome;
  } catch (error) {
    const failure = causeOf(run, error);
    if (!isInterruption(failure)) await finish("failed", { output: `${failure.code}: ${failure.message}` });
    throw failure;
  }
}

/** Steps that only a training run does: a held version that is gated again is trained already. */
const TRAINING_STEPS: ReadonlySet<RunStepName> = new Set(["assess", "prepare", "train"]);

function skippedStep(run: OpenRun, step: RunStep): StepResult | undefined {
  if (step.name === "rollout" && run.stop !== undefined) {
    return { input: "", output: `skipped: ${run.stop.state}`, data: {}, stop: run.stop };
  }
  const { regate } = run.record;
  if (regate === undefined || !TRAINING_STEPS.has(step.name)) return undefined;
  return { input: "", output: `skipped: ${regate.version} is trained`, data: {} };
}

/** A step cut short fails in its own words (a canceled job, a closed file); why it was cut short is what counts. */
function causeOf(run: OpenRun, error: unknown): RetrainError {
  const { signal } = run.workflow;
  return asRetrainError(signal.aborted ? signal.reason : error);
}

/** The process is going down, or a newer attempt took over: the run is not over, somebody resumes it. */
export function isInterruption(error: RetrainError): boolean {
  return error.code === "ENGINE_STOPPED" || error.code === "ATTEMPT_STALE";
}

export async function finishRun(run: OpenRun): Promise<JsonObject> {
  const { context, record } = run;
  const state: RunState = run.stop?.state ?? "promoted";
  await run.workflow.step("finish", async () => {
    const endedAt = context.worldClock.now();
    await context.store.runs.update(record.id, run.attempt, {
      state,
      endedAt,
      durationMs: context.systemClock.monotonicMs() - run.startedMs,
      ...(run.stop?.code === undefined
        ? {}
        : { error: { code: run.stop.code, message: run.stop.reason, remedy: run.stop.remedy } }),
    });
    stopPoint("finish.updated");
    await reportEnd(run, state);
    stopPoint("finish.reported");
    await removeRunFolder(context, record.id);
    return null;
  });
  announceEnd(run, state);
  return { state };
}

async function reportEnd(run: OpenRun, state: RunState): Promise<void> {
  const { context, record } = run;
  const evidence: JsonObject = {
    runId: record.id,
    cause: record.cause.reason,
    ...(run.results.gate ?? run.results.assess),
  };
  const name = record.model;
  if (state === "promoted") {
    for (const type of ["gate.rejected", "gate.held", "run.failed", "run.stopped"]) {
      await resolveAlert(
        context,
        `${type}:${name}`,
        `Run ${record.id} put ${textOf(run.results.register, "version") || "a new version"} live.`,
      );
    }
    return;
  }
  const texts = {
    rejected: ["gate.rejected", "warning", `Candidate of ${name} refused`],
    held: ["gate.held", "info", `Candidate of ${name} held`],
    stopped: ["run.stopped", "warning", `Run of ${name} stopped`],
  } as const;
  if (state !== "rejected" && state !== "held" && state !== "stopped") return;
  const [type, severity, title] = texts[state];
  await raiseAlert(context, {
    model: name,
    key: `${type}:${name}`,
    type,
    severity,
    title,
    message: run.stop?.reason ?? "",
    evidence,
  });
}

/** Marks the run failed or canceled, unless it was interrupted and will be resumed. */
export async function recordFailure(run: OpenRun, error: unknown): Promise<JsonObject> {
  const { context, record } = run;
  const failure = causeOf(run, error);
  if (isInterruption(failure)) throw failure;
  const state: RunState = failure.code === "TRAINER_CANCELED" ? "canceled" : "failed";
  await run.workflow.step("fail", async () => {
    await context.store.runs.update(record.id, run.attempt, {
      state,
      endedAt: context.worldClock.now(),
      durationMs: context.systemClock.monotonicMs() - run.startedMs,
      error: { code: failure.code, message: failure.message, remedy: failure.remedy },
    });
    if (state === "failed") {
      const { model } = record;
      await raiseAlert(context, {
        model,
        key: `run.failed:${model}`,
        type: "run.failed",
        severity: "critical",
        title: `Run of ${model} failed`,
        message: alertText(failure),
        evidence: { runId: record.id, code: failure.code, ...failure.details },
      });
    }
    await removeRunFolder(context, record.id);
    return null;
  });
  announceEnd(run, state);
  context.logger.error({ model: record.model, runId: record.id, code: failure.code }, failure.message);
  return { state, code: failure.code };
}

/** The last lines of a program end where they ended; whoever reads the alert first wants to know that answers go on. */
function alertText({ code, message, remedy }: Pick<RetrainError, "code" | "message" | "remedy">): string {
  const gap = message.includes("\n") ? "\n" : " ";
  const goesOn = remedy.includes("champion keeps serving") ? "" : " The champion keeps serving.";
  return `${code}: ${message}${gap}${remedy}${goesOn}`;
}

export function announce(
  context: LoopContext,
  runId: string,
  model: string,
  state: RunState,
  step?: RunStepName,
): void {
  context.emit("run.updated", model, { runId, state, ...(step === undefined ? {} : { step }) });
}

function announceEnd(run: OpenRun, state: RunState): void {
  const { context, record } = run;
  const durationMs = context.systemClock.monotonicMs() - run.startedMs;
  context.emit("run.updated", record.model, { runId: record.id, state, durationMs });
}
