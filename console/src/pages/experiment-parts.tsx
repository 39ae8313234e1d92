/** The parts of an experiment: comparison with its sequence, exposure, guardrails, and what was planned. */
import { useCallback } from "react";
import type {
  Comparison,
  ExperimentLook,
  GuardrailFinding,
  PhaseEvidence,
  RolloutDetail,
  RolloutPhase,
  RolloutRecord,
  SampleRatio,
} from "../../../src/server/contract.ts";
import { Chart } from "../chart/chart.tsx";
import type { Ink } from "../chart/ink.ts";
import { duration, instant, number, plural, share, signed, whole } from "../format.ts";
import { metricLabel, metricWithDirection } from "../metrics.ts";
import { IntervalDrawing } from "../parts/drawings.tsx";
import { Icon } from "../parts/icons.tsx";
import { DataTable, Facts, Section } from "../parts/layout.tsx";
import { HarmMark } from "../parts/rollout-state.tsx";
import { sequenceOption } from "./experiment-option.ts";

interface ComparisonProps {
  readonly rollout: RolloutRecord;
  readonly phase: RolloutPhase;
  readonly evidence: PhaseEvidence;
  readonly looks: readonly ExperimentLook[];
  readonly margin: number;
}

/** What the interval says, for people. */
function verdictWords(rollout: RolloutRecord, { verdict, difference, metric }: Comparison, margin: number): string {
  const { challenger, champion } = rollout;
  const by = difference === null ? "" : ` by ${number(Math.abs(difference), 3)} ${metricLabel(metric).toLowerCase()}`;
  switch (verdict) {
    case "better":
      return `${challenger} is better than ${champion}${by}.`;
    case "worse":
      return `${challenger} is worse than ${champion}${by}.`;
    case "not-worse":
      return `${challenger} is not worse than ${champion} by more than ${number(margin)}.`;
    case "cannot-tell":
      return `${challenger} and ${champion} cannot be told apart yet.`;
  }
}

export function ComparisonSection({ rollout, phase, evidence, looks, margin }: ComparisonProps) {
  const { comparison } = evidence;
  const option = useCallback(
    (ink: Ink) => sequenceOption({ looks, comparison, margin, name: `positive: ${rollout.challenger} is better` }, ink),
    [looks, comparison, margin, rollout.challenger],
  );
  if (comparison === null) {
    return (
      <Section title="Comparison">
        <p className="empty">
          No label of this stage has arrived from both versions yet; quality is compared from the first ones on.
        </p>
      </Section>
    );
  }
  const { metric } = comparison;
  const isBroken = evidence.sampleRatio?.mismatch === true || evidence.labelledRatio?.mismatch === true;
  if (isBroken) {
    return (
      <Section title="Comparison" lead={splitWords(evidence.sampleRatio, evidence.labelledRatio)}>
        <p className="empty">
          {plural(comparison.championRows + comparison.challengerRows, "labelled row")} of this stage are kept and
          counted; what they say is not shown, because the difference may come from the split itself.
        </p>
      </Section>
    );
  }
  return (
    <Section title="Comparison" lead={verdictWords(rollout, comparison, margin)}>
      <VariantTable rollout={rollout} phase={phase} evidence={evidence} comparison={comparison} />
      <ComparisonFacts comparison={comparison} margin={margin} />
      {looks.length === 0 ? (
        <p className="dimmed sequence-note">No look was taken in this stage, so there is no sequence to draw.</p>
      ) : (
        <div className="sequence">
          <Chart
            title={`Difference in ${metricLabel(metric).toLowerCase()} over time`}
            summary={sequenceSummary(rollout, comparison, looks)}
            table={{
              head: ["At (UTC)", "Labelled rows", "Difference", "Low", "High", "p, always valid"],
              rows: looks.map(({ at, rows, difference, interval, p }) => [
                instant(at),
                rows,
                difference,
                interval?.[0] ?? null,
                interval?.[1] ?? null,
                p,
              ]),
            }}
            option={option}
            height={320}
          />
        </div>
      )}
    </Section>
  );
}

