/** Two versions on the same rows: paired differences per metric and slice, calibration, confusion, thresholds. */
import { NativeSelect, Select } from "@mantine/core";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";
import type { CompareAnswer, VersionRecord } from "../../../src/server/contract.ts";
import { queryClient, useApi } from "../api/queries.ts";
import { Chart } from "../chart/chart.tsx";
import type { Ink } from "../chart/ink.ts";
import { axisLook, type ChartOption } from "../chart/option.ts";
import { number, signed, whole, plural } from "../format.ts";
import { isBetter, metricLabel, metricWithDirection } from "../metrics.ts";
import { IntervalDrawing } from "../parts/drawings.tsx";
import { Await, Empty } from "../parts/feedback.tsx";
import { ForestDrawing } from "../parts/forest.tsx";
import { DataTable, Section } from "../parts/layout.tsx";
import { DecisionsSection } from "./compare-decisions.tsx";
import { HoldoutHalves } from "./holdout-halves.tsx";

// Each answer is a pass over the held-out rows in the training process: it is read when somebody asks, not at every glance.
queryClient.setQueryDefaults(["GET /models/:model/compare"], {
  staleTime: Number.POSITIVE_INFINITY,
  refetchOnWindowFocus: false,
});

export function ComparePage() {
  const { model } = useParams({ from: "/models/$model/compare" });
  const versions = useApi("GET /models/:model/versions", { model });
  return (
    <Await of={versions} lines={6}>
      {({ items }) =>
        items.length < 2 ? (
          <Empty
            sentence={`${model} has ${items.length === 0 ? "no version" : "one version"}; two are compared.`}
            command={`retrain run ${model}`}
          />
        ) : (
          <Chosen model={model} versions={items} />
        )
      }
    </Await>
  );
}

function Chosen({ model, versions }: { readonly model: string; readonly versions: readonly VersionRecord[] }) {
  const search = useSearch({ from: "/models/$model/compare" });
  const navigate = useNavigate({ from: "/models/$model/compare" });
  const names = versions.map(({ name }) => name);
  const champion = versions.find(({ role }) => role === "champion")?.name;
  const newest = names.find((name) => name !== champion) ?? "";
  const a = search.a ?? champion ?? names[1] ?? "";
  const b = search.b ?? (newest === a ? (names.find((name) => name !== a) ?? "") : newest);
  const choose = (change: { readonly a?: string; readonly b?: string }) =>
    void navigate({ search: { a, b, ...change }, replace: true });
  const labels = versions.map(({ name, role }) => ({ value: name, label: role === null ? name : `${name} (${role})` }));
  return (
    <>
      <div className="filters">
        <Select
          label="Compare"
          data={labels}
          value={b}
          allowDeselect={false}
          onChange={(value) => choose({ b: value ?? b })}
        />
        <Select
          label="with"
          data={labels}
          value={a}
          allowDeselect={false}
          onChange={(value) => choose({ a: value ?? a })}
        />
      </div>
      {a === b ? (
        <p className="dimmed">Choose two different versions.</p>
      ) : (
        <Compared model={model} a={a} b={b} metric={search.metric} />
      )}
    </>
  );
}

function Compared(props: {
  readonly model: string;
  readonly a: string;
  readonly b: string;
  readonly metric: string | undefined;
}) {
  const { model, a, b, metric } = props;
  const found = useApi("GET /models/:model/compare", { model }, { query: { a, b, metric }, keepPrevious: true });
  const isReading = found.isPlaceholderData;
  return (
    <Await of={found} lines={8}>
      {(answer) => (
        <>
          <Differences answer={answer} />
          <HoldoutHalves report={answer.report} candidate={answer.b} champion={answer.a} />
          <Slices answer={answer} isReading={isReading} />
          <Calibration answer={answer} />
          <DecisionsSection key={`${answer.a} ${answer.b}`} answer={answer} />
        </>
      )}
    </Await>
  );
}

/** One sentence on the metric that is compared first. */
function verdict({ report, a, b }: CompareAnswer): string {
  const [first] = report.differences;
  if (first === undefined) return "No metric is defined for both on these rows.";
  const [low, high] = first.interval;
  if (low <= 0 && high >= 0) return `${b} and ${a} cannot be told apart by ${metricLabel(first.metric).toLowerCase()}.`;
  const better = isBetter(first.metric, first.candidate, first.champion) === true;
  return `${b} is ${better ? "better" : "worse"} than ${a} by ${metricLabel(first.metric).toLowerCase()}: ${signed(first.difference)}.`;
}

