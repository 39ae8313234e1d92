/**
 * Starts to put the version live. Without stages: load, hash check and probes first, then one transaction, then the swap between
 * two requests. With stages the version becomes challenger, and ticks move it on. A version whose gate saw another champion than the
 * one of now is held, and gated again.
 */
import type { EvaluationReport } from "../../core/index.ts";
import { beginRollout } from "../rollouts/begin.ts";
import { waitForGate } from "../held.ts";
import { type RunStep, type StepInput, type StepResult, textOf } from "../run-record.ts";

export const rollout: RunStep = {
  name: "rollout",
  async run(input) {
    const { context, run, results, attempt } = input;
    const version = textOf(results.register, "version");
    const against = results.evaluate?.againstChallenger as unknown as EvaluationReport | undefined;
    const begun = await beginRollout(context, {
      model: run.model,
      version,
      runId: run.id,
      attempt,
      judgedBy: run.champion,
      ...(against === undefined ? {} : { againstChallenger: against }),
    });
    const before = run.champion === undefined ? "no champion before" : `replaces ${run.champion}`;
    if (begun.how === "overtaken") return holdAgain(input, version, `${version}, ${before}`, begun.text);
    return {
      input: `${version}, ${before}`,
      output: begun.text,
      data: { version, routing: begun.routing.number, how: begun.how },
    };
  },
};

/** The version waits and is gated again at the next tick, against the champion of now; where that cannot be done the next run decides. */
async function holdAgain({ context, run, results }: StepInput, version: string, input: string, why: string) {
  const report = results.evaluate?.report as unknown as EvaluationReport;
  const canWait = report.forecast === undefined && report.recommend === undefined;
  const reason = `${why} ${canWait ? "It is gated again." : "The next run decides."}`;
  if (canWait) {
    await waitForGate(context, {
      model: run.model,
      version,
      definitionRevision: run.definitionRevision,
      champion: (await context.store.registry.champion(run.model))?.name ?? null,
      why: "overtaken",
      reason,
    });
  }
  return {
    input,
    output: reason,
    data: { version, how: "overtaken" },
    stop: { state: "held", reason },
  } satisfies StepResult;
}
