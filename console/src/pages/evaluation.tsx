/** Is the candidate better? Candidate, champion and baseline on the same held-out rows. */
import { useCallback } from "react";
import type { EvaluationReport, RunRecord } from "../../../src/server/contract.ts";
import { useApi } from "../api/queries.ts";
import { Chart } from "../chart/chart.tsx";
import type { Ink } from "../chart/ink.ts";
import { axisLook, type ChartOption } from "../chart/option.ts";
import { day, number, share, signed, whole, plural } from "../format.ts";
import { isBetter, metricWithDirection } from "../metrics.ts";
import { IntervalDrawing } from "../parts/drawings.tsx";
import { Await } from "../parts/feedback.tsx";
import { DataTable, Section } from "../parts/layout.tsx";
import { ForecastSection } from "./forecast-evaluation.tsx";
import { HoldoutHalves } from "./holdout-halves.tsx";
import { RecommendSection } from "./recommend-evaluation.tsx";
import { SlicesSection } from "./slices.tsx";

export function EvaluationSection({ run }: { readonly run: RunRecord }) {
  // The report is kept with the version: it can be read once that is registered.
  const isEvaluated = run.steps.some(({ step, state }) => step === "register" && state === "done");
  const report = useApi("GET /runs/:id/evaluation", { id: run.id }, { enabled: isEvaluated });
  if (!isEvaluated) return null;
  return (
    <Await of={report} lines={6}>
      {(found) => (
        <>
          <MetricsSection report={found} candidate={run.version ?? "candidate"} />
          <HoldoutHalves report={found} candidate={run.version ?? "candidate"} champion={found.championVersion} />
          {found.forecast === undefined ? null : <ForecastSection forecast={found.forecast} />}
          {found.recommend === undefined ? null : <RecommendSection recommend={found.recommend} />}
          {found.calibration === undefined || found.calibration.length === 0 ? null : (
            <Section title="Calibration">
              <CalibrationChart points={found.calibration} />
            </Section>
          )}
          <SlicesSection report={found} candidate={run.version ?? "candidate"} />
        </>
      )}
    </Await>
  );
}

function MetricsSection({ report, candidate }: { readonly report: EvaluationReport; readonly candidate: string }) {
  const { holdout, championVersion, baseline } = report;
  const period =
    holdout.from === undefined || holdout.to === undefined ? "" : `, ${day(holdout.from)} to ${day(holdout.to)}`;
  const names = Object.keys(report.candidate);
  return (
    <Section
      title="Evaluation"
      lead={`All on the same ${whole(report.rows)} held-out ${report.recommend === undefined ? "rows" : "users"}${period}. Intervals of differences are 90 %; ↑ higher is better, ↓ lower is better.`}
    >
      <DataTable
        label="Metrics of candidate, champion and baseline"
        head={[
          "Metric",
          candidate,
          championVersion === undefined ? "Champion" : `Champion ${championVersion}`,
          `Baseline ${baseline.trainer}`,
          "Against champion",
          "Against baseline",
        ]}
        numeric={[1, 2, 3]}
      >
        {names.map((name) => (
          <MetricRow key={name} report={report} name={name} />
        ))}
      </DataTable>
    </Section>
  );
}

function MetricRow({ report, name }: { readonly report: EvaluationReport; readonly name: string }) {
  const value = report.candidate[name];
  const interval = report.candidateIntervals[name];
  return (
    <tr>
      <td className="strong nowrap">{metricWithDirection(name)}</td>
      <td className="right nowrap">
        <span className="strong">{number(value)}</span>
        {interval === undefined ? null : (
          <div className="dimmed small">
            {number(interval[0])} to {number(interval[1])}
          </div>
        )}
      </td>
      <td className="right">{number(report.champion?.[name])}</td>
      <td className="right">{number(report.baseline.metrics[name])}</td>
      <td>
        <Difference name={name} value={value} other={report.champion?.[name]} paired={report.differences} />
      </td>
      <td>
        <Difference
          name={name}
          value={value}
          other={report.baseline.metrics[name]}
          paired={report.baselineDifferences}
        />
      </td>
    </tr>
  );
}

