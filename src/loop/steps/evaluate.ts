/** Candidate, champion and baseline answer the same held-out rows; the artifact is made whole and its probes are tried twice. */
import type { EvaluationReport, JsonObject } from "../../core/index.ts";
import { rowsWanted } from "../held.ts";
import { requireVersion } from "../promote.ts";
import type { RunStep, StepInput } from "../run-record.ts";
import { championFolder, jobInput, jobOptions, materializeArtifact, runJob } from "./job.ts";

export const evaluate: RunStep = {
  name: "evaluate",
  async run(input) {
    const champion = await championFolder(input);
    const extra = champion === undefined ? {} : { championFolder: champion.folder, championVersion: champion.version };
    const gatedMetrics = [...new Set(input.spec.gates.map((gate) => gate.metric))];
    const { regate } = input.run;
    const evaluated =
      regate === undefined
        ? await runJob(input, "evaluate", jobInput(input, { ...extra, gatedMetrics }), jobOptions(input))
        : await runJob(input, "regate", await regateInput(input, { ...extra, gatedMetrics }), jobOptions(input));
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

/** The held version's own artifact, and how many rows its last judgement asked for. */
async function regateInput(input: StepInput, extra: JsonObject): Promise<JsonObject> {
  const { context, run } = input;
  const record = await requireVersion(context, run.model, run.regate?.version ?? "");
  const wanted = await rowsWanted(context, run.model, record.name);
  return jobInput(input, {
    ...extra,
    candidateFolder: await materializeArtifact(context, record.artifact),
    ...(wanted === undefined ? {} : { rowsWanted: wanted }),
  });
}
