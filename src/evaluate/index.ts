/** Judging a candidate: the report on the holdout, and the gates over it. */
export { type EvaluationRequest, type ForecastBand, evaluateCandidate } from "./report.ts";
export { compareMetric } from "./comparison.ts";
export type { SliceRequest } from "./evidence.ts";
export { askCustomGates, countLooks, judgeGates } from "./judge.ts";
export type { CustomAnswer, GateContext, GateKind } from "./gates/gate.ts";
export type { GateFunction } from "./gates/custom.ts";
export { derivedMargin } from "./gates/difference.ts";
export { GATES, gateField, gateKind, gateMetrics } from "./gates/registry.ts";
export type { GateSpec } from "./spec.ts";