/** With its interval where the evaluation paired the rows; else the plain difference. The word says which way it went. */
function Difference(props: {
  readonly name: string;
  readonly value: number | null | undefined;
  readonly other: number | null | undefined;
  readonly paired: EvaluationReport["differences"];
}) {
  const { name, value, other, paired } = props;
  const found = paired.find(({ metric }) => metric === name);
  const better = isBetter(name, value, other);
  const word = better === undefined ? "" : better ? "better" : "worse";
  if (found !== undefined) {
    const [low, high] = found.interval;
    return (
      <>
        <IntervalDrawing value={found.difference} low={low} high={high} line={0} lineLabel="no difference at" />
        <span className="small nowrap" title={`${found.method}, ${plural(found.rows, "row")}`}>
          {signed(found.difference)} {word}
        </span>
        <div className="dimmed small nowrap">
          {signed(low)} to {signed(high)}
        </div>
      </>
    );
  }
  if (typeof value !== "number" || typeof other !== "number") return <span className="dimmed">–</span>;
  return (
    <span className="small nowrap">
      {signed(value - other)} {word}
    </span>
  );
}

function CalibrationChart({ points }: { readonly points: NonNullable<EvaluationReport["calibration"]> }) {
  const option = useCallback((ink: Ink) => calibrationOption(points, ink), [points]);
  // Weighted by rows: two rows that are both true say nothing about the score.
  const gap = (point: (typeof points)[number]) => Math.abs(point.share - point.meanScore) * point.count;
  const worst = points.reduce((a, b) => (gap(a) >= gap(b) ? a : b));
  return (
    <Chart
      title="Can the probability be trusted?"
      summary={`Points on the dashed diagonal are right; the gap that matters most is at a mean score of ${number(worst.meanScore, 2)}, where ${share(worst.share)} of ${plural(worst.count, "row is", "rows are")} true.`}
      table={{
        head: ["Mean score", "Share that is true", "Rows"],
        rows: points.map(({ meanScore, share: part, count }) => [meanScore, part, count]),
      }}
      option={option}
      height={320}
    />
  );
}

function calibrationOption(points: NonNullable<EvaluationReport["calibration"]>, ink: Ink): ChartOption {
  const axis = axisLook(ink);
  const unit = { type: "value", min: 0, max: 1, ...axis };
  return {
    grid: { left: 8, right: 8, top: 40, bottom: 28, containLabel: true },
    xAxis: { ...unit, name: "Mean score", nameLocation: "middle", nameGap: 28 },
    yAxis: [
      { ...unit, name: "Share that is true" },
      { type: "value", name: "Rows", ...axis, splitLine: { show: false } },
    ],
    tooltip: {
      trigger: "item",
      formatter: (found: unknown) => {
        const { dataIndex, seriesName } = found as { dataIndex: number; seriesName: string };
        const point = points[dataIndex];
        if (seriesName === "Diagonal" || point === undefined) return "as often true as the score says";
        return `mean score ${number(point.meanScore, 3)}\ntrue ${share(point.share)}\n${plural(point.count, "row")}`;
      },
    },
    series: [
      {
        name: "Rows",
        type: "bar",
        yAxisIndex: 1,
        barWidth: 16,
        itemStyle: { color: ink.band },
        data: points.map(({ meanScore, count }) => [meanScore, count]),
      },
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
      {
        name: "Calibration",
        type: "line",
        symbol: "circle",
        symbolSize: 9,
        color: ink.series[0],
        lineStyle: { width: 2, color: ink.series[0] },
        data: points.map(({ meanScore, share: part }) => [meanScore, part]),
      },
    ],
  };
}