function sequenceSummary(rollout: RolloutRecord, { interval }: Comparison, looks: readonly ExperimentLook[]): string {
  const first = looks.find((look) => look.interval !== null)?.interval;
  const width = (one: readonly [number, number] | null | undefined) =>
    one === null || one === undefined ? "–" : number(one[1] - one[0], 3);
  return `Above zero ${rollout.challenger} is better. The band holds at every look, so it may be read at any time; over ${plural(looks.length, "look")} it went from a width of ${width(first)} to ${width(interval)}.`;
}

function VariantTable(props: {
  readonly rollout: RolloutRecord;
  readonly phase: RolloutPhase;
  readonly evidence: PhaseEvidence;
  readonly comparison: Comparison;
}) {
  const { rollout, phase, evidence, comparison } = props;
  const { exposures, buckets } = evidence;
  const isMirrored = phase.kind === "shadow";
  const isWatch = phase.kind === "watch";
  const rows = [
    {
      version: rollout.champion,
      role: isWatch ? "previous champion" : "champion",
      answers: isWatch ? null : exposures.champion,
      units: isWatch ? null : buckets.champion,
      labelled: comparison.championRows,
      mean: comparison.championMean,
    },
    {
      version: rollout.challenger,
      role: isWatch ? "champion, watched" : "challenger",
      answers: isWatch ? null : isMirrored ? exposures.mirrored : exposures.challenger,
      units: isWatch || isMirrored ? null : buckets.challenger,
      labelled: comparison.challengerRows,
      mean: comparison.challengerMean,
    },
  ];
  const { difference, interval } = comparison;
  return (
    <DataTable
      label="Variants"
      head={[
        "Variant",
        "Answers",
        "Buckets that asked",
        "Labelled rows",
        metricWithDirection(comparison.metric),
        "Difference and interval",
      ]}
      numeric={[1, 2, 3, 4]}
    >
      {rows.map((one, i) => (
        <tr key={one.version}>
          <td className="nowrap">
            <span className="strong">{one.version}</span>
            <div className="dimmed small">
              {one.role}
              {i === 1 && isMirrored ? ", mirrored" : ""}
            </div>
          </td>
          <td className="right">{one.answers === null ? "–" : whole(one.answers)}</td>
          <td className="right">{one.units === null ? "–" : whole(one.units)}</td>
          <td className="right">{whole(one.labelled)}</td>
          <td className="right">{number(one.mean)}</td>
          <td>
            {i === 0 ? (
              <span className="dimmed">compared with</span>
            ) : difference === null || interval === null ? (
              "–"
            ) : (
              <>
                <IntervalDrawing
                  value={difference}
                  low={interval[0]}
                  high={interval[1]}
                  line={0}
                  lineLabel="no difference at"
                />
                <span className="small nowrap">
                  {signed(difference)} {difference > 0 ? "better" : difference < 0 ? "worse" : ""}
                </span>
                <div className="dimmed small nowrap">
                  {signed(interval[0])} to {signed(interval[1])}
                </div>
              </>
            )}
          </td>
        </tr>
      ))}
    </DataTable>
  );
}

