/** The judgement of the candidate, recorded gate by gate. */
import type { EvaluationReport, GateResult, Json } from "../../core/index.ts";
import { judgeGates } from "../../evaluate/index.ts";
import type { RunStep } from "../run-record.ts";

export const gate: RunStep = {
  name: "gate",
  async run({ context, run, spec, results, attempt }) {
    const report = results.evaluate?.report as unknown as EvaluationReport;
    const judged = judgeGates({ report, gates: spec.gates });
    const result = results.train?.recorded === true ? withoutModel(judged) : judged;
    for (const check of result.checks) {
      await context.store.decisions.record({
        model: run.model,
        kind: "gate",
        subject: check.gate,
        outcome: check.outcome,
        rule: check.gate,
        inputs: {
          rows: check.rows,
          value: check.value ?? null,
          interval: check.interval ?? null,
          rowsNeeded: check.rowsNeeded ?? null,
        },
        ...(check.threshold === undefined ? {} : { threshold: check.threshold }),
        reason: check.reason,
        runId: run.id,
        at: context.worldClock.now(),
      });
    }
    await context.store.runs.update(run.id, attempt, { gate: result });
    const data = { gate: result as unknown as Json };
    const input = `${report.rows.toLocaleString("en-US")} held-out rows, ${spec.gates.length} gates`;
    if (result.outcome === "promote") return { input, output: "promote", data };
    const state = result.outcome === "hold" ? "held" : "rejected";
    return { input, output: `${result.outcome}: ${result.reason}`, data, stop: { state, reason: result.reason } };
  },
};

/** An external trainer that left predictions only: they are compared, and there is nothing to serve. */
function withoutModel(judged: GateResult): GateResult {
  const reason = `The trainer left predictions and no model, so nothing can go live. By its gates: ${judged.outcome}, ${judged.reason}`;
  return { ...judged, outcome: "reject", reason };
}
