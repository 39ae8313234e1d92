/** States of rollouts, their stages and guardrails, as shape and word. */
import type { GuardrailFinding, RolloutState } from "../../../src/server/contract.ts";
import { Icon, type IconName } from "./icons.tsx";
import type { Tone } from "./state.tsx";

interface Look {
  readonly word: string;
  readonly icon: IconName;
  readonly tone: Tone;
}
const ROLLOUT: Readonly<Record<RolloutState, Look>> = {
  open: { word: "open", icon: "half", tone: "info" },
  paused: { word: "paused", icon: "pause", tone: "warn" },
  watching: { word: "watching", icon: "half", tone: "info" },
  promoted: { word: "promoted", icon: "up", tone: "good" },
  "rolled-back": { word: "rolled back", icon: "down", tone: "bad" },
  inconclusive: { word: "inconclusive", icon: "question", tone: "warn" },
  aborted: { word: "aborted", icon: "ban", tone: "muted" },
  superseded: { word: "superseded", icon: "dash", tone: "muted" },
};
const STATION: Readonly<Record<string, Look>> = {
  done: { word: "passed", icon: "check", tone: "good" },
  current: { word: "under way", icon: "half", tone: "info" },
  ahead: { word: "ahead", icon: "ring", tone: "muted" },
  skipped: { word: "skipped", icon: "dash", tone: "muted" },
  stopped: { word: "stopped here", icon: "cross", tone: "bad" },
  "not-reached": { word: "not reached", icon: "dash", tone: "muted" },
};
const HARM: Readonly<Record<GuardrailFinding["harm"], Look>> = {
  yes: { word: "harm", icon: "exclamation", tone: "bad" },
  no: { word: "holds", icon: "check", tone: "good" },
  "cannot-tell": { word: "cannot tell", icon: "question", tone: "warn" },
};

function Shown({ look }: { readonly look: Look }) {
  return (
    <span className="state">
      <span className="state-shape" data-tone={look.tone}>
        <Icon name={look.icon} size={14} />
      </span>
      {look.word}
    </span>
  );
}

export const RolloutMark = ({ state }: { readonly state: RolloutState }) => <Shown look={ROLLOUT[state]} />;
export const StationMark = ({ state }: { readonly state: string }) => (
  <Shown look={STATION[state] ?? { word: state, icon: "ring", tone: "muted" }} />
);
export const HarmMark = ({ harm }: { readonly harm: GuardrailFinding["harm"] }) => <Shown look={HARM[harm]} />;
