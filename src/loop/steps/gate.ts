/** The judgement of the candidate, recorded gate by gate. */
import { plural } from "../../core/index.ts";
import type { EvaluationReport, GateResult, Json, NewDecision } from "../../core/index.ts";
import { askCustomGates, gateKind, judgeGates } from "../../evaluate/index.ts";
import type { RunStep } from "../run-record.ts";

export const gate: RunStep = {
  name: "gate",
  async run({ context, run, spec, results, attempt }) {
    const report = results.evaluate?.report as unknown as EvaluationReport;
    const { store, worldClock, systemClock } = context;
    const judged = judgeGates({
      report,
      ...(run.champion === undefined ? {} : { champion: run.champion }),
      gates: spec.gates,
      now: worldClock.now(),
      clock: worldClock.kind === "virtual" ? "virtual" : "live",
      // A version that trains now has no name yet, and nobody can have spoken of it.
      approvals: run.regate === undefined ? [] : await store.gates.approvals(run.model, run.regate.version),
      custom: await askCustomGates(spec.gates, report, systemClock),
    });
    const result = results.train?.recorded === true ? withoutModel(judged) : judged;
    if (results.evaluate?.reused !== true) {
      const champion = run.champion ?? null;
      await store.gates.addLook({ model: run.model, runId: run.id, champion, asOf: run.asOf, rows: report.rows });
    }
    const rules = new Map(spec.gates.map((one) => [gateKind(one.kind).subject(one), gateKind(one.kind).rule(one)]));
    const checks = result.checks.map(
      (check): NewDecision => ({
        model: run.model,
        kind: "gate",
        subject: check.gate,
        outcome: check.outcome,
        rule: rules.get(check.gate) ?? check.gate,
        inputs: {
          rows: check.rows,
          value: check.value ?? null,
          interval: check.interval ?? null,
          rowsNeeded: check.rowsNeeded ?? null,
          ...(report.looks === undefined ? {} : { look: report.looks.look, alpha: report.looks.alpha }),
          ...(check.notMeasured === true ? { measured: "not-measured" } : {}),
        },
        ...(check.threshold === undefined ? {} : { threshold: check.threshold }),
        reason: check.reason,
        runId: run.id,
        at: worldClock.now(),
      }),
    );
    await store.decisions.recordAll(checks);
    await store.runs.update(run.id, attempt, { gate: result });
    for (const warning of result.warnings ?? []) {
      await store.decisions.record({
        model: run.model,
        kind: "gate",
        subject: "holdout looks",
        outcome: "cannot-tell",
        rule: "A holdout that is used again spends less error at each look.",
        inputs: { ...report.looks },
        reason: warning,
        runId: run.id,
        at: worldClock.now(),
      });
    }
    const data = { gate: result as unknown as Json };
    const input = `${plural(report.rows, "held-out row")}, ${plural(spec.gates.length, "gate")}`;
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
