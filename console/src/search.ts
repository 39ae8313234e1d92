/** What the address holds besides the path. Anything unknown is left out rather than refused: addresses are typed by people. */
import type { DecisionRecord, DriftReference, QuarantinedRow, RunState } from "../../src/server/contract.ts";

const HOUR = 3_600_000;
/** Time ranges offered on charts, in ms before now. */
export const RANGES = {
  "24h": 24 * HOUR,
  "7d": 7 * 24 * HOUR,
  "30d": 30 * 24 * HOUR,
  "90d": 90 * 24 * HOUR,
  "1y": 365 * 24 * HOUR,
  all: Number.POSITIVE_INFINITY,
} as const;
export type Range = keyof typeof RANGES;

/** Widths of a point of a chart; without one the server picks what fits. */
export const BUCKETS = {
  "1h": HOUR,
  "6h": 6 * HOUR,
  "1d": 24 * HOUR,
  "7d": 7 * 24 * HOUR,
  "28d": 28 * 24 * HOUR,
} as const;
export type Bucket = keyof typeof BUCKETS;

export const RUN_STATES = [
  "queued",
  "running",
  "promoted",
  "held",
  "rejected",
  "stopped",
  "failed",
  "canceled",
] as const satisfies readonly RunState[];
export const DECISION_KINDS = [
  "trigger",
  "guard",
  "assessment",
  "gate",
  "promotion",
  "rollout",
  "monitor",
  "review",
] as const satisfies readonly DecisionRecord["kind"][];
export const OUTCOMES = ["yes", "no", "cannot-tell"] as const satisfies readonly DecisionRecord["outcome"][];
export const QUARANTINE_STATES = [
  "waiting",
  "replayed",
  "dropped",
] as const satisfies readonly QuarantinedRow["state"][];

type Raw = Readonly<Record<string, unknown>>;

function oneOf<const T extends string>(value: unknown, allowed: readonly T[]): T | undefined {
  return allowed.find((candidate) => candidate === value);
}
const name = (value: unknown): string | undefined =>
  typeof value === "string" && /^[\w.-]{1,64}$/.test(value) ? value : undefined;

/** Undefined values are left out of the address by the router. `from` and `to` are days, and win over `range`. */
export interface RangeSearch {
  readonly range?: Range | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}
const midnight = (value: unknown): number | undefined => {
  const at = typeof value === "string" && /^\d{4}-\d{2}-\d{2}$/.test(value) ? Date.parse(value) : value;
  return typeof at === "number" && Number.isSafeInteger(at) && Math.abs(at) < 8e15 ? at : undefined;
};
const rangeSearch = (raw: Raw): RangeSearch => ({
  range: oneOf(raw["range"], Object.keys(RANGES) as Range[]),
  from: midnight(raw["from"]),
  to: midnight(raw["to"]),
});

export interface AuditSearch extends RangeSearch {
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly model?: string | undefined;
}
export const auditSearch = (raw: Raw): AuditSearch => ({
  actor: typeof raw["actor"] === "string" ? raw["actor"].slice(0, 128) : undefined,
  action: typeof raw["action"] === "string" && /^[a-z-]+(\.[a-z-]+)?$/.test(raw["action"]) ? raw["action"] : undefined,
  model: name(raw["model"]),
  ...rangeSearch(raw),
});

export interface PerformanceSearch extends RangeSearch {
  readonly metric?: string | undefined;
  readonly version?: string | undefined;
  readonly bucket?: Bucket | undefined;
}
export const performanceSearch = (raw: Raw): PerformanceSearch => ({
  metric: name(raw["metric"]),
  ...rangeSearch(raw),
  version: name(raw["version"]),
  bucket: oneOf(raw["bucket"], Object.keys(BUCKETS) as Bucket[]),
});

export interface RunsSearch {
  readonly state?: RunState | undefined;
}
export const runsSearch = (raw: Raw): RunsSearch => ({ state: oneOf(raw["state"], RUN_STATES) });

export interface DecisionsSearch {
  readonly model?: string | undefined;
  readonly kind?: DecisionRecord["kind"] | undefined;
  readonly outcome?: DecisionRecord["outcome"] | undefined;
}
export const decisionsSearch = (raw: Raw): DecisionsSearch => ({
  model: name(raw["model"]),
  kind: oneOf(raw["kind"], DECISION_KINDS),
  outcome: oneOf(raw["outcome"], OUTCOMES),
});

export interface AlertsSearch {
  readonly state?: "open" | "resolved" | "all" | undefined;
}
export const alertsSearch = (raw: Raw): AlertsSearch => ({ state: oneOf(raw["state"], ["open", "resolved", "all"]) });

export interface DataSearch {
  readonly state?: QuarantinedRow["state"] | "all" | undefined;
}
export const dataSearch = (raw: Raw): DataSearch => ({ state: oneOf(raw["state"], [...QUARANTINE_STATES, "all"]) });

export interface FeedbackSearch {
  readonly show?: "up" | "down" | "value" | "comment" | undefined;
}
export const feedbackSearch = (raw: Raw): FeedbackSearch => ({
  show: oneOf(raw["show"], ["up", "down", "value", "comment"]),
});

export const LABELING_MODES = ["one", "bulk", "reviews"] as const;
export interface LabelingSearch {
  /** One by one unless said. */
  readonly mode?: (typeof LABELING_MODES)[number] | undefined;
}
export const labelingSearch = (raw: Raw): LabelingSearch => ({ mode: oneOf(raw["mode"], LABELING_MODES) });

const versionName = (value: unknown): string | undefined =>
  typeof value === "string" && /^v\d{1,9}$/.test(value) ? value : undefined;
/** `a` is what is compared with: the champion unless said. */
export function compareSearch(raw: Raw): { a?: string; b?: string; metric?: string } {
  const [a, b, metric] = [versionName(raw["a"]), versionName(raw["b"]), name(raw["metric"])];
  return {
    ...(a === undefined ? {} : { a }),
    ...(b === undefined ? {} : { b }),
    ...(metric === undefined ? {} : { metric }),
  };
}
export const DRIFT_REFERENCES = ["training", "trailing", "same-season"] as const satisfies readonly DriftReference[];
export interface DriftSearch {
  readonly reference?: DriftReference | undefined;
  readonly feature?: string | undefined;
  /** End of the window that is shown in full. */
  readonly to?: number | undefined;
}
export const driftSearch = (raw: Raw): DriftSearch => ({
  reference: oneOf(raw["reference"], DRIFT_REFERENCES),
  // Names of columns are free texts.
  feature: typeof raw["feature"] === "string" ? raw["feature"].slice(0, 200) : undefined,
  to: typeof raw["to"] === "number" && Number.isSafeInteger(raw["to"]) ? raw["to"] : undefined,
});

export interface ExperimentSearch {
  /** Position of the phase that is shown; the latest unless said. */
  readonly phase?: number | undefined;
}
export const experimentSearch = (raw: Raw): ExperimentSearch => ({
  phase: typeof raw["phase"] === "number" && Number.isSafeInteger(raw["phase"]) ? raw["phase"] : undefined,
});
