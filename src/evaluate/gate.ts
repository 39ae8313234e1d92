/**
 * The judgement of a candidate. Each gate compares a one-sided 95 % bound with its threshold, never the point estimate, so
 * "cannot tell" is an answer: `no` needs evidence of harm, `yes` needs evidence of its absence, and everything between is
 * `hold` with the number of held-out rows that would settle it.
 *
 * Which mistake is worse: promoting a worse model harms every user until somebody notices; holding a better one costs only the
 * gain until more labels arrive. So a hold never promotes.
 */
import type { EvaluationReport, GateCheck, GateResult, Outcome, PairedDifference } from "../core/index.ts";
import { METRICS, type MetricName } from "../stats/index.ts";
import type { GateSpec } from "./spec.ts";

/** 95 % one-sided normal quantile: the bound every gate uses (reference decision "one-sided alpha 0.05"). */
const Z_ONE_SIDED = 1.6448536269514722;
/** No advice beyond this many rows: past it the difference is too small to be worth certifying. */
const MAX_ADVISED_ROWS = 10_000_000;

export interface GateContext {
  readonly report: EvaluationReport;
  readonly gates: readonly GateSpec[];
}

/** @returns promote when every gate says yes, reject when one says no, else hold. */
export function judgeGates(context: GateContext): GateResult {
  const checks = context.gates.map((gate) => judgeOne(gate, context.report));
  const refused = checks.filter((check) => check.outcome === "no");
  const open = checks.filter((check) => check.outcome === "cannot-tell");
  if (refused.length > 0) {
    return { outcome: "reject", reason: refused.map((check) => check.reason).join(" "), checks };
  }
  if (open.length > 0) {
    return { outcome: "hold", reason: open.map((check) => check.reason).join(" "), checks };
  }
  return {
    outcome: "promote",
    reason: checks.map((check) => check.reason).join(" ") || "No gate is configured.",
    checks,
  };
}

function judgeOne(gate: GateSpec, report: EvaluationReport): GateCheck {
  switch (gate.kind) {
    case "atLeast":
      return judgeFloor(gate.metric, gate.value, report);
    case "noWorseThanChampion":
      return judgeNonInferiority(gate.metric, gate.margin, report);
    case "betterThanBaseline":
      return judgeBaseline(gate.metric, report);
  }
}

/** Metric names come from configs that were validated; an unknown one would be a mistake of ours. */
function higherIsBetter(metric: string): boolean {
  return METRICS[metric as MetricName].higherIsBetter;
}

const show = (value: number) => (Math.abs(value) >= 1000 ? value.toFixed(1) : value.toPrecision(4));

function judgeFloor(metric: string, threshold: number, report: EvaluationReport): GateCheck {
  const value = report.candidate[metric];
  const interval = report.candidateIntervals[metric];
  const higher = higherIsBetter(metric);
  const name = higher ? `${metric} ≥ ${threshold}` : `${metric} ≤ ${threshold}`;
  const base = { gate: `atLeast(${metric}, ${threshold})`, threshold, rows: report.rows };
  if (value === undefined || value === null || interval === undefined) {
    return {
      ...base,
      outcome: "cannot-tell",
      reason: `${metric} is undefined on this holdout of ${report.rows} rows.`,
    };
  }
  const [low, high] = interval;
  const cautious = higher ? low : high;
  const hopeful = higher ? high : low;
  const better = (bound: number) => (higher ? bound >= threshold : bound <= threshold);
  const outcome: Outcome = better(cautious) ? "yes" : better(hopeful) ? "cannot-tell" : "no";
  const standardError = (high - low) / (2 * Z_ONE_SIDED);
  const distance = Math.abs(value - threshold);
  const rowsNeeded = neededRows(report.rows, standardError, better(value) ? distance : 0);
  return {
    ...base,
    outcome,
    value,
    interval,
    ...(outcome === "cannot-tell" && rowsNeeded !== undefined ? { rowsNeeded } : {}),
    reason:
      outcome === "yes"
        ? `${metric} is ${show(value)}, at worst ${show(cautious)} at 95 %: ${name} holds.`
        : outcome === "no"
          ? `${metric} is ${show(value)}, at best ${show(hopeful)} at 95 %: ${name} does not hold.`
          : `${metric} is ${show(value)} with bounds ${show(low)} to ${show(high)} on ${report.rows} rows: ${name} cannot be told.${advice(rowsNeeded)}`,
  };
}

