/** Where a rollout stands, in one sentence a person can act on. */
import {
  DAY_MS,
  type ExperimentMetric,
  HOUR_MS,
  type Instant,
  type PhaseEvidence,
  type RolloutPhase,
  type RolloutRecord,
  metricWord,
} from "../core/index.ts";

const percent = (share: number) => `${Number((share * 100).toFixed(2))} %`;

export function stageName(phase: RolloutPhase): string {
  switch (phase.kind) {
    case "shadow":
      return `Shadow (${percent(phase.mirror)} mirrored)`;
    case "canary":
      return `Canary at ${percent(phase.share)}`;
    case "ramp":
      return `Ramp at ${percent(phase.share)}`;
    case "ab":
      return `A/B at ${percent(phase.share)}`;
    case "full":
      return "Full rollout";
    case "watch":
      return "Watch";
  }
}

/** Accuracy in points, everything else in its unit. */
export function amount(metric: ExperimentMetric, value: number): string {
  const size = Math.abs(value);
  return metric === "accuracy"
    ? `${(size * 100).toFixed(2)} points of accuracy`
    : `${size.toPrecision(3)} of ${metricWord(metric)}`;
}

const MINUTE_MS = 60_000;

export function duration(ms: number): string {
  if (ms >= 1.5 * DAY_MS) return `about ${Math.round(ms / DAY_MS)} days`;
  if (ms >= 1.5 * HOUR_MS) return `about ${Math.round(ms / HOUR_MS)} hours`;
  if (ms >= 50 * MINUTE_MS) return "about an hour";
  return ms >= 1.5 * MINUTE_MS ? `about ${Math.round(ms / MINUTE_MS)} minutes` : "about a minute";
}

export const span = (ms: number) => duration(ms).replace("about ", "");

interface Standing {
  readonly rollout: RolloutRecord;
  readonly evidence: PhaseEvidence;
  readonly now: Instant;
  readonly labelDelayMs: number;
}

/** @param why the rule that keeps it where it is; @param held what that waits for besides time: samples, or people and their hours */
export function verdictSentence(standing: Standing, why: string, held?: "samples" | "people"): string {
  const { rollout, evidence } = standing;
  const { comparison } = evidence;
  const left = held === "people" ? "" : remaining(standing);
  if (comparison === null || comparison.difference === null || comparison.interval === null) return `${why}${left}`;
  const { difference, metric, verdict } = comparison;
  const size = amount(metric, difference);
  if (rollout.state === "watching") {
    return `${why} It is ${difference >= 0 ? "ahead of" : "behind"} ${rollout.champion} by ${size}.${left}`;
  }
  if (verdict === "better") return `${rollout.challenger} is better by ${size}, safe to stop. ${why}`;
  if (verdict === "worse") return `${rollout.challenger} is worse by ${size}. ${why}`;
  if (verdict === "not-worse") return `${rollout.challenger} is not worse by more than the margin. ${why}${left}`;
  const direction = difference >= 0 ? "ahead" : "behind";
  if (held !== undefined) return `${why}${left} ${rollout.challenger} is ${direction} by ${size}, which may be chance.`;
  return `Keep going${remaining(standing, ",").replace(/\.$/, "")}: ${rollout.challenger} is ${direction} by ${size}, which may still be chance.`;
}

/** How long until the stage ends by itself; shadow and canary may wait longer, for samples. */
function remaining(standing: Standing, joint = ""): string {
  const { rollout, now, labelDelayMs } = standing;
  const phase = rollout.phases.at(-1);
  const stage = phase === undefined ? undefined : rollout.stages[phase.stage];
  if (phase?.firstExposureAt === undefined || stage === undefined || rollout.state === "paused") return "";
  const length =
    stage.kind === "ramp"
      ? stage.eachMs
      : stage.kind === "ab"
        ? stage.maxMs
        : stage.kind === "full"
          ? stage.watchMs
          : stage.durationMs;
  const waits = stage.kind === "shadow" || stage.kind === "canary" ? stage.maxMs : length;
  const since = now - phase.firstExposureAt - labelDelayMs;
  const rest = (since < length ? length : waits) - since;
  if (rest <= 0) return "";
  const most = waits > length && since < length ? "" : "at most ";
  return joint === "" ? ` It takes ${most}${duration(rest)} more.` : `${joint} ${most}${duration(rest)} more.`;
}
