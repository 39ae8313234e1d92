/** Puts the version live: load, hash check and probes first, then one transaction, then the swap between two requests. */
import { makeChampion } from "../promote.ts";
import { type RunStep, textOf } from "../run-record.ts";

export const rollout: RunStep = {
  name: "rollout",
  async run({ context, run, results, attempt }) {
    const version = textOf(results.register, "version");
    const reason = "Its run passed the gate.";
    const { routing, changed } = await makeChampion(context, {
      model: run.model,
      version,
      reason,
      actor: "retrain",
      action: "promotion",
      runId: run.id,
      attempt,
    });
    const before = run.champion === undefined ? "no champion before" : `replaces ${run.champion}`;
    return {
      input: `${version}, ${before}`,
      output: `${version} live, routing ${routing.number}`,
      data: { version, routing: routing.number, changed },
    };
  },
};