/**
 * Margin when none is configured: one standard error of the champion's own metric on this holdout. A difference smaller than
 * what the holdout can resolve about the champion itself is not evidence of harm.
 */
export function derivedMargin(difference: PairedDifference): number {
  return difference.championStandardError;
}

function judgeNonInferiority(metric: string, margin: number | undefined, report: EvaluationReport): GateCheck {
  const gate = `noWorseThanChampion(${metric})`;
  const difference = report.differences.find((one) => one.metric === metric);
  if (report.championVersion === undefined) {
    return { gate, outcome: "yes", rows: report.rows, reason: "There is no champion to compare with." };
  }
  if (difference === undefined) {
    return {
      gate,
      outcome: "cannot-tell",
      rows: report.rows,
      reason: `${metric} is undefined for one of the two on ${report.rows} rows.`,
    };
  }
  const allowed = margin ?? derivedMargin(difference);
  const how = margin === undefined ? "one standard error of the champion" : "as configured";
  return judgeDifference({ gate, metric, difference, allowed, against: `champion ${report.championVersion}`, how });
}

function judgeBaseline(metric: string, report: EvaluationReport): GateCheck {
  const gate = `betterThanBaseline(${metric})`;
  const difference = report.baselineDifferences.find((one) => one.metric === metric);
  if (difference === undefined) {
    return {
      gate,
      outcome: "cannot-tell",
      rows: report.rows,
      reason: `${metric} is undefined on ${report.rows} rows.`,
    };
  }
  const against = `the "${report.baseline.trainer}" baseline`;
  return judgeDifference({ gate, metric, difference, allowed: 0, against, how: "must be better" });
}

interface DifferenceQuestion {
  readonly gate: string;
  readonly metric: string;
  readonly difference: PairedDifference;
  /** How much worse is allowed, in the metric's unit, ≥ 0. */
  readonly allowed: number;
  readonly against: string;
  readonly how: string;
}

function judgeDifference(question: DifferenceQuestion): GateCheck {
  const { difference, allowed, metric, against } = question;
  const sign = higherIsBetter(metric) ? -1 : 1;
  // "Harm" is positive when the candidate is worse, whichever way the metric points.
  const harm = sign * difference.difference;
  const [low, high] = difference.interval;
  const harmLow = sign > 0 ? low : -high;
  const harmHigh = sign > 0 ? high : -low;
  const outcome: Outcome = harmHigh <= allowed ? "yes" : harmLow > 0 ? "no" : "cannot-tell";
  const standardError = (high - low) / (2 * Z_ONE_SIDED);
  const rowsNeeded = neededRows(difference.rows, standardError, allowed - harm);
  const values = `${metric} ${show(difference.candidate)} against ${show(difference.champion)} of ${against} on ${difference.rows} rows`;
  const bounds = `difference ${show(difference.difference)}, 90 % interval ${show(low)} to ${show(high)}, margin ${show(allowed)} (${question.how})`;
  const verdict = {
    yes: allowed === 0 ? "It is better." : "It is not worse.",
    no: "It is worse.",
    "cannot-tell": `The evidence does not settle it.${advice(rowsNeeded)}`,
  }[outcome];
  return {
    gate: question.gate,
    outcome,
    value: difference.difference,
    threshold: allowed,
    interval: difference.interval,
    rows: difference.rows,
    ...(outcome === "cannot-tell" && rowsNeeded !== undefined ? { rowsNeeded } : {}),
    reason: `${values}: ${bounds}. ${verdict}`,
  };
}

/** Rows at which the one-sided bound would clear a distance, if the estimate and its noise stay as they are. */
function neededRows(rows: number, standardError: number, distance: number): number | undefined {
  if (!(distance > 0) || !(standardError > 0)) return undefined;
  const ratio = (Z_ONE_SIDED * standardError) / distance;
  const needed = Math.ceil(rows * ratio * ratio);
  return needed > rows && needed <= MAX_ADVISED_ROWS ? needed : undefined;
}

function advice(rowsNeeded: number | undefined): string {
  return rowsNeeded === undefined
    ? " More rows alone are not expected to settle it."
    : ` About ${rowsNeeded.toLocaleString("en-US")} held-out rows would.`;
}
