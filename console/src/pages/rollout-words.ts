/** Stages of a rollout in words: what begins them, what ends them, how far the present one is. */
import type { PhaseEvidence, RolloutPhase, RolloutRecord, StageSpec } from "../../../src/server/contract.ts";
import { duration, number, share, whole, plural } from "../format.ts";
import { metricLabel } from "../metrics.ts";

export const KIND_WORDS: Readonly<Record<RolloutPhase["kind"], string>> = {
  shadow: "Shadow",
  canary: "Canary",
  ramp: "Ramp",
  ab: "A/B",
  full: "Full",
  watch: "Watch",
};

/** One station on the way: a ramp has one per share, a full stage its watch. */
export interface Station {
  readonly kind: RolloutPhase["kind"];
  readonly title: string;
  readonly stage: StageSpec;
  readonly phase?: RolloutPhase;
  /** Position in `phases`. */
  readonly index?: number;
  readonly state: "done" | "current" | "ahead" | "skipped" | "stopped" | "not-reached";
}

function titleOf(kind: RolloutPhase["kind"], stage: StageSpec, part: number): string {
  if (kind === "shadow") return `Shadow: ${share(part)} mirrored`;
  if (kind === "full") return "Full: promoted";
  if (kind === "watch") return "Watch after the promotion";
  return `${KIND_WORDS[kind]} at ${share(part)}${stage.kind === "ab" ? " (randomized)" : ""}`;
}

function plannedShares(stage: StageSpec): readonly number[] {
  if (stage.kind === "ramp") return stage.shares;
  return [stage.kind === "full" ? 1 : stage.share];
}

/** Every station of a rollout in order, those it has passed with their phases. */
export function stationsOf(rollout: RolloutRecord): readonly Station[] {
  const isOver = rollout.endedAt !== undefined;
  const isPromoted = rollout.state === "promoted" || rollout.state === "watching";
  return rollout.stages.flatMap((stage, position): readonly Station[] => {
    const passed = rollout.phases.flatMap((phase, index) => (phase.stage === position ? [{ phase, index }] : []));
    if (stage.kind === "full") {
      const watched = passed.find(({ phase }) => phase.kind === "watch");
      const wasPromoted = isPromoted || watched !== undefined;
      const promotion: Station = {
        kind: "full",
        title: titleOf("full", stage, 1),
        stage,
        state: wasPromoted ? "done" : isOver ? "not-reached" : "ahead",
      };
      if (stage.watchMs === 0) return [promotion];
      const watch: Station = {
        kind: "watch",
        title: titleOf("watch", stage, 1),
        stage,
        ...watched,
        state: stateOf(watched?.phase, isOver),
      };
      return [promotion, watch];
    }
    return plannedShares(stage).map((part, i): Station => {
      const found = passed[i];
      return {
        kind: stage.kind,
        title: titleOf(stage.kind, stage, part),
        stage,
        ...found,
        state: stateOf(found?.phase, isOver),
      };
    });
  });
}

function stateOf(phase: RolloutPhase | undefined, isOver: boolean): Station["state"] {
  if (phase === undefined) return isOver ? "not-reached" : "ahead";
  if (phase.exitedAt === undefined) return isOver ? "stopped" : "current";
  if (phase.outcome === "skipped") return "skipped";
  return phase.outcome === "no" ? "stopped" : "done";
}

/** What must be so before it begins. */
export function entryWords(station: Station, isFirst: boolean): string {
  if (station.kind === "watch") return "In: the promotion";
  return isFirst ? "In: the gate has passed" : "In: the stage before has passed";
}

/** What ends it by moving on; harm ends every stage by going back. */
export function exitWords({ kind, stage }: Station): string {
  const at = `${number(stage.margin)} ${metricLabel(stage.metric).toLowerCase()}`;
  switch (stage.kind) {
    case "shadow":
      return `Out: ${duration(stage.durationMs)} and ${plural(stage.minSamples, "labelled pair")}, at most ${duration(stage.maxMs)}, and not worse by ${at}`;
    case "canary":
      return `Out: ${duration(stage.durationMs)} and ${plural(stage.minSamples, "answer")}, at most ${duration(stage.maxMs)}, and not worse by ${at}`;
    case "ramp":
      return `Out: ${duration(stage.eachMs)}, and not worse by ${at}`;
    case "ab":
      return `Out: ${plural(stage.minSamples, "labelled row")}${stage.minMs === undefined ? "" : `, ${duration(stage.minMs)}`} and ${
        stage.rule === "superiority" ? "shown better" : `shown not worse by ${at}`
      }, or the champion stays after ${duration(stage.maxMs)} without evidence`;
    case "full":
      return kind === "watch" ? `Out: ${duration(stage.watchMs)} without harm` : "the challenger answers everybody";
  }
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const clock = (minute: number) =>
  `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;

/** The hours in which a stage may move on, where it has any. */
export function windowWords({ within }: StageSpec): string | undefined {
  if (within === undefined) return undefined;
  const days = within.days.length === 7 ? "every day" : within.days.map((day) => DAYS[day] ?? day).join(", ");
  return `moves on only ${days} ${clock(within.fromMinute)} to ${clock(within.toMinute)}, ${within.timeZone}`;
}

export interface Progress {
  readonly label: string;
  readonly value: number;
  readonly of: number;
  readonly text: string;
}

/** How far the present stage is: matured time and samples, each against what it wants. */
export function progressOf(
  station: Station,
  evidence: PhaseEvidence | undefined,
  clocks: { readonly now: number; readonly labelDelayMs: number },
): readonly Progress[] {
  const { stage, phase } = station;
  if (phase === undefined) return [];
  const since = phase.firstExposureAt ?? evidence?.firstExposureAt ?? null;
  const matured = since === null ? 0 : Math.max(0, (phase.exitedAt ?? clocks.now) - since - clocks.labelDelayMs);
  const time = (of: number): Progress => ({
    label: "matured time",
    value: Math.min(matured, of),
    of,
    text: `${duration(matured)} of ${duration(of)}`,
  });
  const samples = (label: string, value: number, of: number): Progress => ({
    label,
    value: Math.min(value, of),
    of,
    text: `${whole(Math.floor(value))} of ${whole(of)}`,
  });
  const rows = (evidence?.comparison?.championRows ?? 0) + (evidence?.comparison?.challengerRows ?? 0);
  switch (stage.kind) {
    case "shadow":
      return [time(stage.durationMs), samples("labelled pairs", rows / 2, stage.minSamples)];
    case "canary":
      return [time(stage.durationMs), samples("answers", evidence?.exposures.challenger ?? 0, stage.minSamples)];
    case "ramp":
      return [time(stage.eachMs)];
    case "ab":
      return [samples("labelled rows", rows, stage.minSamples), time(stage.maxMs)];
    case "full":
      return [time(stage.watchMs)];
  }
}
