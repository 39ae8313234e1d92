export * from "./asymptotic.ts";
export * from "./betting-state.ts";
export {
  type Capital,
  type ConfidenceSequence,
  createBettingTest,
  createEmpiricalBernsteinSequence,
  createHedgedSequence,
  createHoeffdingSequence,
  hedgedLogE,
  runningIntersection,
} from "./bounded-mean.ts";
export * from "./conjugate-mean.ts";
export * from "./group-sequential.ts";
export * from "./normal-mixture.ts";
export * from "./sample-ratio.ts";
export * from "./sub-exponential.ts";
export * from "./two-proportions.ts";
