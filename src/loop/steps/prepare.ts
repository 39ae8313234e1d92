/** Splits the frozen rows and fits imputation, scaling and encoding on the training part alone. */
import type { RunStep } from "../run-record.ts";
import { baseInput, runBase } from "./base.ts";
import { jobInput, jobOptions, runJob } from "./job.ts";

export const prepare: RunStep = {
  name: "prepare",
  async run(input) {
    const base = await runBase(input);
    const prepared = await runJob(input, "prepare", jobInput(input, baseInput(base)), jobOptions(input));
    const count = (key: string) => Number(prepared[key] ?? 0).toLocaleString("en-US");
    const rows = Number(input.results.snapshot?.rows ?? 0).toLocaleString("en-US");
    const fallback =
      typeof prepared.fallback === "string" ? `full instead of ${input.run.strategy} (${prepared.fallback}): ` : "";
    const features = input.spec.schema.features.length;
    return {
      input: `${rows} × ${features}`,
      output: `${fallback}train ${count("trainRows")}, validation ${count("validationRows")}, holdout ${count("holdoutRows")} × ${count("columns")}`,
      data: prepared,
    };
  },
};
