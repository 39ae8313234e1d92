/** Candidate, champion and baseline answer the same held-out rows; the artifact is made whole and its probes are tried twice. */
import type { EvaluationReport } from "../../core/index.ts";
import type { RunStep } from "../run-record.ts";
import { championFolder, jobInput, jobOptions, runJob } from "./job.ts";

export const evaluate: RunStep = {
  name: "evaluate",
  async run(input) {
    const champion = await championFolder(input);
    const extra = champion === undefined ? {} : { championFolder: champion.folder, championVersion: champion.version };
    const gatedMetrics = [...new Set(input.spec.gates.map((gate) => gate.metric))];
    const evaluated = await runJob(input, "evaluate", jobInput(input, { ...extra, gatedMetrics }), jobOptions(input));
    const report = evaluated.report as unknown as EvaluationReport;
    const metric = gatedMetrics[0] ?? Object.keys(report.candidate)[0] ?? "";
    const value = report.candidate[metric];
    const against = report.champion?.[metric] ?? report.baseline.metrics[metric];
    const name = champion?.version ?? report.baseline.trainer;
    const text = (number: number | null | undefined) => (typeof number === "number" ? number.toPrecision(4) : "–");
    return {
      input: `${report.rows.toLocaleString("en-US")} held-out rows, ${champion === undefined ? `baseline ${name}` : `champion ${name}`}`,
      output: `${metric} ${text(value)}, ${name} ${text(against)}`,
      data: evaluated,
    };
  },
};
