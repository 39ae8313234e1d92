/** What moved in the data: a heatmap of features over time, and one feature in full. */
import { NativeSelect } from "@mantine/core";
import type { CSSProperties } from "react";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import type { DriftHeatmap, DriftReference, DriftView, FeatureDrift } from "../../../src/server/contract.ts";
import { useApi } from "../api/queries.ts";
import { day, duration, instant, number, plural, share } from "../format.ts";
import { Await, Empty } from "../parts/feedback.tsx";
import { DataTable, Section } from "../parts/layout.tsx";
import { State } from "../parts/state.tsx";
import { TimeTable } from "../parts/time-table.tsx";
import { DRIFT_REFERENCES, type DriftSearch } from "../search.ts";
import { DriftBins } from "./drift-bins.tsx";
import { Multivariate } from "./drift-multivariate.tsx";
import "../css/drift.css";

const ROUTE = "/models/$model/drift";
const REFERENCE_WORDS: Readonly<Record<DriftReference, string>> = {
  training: "Rows the champion learned from",
  trailing: "The windows before",
  "same-season": "The same season before",
};
const STATE_WORDS = {
  "no-champion": "There is no version yet, so there is nothing to compare with.",
  counting: "The rows of the new version's grid are being counted.",
  off: "Data drift is not watched: monitors.dataDrift is false.",
} as const;

export function DriftPage() {
  const { model } = useParams({ from: ROUTE });
  const search = useSearch({ from: ROUTE });
  const navigate = useNavigate({ from: ROUTE });
  const change = (next: DriftSearch) => void navigate({ search: (old) => ({ ...old, ...next }), replace: true });
  const view = useApi(
    "GET /models/:model/drift",
    { model },
    { query: { reference: search.reference, to: search.to }, keepPrevious: true },
  );
  return (
    <Await of={view} lines={8}>
      {(found) =>
        found.state !== "ready" || found.data === null ? (
          <Empty
            sentence={found.state === "ready" ? STATE_WORDS.counting : STATE_WORDS[found.state]}
            command={`retrain drift ${model}`}
          />
        ) : (
          <>
            <div className="filters">
              <NativeSelect
                label="Compared with"
                size="sm"
                value={found.reference ?? "training"}
                data={DRIFT_REFERENCES.map((one) => ({ value: one, label: REFERENCE_WORDS[one] }))}
                onChange={(event) => change({ reference: event.currentTarget.value as DriftReference })}
              />
            </div>
            <Verdicts view={found} />
            <Heatmap
              heatmap={found.heatmap}
              chosen={search.feature}
              onChoose={(feature, to) => change({ feature, to })}
            />
            <Detail view={found} feature={search.feature} onChoose={(feature) => change({ feature })} />
            <Multivariate key={`${model} ${search.to ?? ""}`} model={model} to={search.to} />
          </>
        )
      }
    </Await>
  );
}

function Verdicts({ view }: { readonly view: DriftView }) {
  const { data, prediction, label, skew, calibration, window } = view;
  if (data === null || window === null) return null;
  const lines = [
    ["Data drift P(x)", data.verdict, data.reason],
    ...(prediction === null ? [] : [["Prediction drift P(ŷ)", prediction.verdict, prediction.reason]]),
    ...(label === null ? [] : [["Label shift P(y)", label.verdict, label.reason]]),
    ...(skew === null ? [] : [["Training-serving skew", skew.verdict, skew.reason]]),
  ] as const;
  const source = view.source === "prediction" ? "request" : "collected row";
  const learned =
    calibration === null || Object.keys(calibration.thresholds).length === 0
      ? "No threshold could be learned from the champion's own time: it has too few windows."
      : `Thresholds also come from ${plural(calibration.windows, "window")} of the champion's own time.`;
  const advice =
    data.verdict === "cannot-tell" && data.rowsNeeded !== undefined
      ? ` Windows of ${duration(window.to - window.from)} hold too few rows; monitors.dataDrift.window makes them longer.`
      : "";
  return (
    <Section
      title="What moved"
      lead={`${plural(data.currentRows, source)} from ${instant(window.from)} to ${instant(window.to)} against ${plural(data.referenceRows, "row")}. ${learned}${advice}`}
    >
      <DataTable label="Verdicts" head={["What", "Verdict", "In words"]}>
        {lines.map(([what, verdict, reason]) => (
          <tr key={what}>
            <td className="nowrap">{what}</td>
            <td className="nowrap">
              <State of="drift" value={verdict} />
            </td>
            <td className="text">{reason}</td>
          </tr>
        ))}
      </DataTable>
    </Section>
  );
}

const WORDS = { drift: "drift", "no-drift": "no drift", "cannot-tell": "cannot tell" } as const;
/** Shades up to twice the threshold. */
const FULL = 2;