function ComparisonFacts({ comparison, margin }: { readonly comparison: Comparison; readonly margin: number }) {
  const { method, design, p, varianceReduction, corrected, difference, interval } = comparison;
  const isCorrected = corrected.difference !== null && corrected.difference !== difference;
  const correction =
    isCorrected && corrected.interval !== null && corrected.difference !== null
      ? `${signed(corrected.difference)} (${signed(corrected.interval[0])} to ${signed(corrected.interval[1])}): ${comparison.correctedVerdict.replace("-", " ")}`
      : undefined;
  return (
    <div className="card comparison-facts">
      <Facts
        items={[
          ["Design", design === "paired" ? "paired: both answer the same rows" : "two groups of units"],
          ["Interval", method],
          ["May be worse by", number(margin)],
          ["p, valid at every look", number(p, 2)],
          ...(varianceReduction === null
            ? []
            : ([["Variance explained away by the champion's score", share(varianceReduction)]] as const)),
          ...(correction === undefined ? [] : ([["With later corrections of labels", correction]] as const)),
          ...(interval === null ? ([["Interval", "too few rows"]] as const) : []),
        ]}
      />
    </div>
  );
}

export function ExposureSection(props: {
  readonly rollout: RolloutRecord;
  readonly phase: RolloutPhase;
  readonly evidence: PhaseEvidence;
}) {
  const { rollout, phase, evidence } = props;
  const { exposures, sampleRatio, labelledRatio, firstExposureAt, lastExposureAt } = evidence;
  if (phase.kind === "watch") {
    return (
      <Section
        title="Exposure"
        lead={`${rollout.challenger} answers everybody; ${rollout.champion} is asked along unseen, so nothing is split.`}
      >
        {null}
      </Section>
    );
  }
  const lines = [
    ["Requests", sampleRatio],
    ["Labelled rows", labelledRatio],
  ] as const;
  const replayed = phase.replayed ?? 0;
  const period =
    firstExposureAt === null || lastExposureAt === null
      ? `Nobody has asked${phase.exitedAt === undefined ? " yet" : ""}.`
      : `From ${instant(firstExposureAt)} to ${instant(lastExposureAt)} UTC.`;
  return (
    <Section title="Exposure" lead={`${period} ${splitWords(sampleRatio, labelledRatio)}`}>
      {sampleRatio === null ? (
        <p>
          {rollout.champion} answered {plural(exposures.champion, "request")}, of which{" "}
          {whole(Math.max(0, exposures.mirrored - replayed))} went to {rollout.challenger} too, unseen.
        </p>
      ) : (
        <DataTable
          label="Split of traffic"
          head={["What", rollout.champion, rollout.challenger, "Share planned", "Share seen", "p", "Split"]}
          numeric={[1, 2, 3, 4, 5]}
        >
          {lines.map(([what, ratio]) =>
            ratio === null ? null : (
              <tr key={what}>
                <td>{what}</td>
                <td className="right">{whole(ratio.champion)}</td>
                <td className="right">{whole(ratio.challenger)}</td>
                <td className="right">{share(ratio.expectedShare)}</td>
                <td className="right">{seenShare(ratio)}</td>
                <td className="right">{number(ratio.p, 2)}</td>
                <td>
                  <SplitMark ratio={ratio} />
                </td>
              </tr>
            ),
          )}
        </DataTable>
      )}
      {replayed === 0 ? null : (
        <p>
          {plural(replayed, "logged request")} of earlier {replayed === 1 ? "was" : "were"} answered by{" "}
          {rollout.challenger} in a replay, unseen.
        </p>
      )}
    </Section>
  );
}

function seenShare({ champion, challenger }: SampleRatio): string {
  const all = champion + challenger;
  return all === 0 ? "–" : share(challenger / all);
}

function SplitMark({ ratio }: { readonly ratio: SampleRatio }) {
  const [word, icon, tone] = ratio.mismatch
    ? (["broken", "exclamation", "bad"] as const)
    : ratio.p === null
      ? (["too few to tell", "question", "warn"] as const)
      : (["as planned", "check", "good"] as const);
  return (
    <span className="state">
      <span className="state-shape" data-tone={tone}>
        <Icon name={icon} size={14} />
      </span>
      {word}
    </span>
  );
}

