/** Splits the frozen rows and fits imputation, scaling and encoding on the training part alone. */
import type { JsonObject } from "../../core/index.ts";
import { placeBackbones } from "../backbones.ts";
import type { RunStep, StepInput } from "../run-record.ts";
import { baseInput, runBase } from "./base.ts";
import { jobInput, jobOptions, runJob } from "./job.ts";

/** Each write of the progress is a commit. */
const WRITE_EVERY_MS = 1_000;

export const prepare: RunStep = {
  name: "prepare",
  async run(input) {
    const base = await runBase(input);
    await placeBackbones(input.context, input.spec, input.folder);
    const progress = followEmbedding(input);
    const options = jobOptions(input, (message) => progress.add(message));
    const prepared = await runJob(input, "prepare", jobInput(input, baseInput(base)), options);
    await progress.written();
    const count = (key: string) => Number(prepared[key] ?? 0).toLocaleString("en-US");
    const rows = Number(input.results.snapshot?.rows ?? 0).toLocaleString("en-US");
    const fallback =
      typeof prepared.fallback === "string" ? `full instead of ${input.run.strategy} (${prepared.fallback}): ` : "";
    const embedded = prepared.embedded === undefined ? "" : `, ${count("embedded")} of them by the backbone`;
    const waiting =
      Number(prepared.waitingRows ?? 0) > 0
        ? `; ${count("waitingRows")} chosen by score wait: they are newer than the holdout begins`
        : "";
    // A recommender learns from who took what: neither its rows nor what it is handed has columns.
    const by = (columns: number) => (columns === 0 ? "" : ` × ${columns.toLocaleString("en-US")}`);
    return {
      input: `${rows}${by(input.spec.schema.features.length)}`,
      output: `${fallback}train ${count("trainRows")}, validation ${count("validationRows")}, holdout ${count("holdoutRows")}${by(Number(prepared.columns ?? 0))}${embedded}${waiting}`,
      data: prepared,
    };
  },
};

/** How far the vectors of a backbone are, which may take longer than the training on them. */
function followEmbedding({ context, run, attempt }: StepInput) {
  let written = context.systemClock.monotonicMs();
  let writing: Promise<unknown> = Promise.resolve();
  return {
    add({ share, etaMs }: JsonObject): void {
      if (typeof share !== "number" || typeof etaMs !== "number") return;
      const now = context.systemClock.monotonicMs();
      if (now - written < WRITE_EVERY_MS) return;
      written = now;
      context.emit("run.trace", run.model, { runId: run.id, share, etaMs });
      writing = writing.then(() => context.store.runs.update(run.id, attempt, { progress: { share, etaMs } }));
      // The failure is reported by `written`, which awaits the same chain.
      writing.catch(() => {});
    },
    async written(): Promise<void> {
      await writing;
    },
  };
}
