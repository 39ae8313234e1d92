/** States as shape and word; the color of the shape only repeats what both already say. */
import type {
  AlertRecord,
  DriftVerdict,
  ModelSummary,
  QuarantinedRow,
  RunState,
  StatusTable,
  VersionRecord,
} from "../../../src/server/contract.ts";
import { Icon, type IconName } from "./icons.tsx";

export type Tone = "good" | "bad" | "warn" | "info" | "muted";

interface Look {
  readonly word: string;
  readonly icon: IconName;
  readonly tone: Tone;
}

const MODEL: Readonly<Record<ModelSummary["state"], Look>> = {
  healthy: { word: "healthy", icon: "check", tone: "good" },
  retraining: { word: "retraining", icon: "half", tone: "info" },
  worse: { word: "worse", icon: "down", tone: "bad" },
  blocked: { word: "blocked", icon: "ban", tone: "bad" },
  "not-ready": { word: "not ready", icon: "exclamation", tone: "warn" },
  "waiting-for-data": { word: "waiting for data", icon: "ring", tone: "muted" },
};
const RUN: Readonly<Record<RunState, Look>> = {
  queued: { word: "queued", icon: "ring", tone: "muted" },
  running: { word: "running", icon: "half", tone: "info" },
  promoted: { word: "promoted", icon: "up", tone: "good" },
  held: { word: "held", icon: "pause", tone: "warn" },
  rejected: { word: "rejected", icon: "cross", tone: "bad" },
  stopped: { word: "stopped", icon: "square", tone: "warn" },
  failed: { word: "failed", icon: "exclamation", tone: "bad" },
  canceled: { word: "canceled", icon: "ban", tone: "muted" },
};
const STEP: Readonly<Record<StatusTable["rows"][number]["state"], Look>> = {
  done: { word: "done", icon: "check", tone: "good" },
  running: { word: "running", icon: "half", tone: "info" },
  waiting: { word: "waiting", icon: "ring", tone: "muted" },
  stopped: { word: "stopped", icon: "square", tone: "warn" },
  failed: { word: "failed", icon: "exclamation", tone: "bad" },
  skipped: { word: "skipped", icon: "dash", tone: "muted" },
};
const OUTCOME: Readonly<Record<string, Look>> = {
  yes: { word: "yes", icon: "check", tone: "good" },
  no: { word: "no", icon: "cross", tone: "muted" },
  "cannot-tell": { word: "cannot tell", icon: "question", tone: "warn" },
  promote: { word: "promote", icon: "up", tone: "good" },
  hold: { word: "hold", icon: "pause", tone: "warn" },
  reject: { word: "reject", icon: "cross", tone: "bad" },
};
const VERSION: Readonly<Record<VersionRecord["state"], Look>> = {
  live: { word: "live", icon: "up", tone: "good" },
  candidate: { word: "candidate", icon: "pause", tone: "info" },
  retired: { word: "retired", icon: "dash", tone: "muted" },
  "rolled-back": { word: "rolled back", icon: "down", tone: "bad" },
  rejected: { word: "rejected", icon: "cross", tone: "bad" },
};
const SEVERITY: Readonly<Record<AlertRecord["severity"], Look>> = {
  critical: { word: "critical", icon: "exclamation", tone: "bad" },
  warning: { word: "warning", icon: "diamond", tone: "warn" },
  info: { word: "info", icon: "ring", tone: "info" },
};
const QUARANTINE: Readonly<Record<QuarantinedRow["state"], Look>> = {
  waiting: { word: "waiting", icon: "ring", tone: "warn" },
  replayed: { word: "replayed", icon: "check", tone: "good" },
  dropped: { word: "dropped", icon: "dash", tone: "muted" },
};

const DRIFT: Readonly<Record<DriftVerdict, Look>> = {
  drift: { word: "drift", icon: "up", tone: "bad" },
  "no-drift": { word: "no drift", icon: "check", tone: "good" },
  "cannot-tell": { word: "cannot tell", icon: "question", tone: "warn" },
};

const LOOKS = {
  drift: DRIFT,
  model: MODEL,
  run: RUN,
  step: STEP,
  outcome: OUTCOME,
  version: VERSION,
  severity: SEVERITY,
  quarantine: QUARANTINE,
} as const;

interface StateProps {
  readonly of: keyof typeof LOOKS;
  readonly value: string;
}

export function State({ of, value }: StateProps) {
  const looks: Readonly<Record<string, Look>> = LOOKS[of];
  const { word, icon, tone } = looks[value] ?? { word: value, icon: "ring", tone: "muted" };
  return (
    <span className="state">
      <span className="state-shape" data-tone={tone}>
        <Icon name={icon} size={14} />
      </span>
      {word}
    </span>
  );
}