function splitWords(requests: SampleRatio | null, labelled: SampleRatio | null): string {
  if (requests === null) return "Nothing is split: the champion answers everybody.";
  if (requests.mismatch) {
    return "Requests do not arrive in the planned shares: something between the assignment and the log treats the arms differently, and no comparison of them can be read.";
  }
  if (labelled?.mismatch === true) {
    return "Requests arrive as planned, but labels do not: one arm gets more of them, and no comparison of the arms can be read.";
  }
  if (requests.p === null) return "Too few requests to check the split.";
  return "Requests arrive in the planned shares.";
}

const minus = (value: number | null) => number(value, 3).replace("-", "−");

export function GuardrailSection({ findings }: { readonly findings: readonly GuardrailFinding[] }) {
  const harmed = findings.filter(({ harm }) => harm === "yes");
  const lead =
    harmed.length > 0
      ? `Harm is shown by ${harmed.map(({ guardrail }) => guardrail).join(", ")}.`
      : "None shows harm. What shows harm rolls back by itself; what cannot tell never does.";
  return (
    <Section title="Guardrails" lead={lead}>
      <DataTable
        label="Guardrails"
        head={["Guardrail", "State", "Value", "Limit", "99 % interval", "In words"]}
        numeric={[2, 3]}
      >
        {findings.map(({ guardrail, harm, value, limit, interval, reason }) => (
          <tr key={guardrail}>
            <td className="strong">{guardrail}</td>
            <td>
              <HarmMark harm={harm} />
            </td>
            <td className="right nowrap">{minus(value)}</td>
            <td className="right nowrap">{minus(limit)}</td>
            <td className="nowrap">
              {interval === undefined ? (
                <span className="dimmed">–</span>
              ) : (
                <>
                  {value === null ? null : (
                    <IntervalDrawing
                      value={value}
                      low={interval[0]}
                      high={interval[1]}
                      line={limit ?? 0}
                      lineLabel="limit at"
                    />
                  )}
                  <span className="dimmed small">
                    {minus(interval[0])} to {minus(interval[1])}
                  </span>
                </>
              )}
            </td>
            <td className="text-long">{reason}</td>
          </tr>
        ))}
      </DataTable>
    </Section>
  );
}

export function PlanSection({ detail }: { readonly detail: RolloutDetail }) {
  const { power, rollout, evidence } = detail;
  const position = rollout.stages.findIndex(({ kind }) => kind === "ab");
  const stage = rollout.stages[position];
  if (stage?.kind !== "ab") return null;
  const phase = rollout.phases.findIndex((one) => one.stage === position);
  const comparison = evidence[phase]?.comparison;
  const rows = comparison == null ? 0 : comparison.championRows + comparison.challengerRows;
  if (power === null) {
    return (
      <Section
        title="Plan of the A/B"
        lead="How long it takes could not be said when it began: too few labelled predictions of the champion were known."
      >
        {null}
      </Section>
    );
  }
  return (
    <Section
      title="Plan of the A/B"
      lead={`Made when the rollout began, from the champion's last two weeks: to find a difference of ${number(power.effect)} with 80 % probability.`}
    >
      <div className="card">
        <Facts
          items={[
            ["Labelled rows needed", `about ${whole(power.rows)}`],
            ["Labelled rows so far", whole(rows)],
            ["Rows a day", number(power.rowsPerDay, 3)],
            ["Expected duration", power.expectedMs === null ? "no rows arrive" : duration(power.expectedMs)],
            ["At most", duration(stage.maxMs)],
            ["Deviation of a row", number(power.rowDeviation, 3)],
          ]}
        />
        <div className="station-progress">
          <progress value={Math.min(rows, power.rows)} max={power.rows} aria-label="Labelled rows of those needed" />
        </div>
        {power.expectedMs !== null && power.expectedMs > stage.maxMs ? (
          <p className="plan-note">
            At this rate it ends without evidence for a difference that small, and the champion stays: more traffic, a
            larger margin or a longer maximum would change that.
          </p>
        ) : null}
      </div>
    </Section>
  );
}
