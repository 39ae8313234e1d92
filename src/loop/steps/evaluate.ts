/** Candidate, champion and baseline answer the same held-out rows; the artifact is made whole and its probes are tried twice. */
import {
  type EvaluationReport,
  fail,
  type Json,
  type JsonObject,
  metricWord,
  plural,
  type StageSpec,
} from "../../core/index.ts";
import { gateMetrics } from "../../evaluate/index.ts";
import { readEvaluation } from "../evaluation.ts";
import { rowsWanted } from "../held.ts";
import { activeGrid } from "../profiles.ts";
import { requireVersion } from "../promote.ts";
import type { RunStep, StepInput, StepResult } from "../run-record.ts";
import { baseInput, runBase } from "./base.ts";
import { championFolder, jobInput, jobOptions, materializeArtifact, runJob } from "./job.ts";

export const evaluate: RunStep = {
  name: "evaluate",
  async run(input) {
    const champion = await championFolder(input);
    const grid = await activeGrid(input.context, input.run.model);
    const extra: JsonObject = {
      // A held version that is judged again keeps the manifest it has.
      ...(input.run.regate === undefined ? baseInput(await runBase(input)) : {}),
      ...(champion === undefined ? {} : { championFolder: champion.folder, championVersion: champion.version }),
      ...(grid === undefined ? {} : { profileGrid: grid.grid as unknown as Json }),
    };
    const gatedMetrics = gateMetrics(input.spec.gates);
    const { regate } = input.run;
    if (regate?.evidence !== undefined) return sameEvidence(input, regate.evidence);
    const earlierLooks = await looksBefore(input);
    // Before the champion's turn: the candidate's artifact that stays is the one judged by the champion.
    const againstChallenger = regate === undefined ? await againstOpenRollout(input) : undefined;
    const evaluated =
      regate === undefined
        ? await runJob(input, "evaluate", jobInput(input, { ...extra, gatedMetrics, earlierLooks }), jobOptions(input))
        : await runJob(
            input,
            "regate",
            await regateInput(input, { ...extra, gatedMetrics, earlierLooks }),
            jobOptions(input),
          );
    const report = evaluated.report as unknown as EvaluationReport;
    const metric = gatedMetrics[0] ?? Object.keys(report.candidate)[0] ?? "";
    const value = report.candidate[metric];
    const against = report.champion?.[metric] ?? report.baseline.metrics[metric];
    // A champion of another definition may have no answer for these rows: then the baseline alone is beside the candidate.
    const isAnswered = report.champion !== undefined && champion !== undefined;
    const name = isAnswered ? champion.version : report.baseline.trainer;
    const unable = champion === undefined || isAnswered ? "" : `; ${champion.version} cannot answer them`;
    const text = (number: number | null | undefined) => (typeof number === "number" ? number.toPrecision(4) : "–");
    return {
      input: `${plural(report.rows, "held-out row")}, ${isAnswered ? `champion ${name}` : `baseline ${name}`}${unable}`,
      output: `${metricWord(metric)} ${text(value)}, ${name} ${text(against)}`,
      data: { ...evaluated, ...(againstChallenger === undefined ? {} : { againstChallenger }) },
    };
  },
};

/** Instants of earlier looks against the same champion; this run's own first attempt is none of them. */
async function looksBefore({ context, run }: StepInput): Promise<readonly number[]> {
  const looks = await context.store.gates.looks(run.model, run.champion ?? null);
  return looks.filter(({ runId }) => runId !== run.id).map(({ asOf }) => asOf);
}

/** Only a person's word was missing: the evidence of the last look is judged again, and the rows are not looked at. */
async function sameEvidence({ context }: StepInput, runId: string): Promise<StepResult> {
  const report = await readEvaluation(context, runId);
  if (report === undefined) {
    throw fail("NOT_FOUND", {
      message: `The evaluation of run ${runId} is no longer kept.`,
      remedy: "Start a new run; it is evaluated afresh.",
    });
  }
  return {
    input: `the evidence of run ${runId}`,
    output: `${plural(report.rows, "held-out row")}, not looked at again`,
    data: { report: report as unknown as Json, immatureRows: 0, reused: true },
  };
}

/** While a rollout is open, the candidate also has to beat its challenger, on the same held-out rows. */
async function againstOpenRollout(input: StepInput): Promise<Json | undefined> {
  const { context, run } = input;
  const open = await context.store.rollouts.active(run.model);
  if (open === undefined || open.state === "watching") return undefined;
  const record = await requireVersion(context, run.model, open.challenger);
  const folder = await materializeArtifact(context, record.artifact);
  const metric = (open.stages[0] as StageSpec).metric;
  const extra = { championFolder: folder, championVersion: record.name, gatedMetrics: [metric] };
  const { report } = await runJob(input, "evaluate", jobInput(input, extra), jobOptions(input));
  return report ?? undefined;
}

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
