/**
 * The train step of the strategy `best`: one candidate after the other, each with its own trace and cost, within the budget; then
 * the choice. What a candidate came to is written beside its files, so a run that was killed goes on with the next one.
 */
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  asRetrainError,
  type CandidateChoice,
  type Json,
  type JsonObject,
  plural,
  type RetrainError,
  stopPoint,
  type TracePoint,
  type TriedCandidate,
} from "../../core/index.ts";

import { isInterruption, type StepInput, type StepResult } from "../run-record.ts";
import {
  type BestCandidate,
  type BestSpec,
  candidateFolder,
  candidateInput,
  candidateNames,
} from "../../train/index.ts";
import { baseInput, runBase } from "./base.ts";
import { jobInput, jobOptions, runJob } from "./job.ts";

/** A curve of more points shows nothing more. */
const TRACE_POINTS = 60;

interface Trained {
  readonly result: JsonObject;
  readonly durationMs: number;
  readonly trace: readonly TracePoint[];
}

export async function trainBest(input: StepInput): Promise<StepResult> {
  const { best } = input.spec.retrain as { readonly best: BestSpec };
  const prepared = input.results.prepare?.candidates as unknown as readonly JsonObject[];
  const base = await runBase(input);
  const raw = jobInput(input, baseInput(base));
  const tried: TriedCandidate[] = [];
  const traces: (readonly TracePoint[])[] = [];
  let spentMs = 0;
  let failure: RetrainError | undefined;
  for (const [index, candidate] of best.of.entries()) {
    const about = describe(best, index, prepared[index]);
    const skipped = prepared[index]?.skipped ?? overBudget(best, spentMs, tried);
    traces.push([]);
    if (typeof skipped === "string") {
      tried.push({ ...about, state: "skipped", reason: skipped });
      continue;
    }
    announceCandidate(input, about.name, index / best.of.length);
    try {
      const one = await trainOne(input, raw, { candidate, index, name: about.name, of: best.of.length });
      spentMs += one.durationMs;
      traces[index] = one.trace;
      tried.push({ ...about, state: "trained", ...costOf(one) });
    } catch (error) {
      const thrown = asRetrainError(error);
      if (isInterruption(thrown) || input.control.signal.aborted) throw thrown;
      failure ??= thrown;
      tried.push({ ...about, state: "failed", reason: `${thrown.code}: ${thrown.message}` });
    }
  }
  const trained = tried.flatMap(({ state }, index) => (state === "trained" ? [index] : []));
  if (trained.length === 0 && failure !== undefined) throw failure;
  const chosen = await runJob(input, "choose", { ...raw, trained }, jobOptions(input));
  return await conclude(input, { chosen, tried, traces });
}

function describe(best: BestSpec, index: number, prepared: JsonObject | undefined) {
  const { how, trainer } = best.of[index] as BestCandidate;
  const trainRows = prepared?.trainRows;
  return {
    name: candidateNames(best)[index] as string,
    trainer: trainer.name,
    strategy: how,
    ...(typeof trainRows === "number" ? { trainRows } : {}),
  };
}

/** Time, not money, is what a budget limits; the first candidate always gets its chance. */
function overBudget(best: BestSpec, spentMs: number, tried: readonly TriedCandidate[]): string | undefined {
  if (spentMs < best.budgetMs || !tried.some(({ state }) => state === "trained")) return undefined;
  const seconds = (ms: number) => `${(ms / 1000).toPrecision(3)} s`;
  return `The candidates before it took ${seconds(spentMs)}; the budget is ${seconds(best.budgetMs)}.`;
}

function costOf({ result, durationMs, trace }: Trained): Partial<TriedCandidate> {
  const every = Math.max(1, Math.ceil(trace.length / TRACE_POINTS));
  const shown = trace.filter((_, i) => i % every === 0 || i === trace.length - 1);
  return {
    epochs: Number(result.epochs),
    bestEpoch: Number(result.bestEpoch),
    durationMs,
    trace: shown.map(({ epoch, metrics }) => [epoch, metrics["trainLoss"] ?? null, metrics["validationLoss"] ?? null]),
  };
}