function Differences({ answer }: { readonly answer: CompareAnswer }) {
  const { report, a, b, rows, knownToA } = answer;
  const known = knownToA === 0 ? "" : ` ${a} may have trained on ${whole(knownToA)} of them, which favors it.`;
  return (
    <Section
      title={`${b} against ${a}`}
      lead={`${verdict(answer)} On ${plural(rows, "row")}; neither was trained on them.${known} Intervals are 90 %, paired.`}
    >
      <DataTable
        label={`Metrics of ${a} and ${b} with their paired differences`}
        head={["Metric", a, b, "Difference", "90 % interval", "Method"]}
        numeric={[1, 2]}
      >
        {report.differences.map((one) => {
          const better = isBetter(one.metric, one.candidate, one.champion);
          const [low, high] = one.interval;
          return (
            <tr key={one.metric}>
              <td className="strong nowrap">{metricWithDirection(one.metric)}</td>
              <td className="right">{number(one.champion)}</td>
              <td className="right">{number(one.candidate)}</td>
              <td className="nowrap">
                {signed(one.difference)} {better === undefined ? "" : better ? "better" : "worse"}
              </td>
              <td>
                <IntervalDrawing value={one.difference} low={low} high={high} line={0} lineLabel="no difference at" />
                <div className="dimmed small nowrap">
                  {signed(low)} to {signed(high)}
                </div>
              </td>
              <td className="dimmed small text">{one.method}</td>
            </tr>
          );
        })}
      </DataTable>
    </Section>
  );
}

/** Largest first; more would be a wall. */
const SHOWN_SLICES = 24;
/** 90 % two-sided normal quantile, as the intervals of metrics. */
const Z90 = 1.645;

function Slices({ answer, isReading }: { readonly answer: CompareAnswer; readonly isReading: boolean }) {
  const navigate = useNavigate({ from: "/models/$model/compare" });
  const evidence = answer.report.sliceDifferences?.[0];
  if (evidence === undefined || evidence.differences.length === 0) return null;
  const rows = evidence.differences
    .toSorted((left, right) => right.rows - left.rows)
    .slice(0, SHOWN_SLICES)
    .map((one) => ({
      label: one.slice,
      note: `${plural(one.rows, "row")}`,
      value: one.difference,
      low: one.difference - Z90 * one.standardError,
      high: one.difference + Z90 * one.standardError,
      weight: one.rows,
      isMarked: one.adjusted <= 0.1,
    }));
  const worse = evidence.differences.filter(({ adjusted }) => adjusted <= 0.1).length;
  const said = worse === 0 ? "None is worse once the number of slices is counted in." : `Worse in ${worse}, marked.`;
  return (
    <Section
      title="Slices"
      lead={`${metricWithDirection(evidence.metric)} of ${answer.b} minus that of ${answer.a}, with 90 % intervals. ${said} ${plural(evidence.tooSmall, "slice has", "slices have")} fewer than ${plural(evidence.minRows, "row")}.`}
      actions={
        <NativeSelect
          aria-label="Metric of the slices"
          size="sm"
          value={evidence.metric}
          disabled={isReading}
          data={answer.report.differences.map(({ metric }) => ({ value: metric, label: metricWithDirection(metric) }))}
          onChange={(event) => {
            const metric = event.currentTarget.value;
            void navigate({ search: (old) => ({ ...old, metric }), replace: true });
          }}
        />
      }
    >
      <ForestDrawing rows={rows} label={`Differences of ${evidence.metric} by slice`} />
    </Section>
  );
}

function Calibration({ answer }: { readonly answer: CompareAnswer }) {
  const { report, a, b } = answer;
  const option = useCallback((ink: Ink) => calibrationOption(answer, ink), [answer]);
  if (report.calibration === undefined || report.championCalibration === undefined) return null;
  const rows = report.calibration.map((point) => [b, point.meanScore, point.share, point.count] as const);
  const others = report.championCalibration.map((point) => [a, point.meanScore, point.share, point.count] as const);
  return (
    <Section title="Calibration">
      <Chart
        title="Can the probabilities be trusted?"
        summary={`Points on the dashed diagonal are right. Expected calibration error: ${a} ${number(report.champion?.["ece"])}, ${b} ${number(report.candidate["ece"])}.`}
        table={{ head: ["Version", "Mean score", "Share that is true", "Rows"], rows: [...others, ...rows] }}
        option={option}
        height={320}
      />
    </Section>
  );
}

function calibrationOption({ report, a, b }: CompareAnswer, ink: Ink): ChartOption {
  const axis = axisLook(ink);
  const unit = { type: "value", min: 0, max: 1, ...axis };
  const line = (name: string, points: typeof report.calibration, color: string | undefined, symbol: string) => ({
    name,
    type: "line",
    symbol,
    symbolSize: 9,
    color,
    lineStyle: { width: 2, color },
    data: (points ?? []).map(({ meanScore, share }) => [meanScore, share]),
  });
  return {
    grid: { left: 8, right: 8, top: 40, bottom: 28, containLabel: true },
    legend: { top: 0, textStyle: { color: ink.text }, data: [a, b] },
    xAxis: { ...unit, name: "Mean score", nameLocation: "middle", nameGap: 28 },
    yAxis: { ...unit, name: "Share that is true" },
    tooltip: { trigger: "item" },
    series: [
      {
        name: "Diagonal",
        type: "line",
        silent: true,
        showSymbol: false,
        lineStyle: { color: ink.dim, type: "dashed", width: 1 },
        data: [
          [0, 0],
          [1, 1],
        ],
      },
      line(a, report.championCalibration, ink.series[1], "rect"),
      line(b, report.calibration, ink.series[0], "circle"),
    ],
  };
}
