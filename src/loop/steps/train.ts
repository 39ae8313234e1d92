/** Trains in the child process; the trace streams to the store and the console as it comes. */
import { asRetrainError, fail, type JsonObject, plural, type RetrainError, type TracePoint } from "../../core/index.ts";
import { type RunStep, type StepInput, textOf } from "../run-record.ts";
import { baseInput, runBase } from "./base.ts";
import { freezeFold } from "../incremental/freeze.ts";
import { trainBest } from "./train-best.ts";
import { jobInput, jobOptions, runJob, usedStrategy } from "./job.ts";

/** Trace points are written at most this often: each write is a commit, and an epoch may take a millisecond. */
const TRACE_FLUSH_MS = 250;

export const train: RunStep = {
  name: "train",
  async run(input) {
    if (usedStrategy(input) === "best") return await trainBest(input);
    const base = await runBase(input);
    const frozen = await freezeFold(input);
    const trace = new TraceWriter(input);
    const options = jobOptions(input, (message) => trace.add(message));
    const trained = await runJob(input, "train", jobInput(input, baseInput(base)), options).catch((error: unknown) => {
      throw trainerFailure(input.spec.trainer.name, error);
    });
    await trace.flush();
    const { trainer } = input.spec;
    return {
      input: `${plural(Number(input.results.prepare?.trainRows ?? 0), "row")}, ${trainer.name} ${usedStrategy(input)}${base === undefined ? "" : `, from ${base.version}`}`,
      output:
        frozen === undefined
          ? `best epoch ${textOf(trained, "bestEpoch")} of ${textOf(trained, "epochs")}`
          : `${frozen}: ${plural(Number(trained.learnedRows), "row")}`,
      data: trained,
    };
  },
};

/** What a trainer throws is its own failure, not a mistake of the loop; errors with a code of ours say more and stay. */
function trainerFailure(trainer: string, error: unknown): RetrainError {
  const failure = asRetrainError(error);
  if (failure.code !== "INTERNAL") return failure;
  return fail("TRAINER_FAILED", {
    message: `The trainer ${trainer} threw an error: ${failure.message}`,
    remedy: "Correct the trainer or its parameters; the same data trains again with the next run.",
    cause: failure,
  });
}

class TraceWriter {
  readonly #input: StepInput;
  #waiting: TracePoint[] = [];
  #progress: { share: number; etaMs?: number } | undefined;
  #lastFlushMs: number;
  #writing: Promise<void> = Promise.resolve();

  constructor(input: StepInput) {
    this.#input = input;
    this.#lastFlushMs = input.context.systemClock.monotonicMs();
  }

  add(message: JsonObject): void {
    const { context, run } = this.#input;
    if (message.metrics === undefined) return;
    const point: TracePoint = {
      runId: run.id,
      epoch: Number(message.epoch),
      metrics: message.metrics as Record<string, number>,
      elapsedMs: Number(message.elapsedMs ?? 0),
    };
    this.#waiting.push(point);
    if (message.share !== undefined) {
      this.#progress = {
        share: Number(message.share),
        ...(message.etaMs === undefined ? {} : { etaMs: Number(message.etaMs) }),
      };
    }
    context.emit("run.trace", run.model, { ...message, runId: run.id });
    const now = context.systemClock.monotonicMs();
    if (now - this.#lastFlushMs < TRACE_FLUSH_MS) return;
    this.#lastFlushMs = now;
    this.#writing = this.#writing.then(() => this.#write());
    // The failure is reported by flush(), which awaits the same chain.
    this.#writing.catch(() => {});
  }

  async flush(): Promise<void> {
    await this.#writing;
    await this.#write();
  }

  async #write(): Promise<void> {
    const points = this.#waiting;
    if (points.length === 0) return;
    this.#waiting = [];
    const { context, run, attempt } = this.#input;
    await context.store.runs.appendTrace(run.id, attempt, points);
    if (this.#progress !== undefined) await context.store.runs.update(run.id, attempt, { progress: this.#progress });
  }
}