function announceCandidate({ context, run }: StepInput, candidate: string, share: number): void {
  context.emit("run.trace", run.model, { runId: run.id, candidate, share });
}

/** Trains one candidate, or reads what an earlier attempt has trained. */
async function trainOne(
  input: StepInput,
  raw: JsonObject,
  about: { readonly candidate: BestCandidate; readonly index: number; readonly name: string; readonly of: number },
): Promise<Trained> {
  const { context, folder, run, attempt } = input;
  const place = candidateFolder(folder, about.index);
  const kept = await readTrained(place);
  if (kept !== undefined) return kept;
  const elapsed = new Map<number, number>();
  const started = context.systemClock.monotonicMs();
  const onProgress = (message: JsonObject) => {
    if (message.metrics === undefined) return;
    elapsed.set(Number(message.epoch), Number(message.elapsedMs ?? 0));
    const share = (about.index + Number(message.share ?? 0)) / about.of;
    announceCandidate(input, about.name, share);
  };
  const one = candidateInput(raw, about.candidate, about.index);
  const result = await runJob(input, "train", one, jobOptions(input, onProgress));
  const trace = await readTrace(place, run.id, elapsed);
  const trained = { result, durationMs: context.systemClock.monotonicMs() - started, trace };
  await writeFile(join(place, "trained.tmp"), JSON.stringify(trained));
  await rename(join(place, "trained.tmp"), join(place, "trained.json"));
  stopPoint("best.trained");
  await context.store.runs.update(run.id, attempt, { progress: { share: (about.index + 1) / about.of } });
  return trained;
}

/** From the folder: after a kill the process tells only what came after its checkpoint, but it writes down all of it. */
async function readTrace(place: string, runId: string, elapsed: ReadonlyMap<number, number>): Promise<TracePoint[]> {
  const lines = (await readFile(join(place, "out", "trace.ndjson"), "utf8")).split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const { epoch, metrics } = JSON.parse(line) as Pick<TracePoint, "epoch" | "metrics">;
    return { runId, epoch, metrics, elapsedMs: elapsed.get(epoch) ?? 0 };
  });
}

async function readTrained(place: string): Promise<Trained | undefined> {
  const text = await readFile(join(place, "trained.json"), "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Trained);
}

/** The winner's curve becomes the run's; the others stay with the step. */
async function conclude(
  input: StepInput,
  made: {
    readonly chosen: JsonObject;
    readonly tried: readonly TriedCandidate[];
    readonly traces: readonly (readonly TracePoint[])[];
  },
): Promise<StepResult> {
  const { context, run, attempt } = input;
  const { found, metric, rows, note, winner, ...trained } = made.chosen;
  const values = found as unknown as readonly { index: number; value: number | null; sizeBytes: number }[];
  const candidates = made.tried.map((one, index): TriedCandidate => {
    const measured = values.find((value) => value.index === index);
    if (measured === undefined) return one;
    const { value, sizeBytes } = measured;
    return { ...one, value, sizeBytes, state: index === winner ? "chosen" : "trained" };
  });
  const trace = made.traces[winner as number] ?? [];
  if (trace.length > 0) await context.store.runs.appendTrace(run.id, attempt, trace);
  const choice: CandidateChoice = {
    metric: metric as string,
    rows: rows as number,
    ...(typeof note === "string" ? { note } : {}),
    candidates,
  };
  const chosen = candidates[winner as number] as TriedCandidate;
  const text = (value: number | null | undefined) => (typeof value === "number" ? value.toPrecision(4) : "–");
  const others = candidates
    .filter(({ state }) => state === "trained")
    .map(({ name, value }) => `${name} ${text(value)}`);
  return {
    input: `${candidates.length} ways of training, ${plural(choice.rows, "validation row")}`,
    output: `${chosen.name}: ${choice.metric} ${text(chosen.value)}${others.length === 0 ? "" : ` (${others.join(", ")})`}`,
    data: { ...trained, choice: choice as unknown as Json },
  };
}
