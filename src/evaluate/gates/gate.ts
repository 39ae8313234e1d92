/**
 * The contract of a kind of gate: what a user writes, what it needs measured, and a pure judgement of the evidence. `no` needs
 * evidence of harm, `yes` needs evidence of its absence, and everything between is `cannot-tell` with the number of held-out
 * rows that would settle it. A bound decides, never a point.
 */
import { plural } from "../../core/index.ts";
import type {
  ApprovalRecord,
  EvaluationReport,
  FieldTable,
  GateCheck,
  Instant,
  Outcome,
  TableValue,
  Task,
} from "../../core/index.ts";
import { METRICS, type MetricName, normalIsf } from "../../stats/index.ts";
import type { GateSpec } from "../spec.ts";

/** 95 % one-sided normal quantile: the bound every gate uses on a first look (reference decision "one-sided alpha 0.05"). */
export const Z_ONE_SIDED = 1.6448536269514722;
/** No advice beyond this many rows: past it the difference is too small to be worth certifying. */
const MAX_ADVISED_ROWS = 10_000_000;

/** What a custom function answered, or why it did not. */
export interface CustomAnswer {
  readonly outcome: Outcome;
  readonly reason: string;
}

export interface GateContext {
  readonly report: EvaluationReport;
  /** The live version when the run began; the report has none where that one cannot answer the rows. */
  readonly champion?: string;
  /** The instant of the judgement, for approvals that expire. */
  readonly now: Instant;
  /** What was measured with the machine's clock decides on a live clock only. */
  readonly clock: "live" | "virtual";
  readonly approvals: readonly ApprovalRecord[];
  /** Answers of custom functions by `customKey`. */
  readonly custom: ReadonlyMap<string, CustomAnswer>;
}

export interface GateKind<S extends GateSpec = GateSpec, T extends FieldTable = FieldTable> {
  readonly kind: S["kind"];
  readonly description: string;
  /** Keys a user writes beside `kind`, for a model of the task. */
  readonly fields: (task: Task) => T;
  /** @throws CONFIG_INVALID where keys contradict each other or the task */
  readonly resolve: (values: TableValue<T>, path: string, task: Task) => S;
  /** Names it in records: `atLeast(rocAuc, 0.6)`. */
  readonly subject: (spec: S) => string;
  /** The rule in words. */
  readonly rule: (spec: S) => string;
  /** Metrics it needs with their intervals. */
  readonly metrics: (spec: S) => readonly string[];
  readonly judge: (spec: S, context: GateContext) => GateCheck;
  /** Evidence on which it says yes and no; the contract suite runs every kind over them. */
  readonly samples: readonly { readonly spec: S; readonly passes: GateContext; readonly refuses: GateContext }[];
}

/** Metric names come from configs that were validated; an unknown one would be a mistake of ours. */
export function higherIsBetter(metric: string): boolean {
  return METRICS[metric as MetricName].higherIsBetter;
}

export const show = (value: number) => (Math.abs(value) >= 1000 ? value.toFixed(1) : value.toPrecision(4));
export const showCount = (value: number) => value.toLocaleString("en-US");

/** The z of this look: larger where held-out rows are used again (alpha spending). */
export function lookZ(report: EvaluationReport): number {
  return report.looks === undefined ? Z_ONE_SIDED : normalIsf(report.looks.alpha);
}

/** A 90 % interval as this look must see it: each side stretched by the ratio of the normal quantiles. */
export function atLook(
  estimate: number,
  [low, high]: readonly [number, number],
  report: EvaluationReport,
): readonly [number, number] {
  if (report.looks === undefined || report.looks.look === 1) return [low, high];
  const stretch = lookZ(report) / Z_ONE_SIDED;
  return [estimate - (estimate - low) * stretch, estimate + (high - estimate) * stretch];
}

/** Rows at which a one-sided bound would clear a distance, if the estimate and its noise stay as they are. */
export function neededRows(input: {
  readonly rows: number;
  readonly standardError: number;
  readonly distance: number;
  readonly z: number;
}): number | undefined {
  const { rows, standardError, distance, z } = input;
  if (!(distance > 0) || !(standardError > 0)) return undefined;
  const ratio = (z * standardError) / distance;
  const needed = Math.ceil(rows * ratio * ratio);
  return needed > rows && needed <= MAX_ADVISED_ROWS ? needed : undefined;
}

export function advice(rowsNeeded: number | undefined): string {
  return rowsNeeded === undefined
    ? " More rows alone are not expected to settle it."
    : ` About ${plural(rowsNeeded, "held-out row")} would.`;
}

// -- samples -----------------------------------------------------------------------------------------------------------------

const SAMPLE_REPORT: EvaluationReport = {
  rows: 1_000,
  candidate: { logLoss: 0.3, rocAuc: 0.8, accuracy: 0.85, ece: 0.02 },
  candidateIntervals: { logLoss: [0.29, 0.31], rocAuc: [0.78, 0.82], accuracy: [0.83, 0.87], ece: [0.01, 0.03] },
  champion: { logLoss: 0.32, rocAuc: 0.78, accuracy: 0.84, ece: 0.02 },
  championVersion: "v1",
  baseline: { trainer: "majority", metrics: { logLoss: 0.5, rocAuc: 0.5, accuracy: 0.7 } },
  differences: [],
  baselineDifferences: [],
  slices: [],
  holdout: { rows: 1_000 },
};

/** Evidence for samples: a sound report with the given parts replaced. */
export function sampleContext(report: Partial<EvaluationReport>, more: Partial<GateContext> = {}): GateContext {
  const custom = new Map<string, CustomAnswer>();
  const context = { report: { ...SAMPLE_REPORT, ...report }, now: 1_000_000, clock: "live" as const };
  return { ...context, approvals: [], custom, ...more };
}

/** A paired difference of log loss with a symmetric 90 % interval. */
export function sampleDifference(difference: number, half: number, metric = "logLoss") {
  return {
    metric,
    candidate: 0.3 + difference,
    champion: 0.3,
    difference,
    interval: [difference - half, difference + half] as const,
    championStandardError: 0.01,
    rows: 1_000,
    method: "sample",
  };
}
