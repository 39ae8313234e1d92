/**
 * Safe test of two shares: an e-value built block by block (one observation an arm), exact at any sample size (R. Turner,
 * A. Ly, P. Grünwald, "Generic e-variables for exact sequential k-sample tests", 2024). Reject at e ≥ 1/α, at any time.
 */
import { logDeterministic } from "../exp.ts";

/** Pseudo-count of the beta prior of each share. */
export const DEFAULT_SAFE_PRIOR = 0.18;

export interface SafeTwoProportionsState {
  readonly blocks: number;
  readonly successesA: number;
  readonly successesB: number;
  readonly logE: number;
}

export const SAFE_TWO_PROPORTIONS_START: SafeTwoProportionsState = { blocks: 0, successesA: 0, successesB: 0, logE: 0 };

const logLikelihood = (share: number, success: boolean): number => logDeterministic(success ? share : 1 - share);

/** The state after one more block. Estimates use earlier blocks only, which is what makes the product a fair bet. */
export function updateSafeTwoProportions(
  state: SafeTwoProportionsState,
  block: { readonly a: boolean; readonly b: boolean },
  prior = DEFAULT_SAFE_PRIOR,
): SafeTwoProportionsState {
  const shareA = (state.successesA + prior) / (state.blocks + 2 * prior);
  const shareB = (state.successesB + prior) / (state.blocks + 2 * prior);
  const shared = (shareA + shareB) / 2;
  const gained = logLikelihood(shareA, block.a) + logLikelihood(shareB, block.b);
  const expected = logLikelihood(shared, block.a) + logLikelihood(shared, block.b);
  return {
    blocks: state.blocks + 1,
    successesA: state.successesA + (block.a ? 1 : 0),
    successesB: state.successesB + (block.b ? 1 : 0),
    logE: state.logE + gained - expected,
  };
}
