/**
 * The judgement of a candidate, gate by gate. Which mistake is worse: promoting a worse model harms every user until somebody
 * notices; holding a better one costs only the gain until more labels arrive. So a hold never promotes.
 */
import type { EvaluationReport, GateCheck, GateResult, HoldoutLooks, SystemClock } from "../core/index.ts";
import { askCustom, customKey } from "./gates/custom.ts";
import type { CustomAnswer, GateContext } from "./gates/gate.ts";
import { gateKind } from "./gates/registry.ts";
import type { GateSpec } from "./spec.ts";

type Judged = { readonly report: EvaluationReport; readonly gates: readonly GateSpec[] } & Partial<
  Omit<GateContext, "report">
>;

/** @returns promote when every gate says yes, reject when one says no, else hold. Pure. */
export function judgeGates({ report, gates, ...given }: Judged): GateResult {
  const context: GateContext = {
    report,
    now: 0,
    clock: "live",
    approvals: [],
    custom: new Map(),
    ...given,
  };
  const checks = gates.map((gate) => gateKind(gate.kind).judge(gate, context));
  const refused = checks.filter((check) => check.outcome === "no");
  const open = checks.filter((check) => check.outcome === "cannot-tell");
  const reasons = (of: readonly GateCheck[]) => of.map((check) => check.reason).join(" ");
  const found = warnings(report.looks);
  const rest = { checks, ...(found.length === 0 ? {} : { warnings: found }) };
  if (refused.length > 0) return { outcome: "reject", reason: reasons(refused), ...rest };
  if (open.length > 0) return { outcome: "hold", reason: reasons(open), ...rest };
  return { outcome: "promote", reason: reasons(checks) || "No gate is configured.", ...rest };
}

/** From here on a person should know: a lucky candidate becomes likely however careful each look is. */
const WARN_FROM_LOOK = 3;

function warnings(looks: HoldoutLooks | undefined): readonly string[] {
  if (looks === undefined || looks.look < WARN_FROM_LOOK) return [];
  return [
    `This is look ${looks.look} at held-out rows of which ${Math.round(looks.seenShare * 100)} % have served before against the same champion; this one spends an error rate of ${looks.alpha.toPrecision(2)} instead of 0.05. New labels make a fresh holdout.`,
  ];
}

/** One-sided error rate of a first look. */
const ALPHA = 0.05;
/** Rows are "the same" once this share of them has been looked at. */
const REUSED_SHARE = 0.5;

/**
 * Alpha spending over a holdout that is used again: the first look has 0.05, look k ≥ 2 has 0.05/(k(k+1)), so that all looks
 * together err in at most 0.075. A look counts when half of today's held-out rows were known to it, against the same champion.
 * @param seenShares of each earlier look, the share of today's rows that it knew
 */
export function countLooks(seenShares: readonly number[]): HoldoutLooks {
  const again = seenShares.filter((share) => share >= REUSED_SHARE);
  const look = again.length + 1;
  return {
    look,
    alpha: look === 1 ? ALPHA : ALPHA / (look * (look + 1)),
    seenShare: seenShares.reduce((largest, share) => Math.max(largest, share), 0),
  };
}

/** The answers of the custom functions among the gates. */
export async function askCustomGates(
  gates: readonly GateSpec[],
  report: EvaluationReport,
  clock: SystemClock,
): Promise<ReadonlyMap<string, CustomAnswer>> {
  const answers = new Map<string, CustomAnswer>();
  for (const gate of gates) {
    if (gate.kind === "custom")
      answers.set(customKey(gate), await askCustom(gate, report, (ms, signal) => clock.sleep(ms, signal)));
  }
  return answers;
}
