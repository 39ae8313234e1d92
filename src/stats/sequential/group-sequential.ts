/**
 * Group-sequential boundaries by alpha spending (K. Lan and D. DeMets 1983): a few planned looks, a known maximum sample size, and
 * therefore more power than always-valid inference. Boundaries follow from the recursion of P. Armitage, C. McPherson and B. Rowe
 * (1969): the density of the score process over paths that have not stopped, carried from look to look by Simpson's rule.
 */
import { RetrainError } from "../../core/errors.ts";
import { logDeterministic } from "../exp.ts";
import { normalIsf, normalPdf, normalSf } from "../special/normal.ts";
import { findRoot } from "../special/roots.ts";

export type Spending = "obrien-fleming" | "pocock";

/** Points of the integration grid; doubling them moves no boundary by 1e-6. */
const GRID_POINTS = 401;

/** Two-sided error rate allowed up to information fraction t in (0, 1]. */
export function spentAlpha(spending: Spending, fraction: number, alpha = 0.05): number {
  if (spending === "obrien-fleming") return 4 * normalSf(normalIsf(alpha / 4) / Math.sqrt(fraction));
  return alpha * logDeterministic(1 + (Math.E - 1) * fraction);
}

interface Survivors {
  /** Score values of the grid and Simpson weight × density of paths still running. */
  readonly points: Float64Array;
  readonly mass: Float64Array;
}

function simpsonGrid(bound: number): { points: Float64Array; weights: Float64Array } {
  const step = (2 * bound) / (GRID_POINTS - 1);
  const points = Float64Array.from({ length: GRID_POINTS }, (_, i) => -bound + i * step);
  const weights = points.map((_, i) => ((i === 0 || i === GRID_POINTS - 1 ? 1 : i % 2 === 1 ? 4 : 2) * step) / 3);
  return { points, weights };
}

/** Probability that a surviving path is beyond ±score after an increment of the given standard deviation. */
function crossing(survivors: Survivors, score: number, deviation: number): number {
  let sum = 0;
  for (let i = 0; i < survivors.points.length; i++) {
    sum += (survivors.mass[i] as number) * normalSf((score - (survivors.points[i] as number)) / deviation);
  }
  return 2 * sum;
}

function advance(survivors: Survivors, bound: number, deviation: number): Survivors {
  const { points, weights } = simpsonGrid(bound);
  const mass = points.map((point, j) => {
    let density = 0;
    for (let i = 0; i < survivors.points.length; i++) {
      density += (survivors.mass[i] as number) * normalPdf((point - (survivors.points[i] as number)) / deviation);
    }
    return ((weights[j] as number) * density) / deviation;
  });
  return { points, mass };
}

/**
 * Two-sided z boundaries at the given information fractions (ascending in (0, 1]).
 * Throws STATISTIC_UNDEFINED for fractions out of order. Cost about 20 ms a look.
 */
export function groupSequentialBoundaries(
  spending: Spending,
  fractions: readonly number[],
  alpha = 0.05,
): readonly number[] {
  const boundaries: number[] = [];
  let survivors: Survivors = { points: Float64Array.of(0), mass: Float64Array.of(1) };
  let previous = 0;
  let spent = 0;
  for (const fraction of fractions) {
    if (!(fraction > previous) || fraction > 1) {
      throw new RetrainError("STATISTIC_UNDEFINED", {
        message: `Information fractions must rise within (0, 1], but ${fraction} follows ${previous}.`,
        remedy: "List each look once, as rows so far over the planned maximum.",
      });
    }
    const deviation = Math.sqrt(fraction - previous);
    const allowed = spentAlpha(spending, fraction, alpha) - spent;
    const root = Math.sqrt(fraction);
    const from = survivors;
    const z = findRoot((value) => crossing(from, value * root, deviation) - allowed, 0, 12, 1e-10);
    boundaries.push(z);
    survivors = advance(from, z * root, deviation);
    spent += allowed;
    previous = fraction;
  }
  return boundaries;
}