function Heatmap(props: {
  readonly heatmap: DriftHeatmap;
  readonly chosen: string | undefined;
  readonly onChoose: (feature: string, to: number | undefined) => void;
}) {
  const { heatmap, chosen, onChoose } = props;
  if (heatmap.ends.length === 0) return null;
  return (
    <Section
      title="Features over time"
      lead={`Each cell is a window of ${plural(Math.round(heatmap.windowMs / 86_400_000), "day")}: its statistic over its threshold, so 1 means "at the threshold" everywhere. The furthest stand first; choose one to see its distribution.`}
    >
      <TimeTable
        label="Drift of features over time"
        className="heat"
        names="Feature"
        columns={heatmap.ends.map((end, i) => ({
          key: end,
          label: i % 5 === 0 || i === heatmap.ends.length - 1 ? day(end).slice(5) : null,
          words: day(end),
        }))}
      >
        {heatmap.rows.map(({ feature, cells }) => (
          <tr key={feature} className={feature === chosen ? "heat-chosen" : undefined}>
            <th scope="row">
              {feature === "prediction" ? (
                "prediction P(ŷ)"
              ) : (
                <button type="button" className="heat-name" onClick={() => onChoose(feature, undefined)}>
                  {feature}
                </button>
              )}
            </th>
            {cells.map((cell, i) => {
              const end = heatmap.ends[i] as number;
              const words =
                cell === null
                  ? `${feature}, ${day(end)}: no rows`
                  : `${feature}, ${day(end)}: ${cell.ratio === null ? "too few rows" : `${number(cell.ratio, 3)} of its threshold`}, ${WORDS[cell.verdict]}`;
              return (
                <td key={end}>
                  <button
                    type="button"
                    className={`time-table-cell heat-cell heat-${cell === null ? "none" : cell.verdict}`}
                    style={{ "--heat": Math.min(1, (cell?.ratio ?? 0) / FULL).toFixed(2) } as CSSProperties}
                    title={words}
                    aria-label={words}
                    disabled={feature === "prediction"}
                    onClick={() => onChoose(feature, end)}
                  >
                    {cell?.verdict === "drift" ? "▲" : cell?.verdict === "cannot-tell" ? "?" : ""}
                  </button>
                </td>
              );
            })}
          </tr>
        ))}
      </TimeTable>
    </Section>
  );
}

function Detail(props: {
  readonly view: DriftView;
  readonly feature: string | undefined;
  readonly onChoose: (feature: string) => void;
}) {
  const features = props.view.data?.features ?? [];
  const one = features.find((candidate) => candidate.feature === props.feature) ?? features[0];
  if (one === undefined) return null;
  return (
    <Section
      title={`Distribution of ${one.feature}`}
      lead={one.reason}
      actions={
        <NativeSelect
          aria-label="Feature"
          size="sm"
          value={one.feature}
          data={features.map(({ feature }) => feature)}
          onChange={(event) => props.onChoose(event.currentTarget.value)}
        />
      }
    >
      <DriftBins feature={one} />
      <Thresholds feature={one} />
    </Section>
  );
}

const STATISTICS = {
  psi: "Distribution (PSI)",
  missingRate: "Change of the missing share",
  unseenRate: "Share never seen",
} as const;

function Thresholds({ feature }: { readonly feature: FeatureDrift }) {
  const { distances, missing, unseen } = feature;
  const values: readonly (readonly [string, string])[] = [
    ["PSI", number(distances.psi)],
    ["Jensen-Shannon distance", number(distances.jsDistance)],
    ["Hellinger", number(distances.hellinger)],
    ["Total variation", number(distances.totalVariation)],
    ["Kolmogorov-Smirnov", number(distances.ks)],
    ["Wasserstein / sd", number(distances.wasserstein)],
    ["Cramér's V", number(distances.cramersV)],
    ["p, adjusted", number(feature.pAdjusted)],
    ["Missing, before → now", `${share(missing.reference)} → ${share(missing.current)}`],
    ["Never seen, before → now", `${share(unseen.reference)} → ${share(unseen.current)}`],
    ["Beyond the range", share(feature.outOfRange)],
    ...(feature.importance === undefined ? [] : [["Importance to the model", share(feature.importance)] as const]),
  ];
  return (
    <>
      <DataTable
        label={`Thresholds of ${feature.feature}`}
        head={["What can move", "Value", "Threshold", "Minimum effect", "Sampling noise", "From history"]}
        numeric={[1, 2, 3, 4, 5]}
      >
        {feature.components.map((one) => (
          <tr key={one.statistic}>
            <td>{STATISTICS[one.statistic]}</td>
            <td className="right">{number(one.value)}</td>
            <td className="right">{number(one.threshold)}</td>
            <td className="right">{number(one.minimumEffect)}</td>
            <td className="right">{number(one.noiseFloor)}</td>
            <td className="right">{number(one.history)}</td>
          </tr>
        ))}
      </DataTable>
      <dl className="facts drift-facts">
        {values.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
