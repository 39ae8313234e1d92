/** Judging a candidate: the report on the holdout, and the gates over it. */
export { type EvaluationRequest, evaluateCandidate } from "./report.ts";
export { derivedMargin, type GateContext, judgeGates } from "./gate.ts";
export type { GateSpec } from "./spec.ts";
