/** The stage machine, drawn: each station with what begins and ends it, its state, and how far the present one is. */
import type { PhaseEvidence, RolloutRecord } from "../../../src/server/contract.ts";
import { instant } from "../format.ts";
import { StationMark } from "../parts/rollout-state.tsx";
import { entryWords, exitWords, progressOf, type Station, stationsOf, windowWords } from "./rollout-words.ts";

interface MachineProps {
  readonly rollout: RolloutRecord;
  /** By phase. */
  readonly evidence: readonly PhaseEvidence[];
  readonly now: number | undefined;
  readonly labelDelayMs: number;
}

export function StageMachine({ rollout, evidence, now, labelDelayMs }: MachineProps) {
  const stations = stationsOf(rollout);
  return (
    <>
      <ol className="machine" aria-label="Stages">
        {stations.map((station, i) => (
          <StationCard
            key={i}
            station={station}
            isFirst={i === 0}
            isPaused={rollout.state === "paused"}
            evidence={station.index === undefined ? undefined : evidence[station.index]}
            clocks={{ now: now ?? rollout.createdAt, labelDelayMs }}
          />
        ))}
      </ol>
      <p className="dimmed small machine-note">
        Harm that is shown (failures, latency, quality, business measures) goes back to {rollout.champion} from every
        stage at once, paused or not. Time counts from the first exposure, after the label delay.
      </p>
    </>
  );
}

function StationCard(props: {
  readonly station: Station;
  readonly isFirst: boolean;
  readonly isPaused: boolean;
  readonly evidence: PhaseEvidence | undefined;
  readonly clocks: { readonly now: number; readonly labelDelayMs: number };
}) {
  const { station, isFirst, isPaused, evidence, clocks } = props;
  const { phase, state } = station;
  const hours = windowWords(station.stage);
  const isCurrent = state === "current";
  return (
    <li className="station" data-state={state} aria-current={isCurrent ? "step" : undefined}>
      <div className="station-heading">
        <h3>{station.title}</h3>
        <StationMark state={state} />
        {isCurrent && isPaused ? <span className="strong">paused</span> : null}
        {phase === undefined ? null : (
          <span className="dimmed small">
            {phase.exitedAt === undefined
              ? `since ${instant(phase.enteredAt)} UTC`
              : `${instant(phase.enteredAt)} to ${instant(phase.exitedAt)} UTC`}
          </span>
        )}
      </div>
      {phase?.reason === undefined ? null : <p>{phase.reason}</p>}
      <p className="dimmed small">
        {entryWords(station, isFirst)}; {exitWords(station)}
        {hours === undefined ? "" : `; ${hours}`}
      </p>
      {isCurrent ? (
        <div className="station-progress">
          {progressOf(station, evidence, clocks).map((one) => (
            <div key={one.label}>
              <div className="small">
                {one.label}: {one.text}
              </div>
              <progress value={one.value} max={one.of || 1} aria-label={one.label} />
            </div>
          ))}
        </div>
      ) : null}
    </li>
  );
}
