/** How training goes: one chart a metric, train against validation, growing while the run trains. */
import { useCallback, useMemo, useState } from "react";
import type { RunRecord, TracePoint } from "../../../src/server/contract.ts";
import { useApi } from "../api/queries.ts";
import { Chart } from "../chart/chart.tsx";
import type { Ink } from "../chart/ink.ts";
import { axisLook, type ChartOption, legendLook } from "../chart/option.ts";
import { duration, number, plural } from "../format.ts";
import { higherIsBetter, metricLabel } from "../metrics.ts";
import { Await } from "../parts/feedback.tsx";
import { Section } from "../parts/layout.tsx";
import { Segments } from "../parts/segments.tsx";

export function TraceSection({ run }: { readonly run: RunRecord }) {
  const trace = useApi("GET /runs/:id/trace", { id: run.id });
  const isTraining = run.state === "running";
  return (
    <Section title="Training curve">
      <Await of={trace}>
        {({ points }) =>
          points.length === 0 ? (
            <p className="dimmed">
              {isTraining || run.state === "queued"
                ? "The curve appears with the first epoch."
                : "This run trained nothing that has epochs."}
            </p>
          ) : (
            <TraceCharts points={points} isTraining={isTraining} />
          )
        }
      </Await>
    </Section>
  );
}

/** `trainLogLoss` and `validationLogLoss` are one metric measured on two parts. */
function metricsIn(points: readonly TracePoint[]): readonly string[] {
  const names = new Set<string>();
  for (const point of points) {
    for (const key of Object.keys(point.metrics)) {
      const match = /^(train|validation)([A-Z]\w*)$/.exec(key);
      if (match?.[2] !== undefined) names.add(match[2]);
    }
  }
  // The loss of a classifier is its log loss: one of the two is enough.
  if (names.has("Loss") && names.has("LogLoss")) names.delete("LogLoss");
  // What the trainer minimizes stands first.
  return [...names].sort((a, b) => Number(b.endsWith("Loss")) - Number(a.endsWith("Loss")));
}

const lower = (name: string) => name.slice(0, 1).toLowerCase() + name.slice(1);
const labelOf = (name: string) => (name === "Loss" ? "Loss" : metricLabel(lower(name)));
const isHigherBetter = (name: string) => name !== "Loss" && higherIsBetter(lower(name));

function TraceCharts({ points, isTraining }: { readonly points: readonly TracePoint[]; readonly isTraining: boolean }) {
  const names = metricsIn(points);
  const [chosen, setChosen] = useState<string>();
  const name = chosen !== undefined && names.includes(chosen) ? chosen : names[0];
  if (name === undefined) return <p className="dimmed">The trainer reported no metric per epoch.</p>;
  return (
    <>
      {names.length < 2 ? null : (
        <div className="filters">
          <Segments
            label="Metric of the curve"
            options={names.map((one) => [one, labelOf(one)] as const)}
            value={name}
            onChange={setChosen}
          />
        </div>
      )}
      <TraceChart points={points} name={name} isTraining={isTraining} />
    </>
  );
}

function bestOf(points: readonly TracePoint[], name: string): { epoch: number; value: number } | undefined {
  const key = points.some((point) => point.metrics[`validation${name}`] !== undefined)
    ? `validation${name}`
    : `train${name}`;
  const better = isHigherBetter(name) ? (a: number, b: number) => a > b : (a: number, b: number) => a < b;
  let best: { epoch: number; value: number } | undefined;
  for (const { epoch, metrics } of points) {
    const value = metrics[key];
    if (value !== undefined && (best === undefined || better(value, best.value))) best = { epoch, value };
  }
  return best;
}

function TraceChart(props: {
  readonly points: readonly TracePoint[];
  readonly name: string;
  readonly isTraining: boolean;
}) {
  const { points, name, isTraining } = props;
  const best = useMemo(() => bestOf(points, name), [points, name]);
  const option = useCallback((ink: Ink) => traceOption(points, name, best, ink), [points, name, best]);
  const last = points.at(-1);
  const state = isTraining ? "so far" : `in ${duration(last?.elapsedMs)}`;
  const bestText = best === undefined ? "" : `; best ${number(best.value)} at epoch ${best.epoch}`;
  return (
    <Chart
      title={`${labelOf(name)} per epoch`}
      summary={`${plural(points.length, "epoch")} ${state}; validation is now ${number(last?.metrics[`validation${name}`])}, train ${number(last?.metrics[`train${name}`])}${bestText}.`}
      table={{
        head: ["Epoch", `Train ${labelOf(name)}`, `Validation ${labelOf(name)}`, "Elapsed (ms)"],
        rows: points.map(({ epoch, metrics, elapsedMs }) => [
          epoch,
          metrics[`train${name}`] ?? null,
          metrics[`validation${name}`] ?? null,
          Math.round(elapsedMs),
        ]),
      }}
      option={option}
      height={300}
    />
  );
}

function traceOption(
  points: readonly TracePoint[],
  name: string,
  best: { epoch: number; value: number } | undefined,
  ink: Ink,
): ChartOption {
  const axis = axisLook(ink);
  const line = (part: "train" | "validation", color: string | undefined, dash: "solid" | number[]) => ({
    name: part === "train" ? "Train" : "Validation",
    type: "line",
    showSymbol: points.length <= 40,
    symbol: part === "train" ? "rect" : "circle",
    symbolSize: 6,
    color,
    lineStyle: { width: 2, type: dash, color },
    data: points.map(({ epoch, metrics }) => [epoch, metrics[`${part}${name}`] ?? null]),
  });
  // A label at the right edge would be cut off.
  const isLate = best !== undefined && best.epoch > (points.at(-1)?.epoch ?? 0) / 2;
  const bestLine =
    best === undefined
      ? undefined
      : {
          silent: true,
          symbol: "none",
          lineStyle: { color: ink.good, type: "dashed", width: 1.5 },
          label: {
            formatter: `best: epoch ${best.epoch}`,
            color: ink.dim,
            fontSize: 11,
            position: "end",
            distance: 2,
            align: isLate ? "right" : "left",
          },
          data: [{ xAxis: best.epoch }],
        };
  return {
    // A growing line that is animated from the left again and again cannot be read.
    animation: false,
    legend: { ...legendLook(ink), top: 0, left: 0 },
    grid: { left: 8, right: 20, top: 52, bottom: 26, containLabel: true },
    xAxis: {
      type: "value",
      name: "Epoch",
      nameLocation: "middle",
      nameGap: 26,
      minInterval: 1,
      min: "dataMin",
      max: "dataMax",
      ...axis,
      splitLine: { show: false },
    },
    yAxis: { type: "value", scale: true, name: labelOf(name), ...axis },
    tooltip: {
      trigger: "axis",
      formatter: (found: unknown) => tooltip(found, labelOf(name)),
      axisPointer: { lineStyle: { color: ink.dim } },
    },
    series: [
      line("train", ink.series[1], [5, 4]),
      { ...line("validation", ink.series[0], "solid"), ...(bestLine === undefined ? {} : { markLine: bestLine }) },
    ],
  };
}

function tooltip(found: unknown, label: string): string {
  const items = (Array.isArray(found) ? found : [found]) as { seriesName: string; value: readonly (number | null)[] }[];
  const lines = items.map(({ seriesName, value }) => `${seriesName} ${label.toLowerCase()} ${number(value[1])}`);
  return [`Epoch ${items[0]?.value[0] ?? ""}`, ...lines].join("\n");
}
