/**
 * Starts to put the version live. Without stages: load, hash check and probes first, then one transaction, then the swap between
 * two requests. With stages the version becomes challenger, and ticks move it on.
 */
import type { EvaluationReport } from "../../core/index.ts";
import { beginRollout } from "../rollouts/begin.ts";
import { type RunStep, textOf } from "../run-record.ts";

export const rollout: RunStep = {
  name: "rollout",
  async run({ context, run, results, attempt }) {
    const version = textOf(results.register, "version");
    const against = results.evaluate?.againstChallenger as unknown as EvaluationReport | undefined;
    const begun = await beginRollout(context, {
      model: run.model,
      version,
      runId: run.id,
      attempt,
      ...(against === undefined ? {} : { againstChallenger: against }),
    });
    const before = run.champion === undefined ? "no champion before" : `replaces ${run.champion}`;
    return {
      input: `${version}, ${before}`,
      output: begun.text,
      data: { version, routing: begun.routing.number, how: begun.how },
    };
  },
};
