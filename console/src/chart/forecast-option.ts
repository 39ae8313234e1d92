/** Values, forecasts and their intervals over time. */
import { day, number } from "../format.ts";
import type { Ink } from "./ink.ts";
import { axisLook, type ChartOption, legendLook } from "./option.ts";

export interface ForecastPoint {
  readonly at: number;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly actual?: number;
  readonly baseline?: number;
}

export function forecastOption(
  points: readonly ForecastPoint[],
  ink: Ink,
  names: { readonly actual?: string; readonly baseline?: string } = {},
): ChartOption {
  const axis = axisLook(ink);
  const line = (
    name: string,
    color: string | undefined,
    dash: "solid" | number[],
    of: (point: ForecastPoint) => number | undefined,
  ) => ({
    name,
    type: "line",
    showSymbol: false,
    color,
    lineStyle: { width: 2, type: dash, color },
    data: points.map((point) => [point.at, of(point) ?? null]),
  });
  // A band is an invisible line at its lower end with the width stacked on it.
  const edge = (name: string, of: (point: ForecastPoint) => number, fill: boolean) => ({
    name,
    type: "line",
    stack: "interval",
    silent: true,
    showSymbol: false,
    lineStyle: { opacity: 0 },
    ...(fill ? { areaStyle: { color: ink.band } } : {}),
    data: points.map((point) => [point.at, of(point)]),
  });
  return {
    animation: false,
    legend: { ...legendLook(ink), top: 0, left: 0, data: ["Forecast", ...Object.values(names)] },
    grid: { left: 8, right: 20, top: 44, bottom: 8, containLabel: true },
    xAxis: { type: "time", ...axis, splitLine: { show: false } },
    yAxis: { type: "value", scale: true, ...axis },
    tooltip: {
      trigger: "axis",
      formatter: (found: unknown) => {
        const at = (Array.isArray(found) ? found : [found]) as { readonly dataIndex: number }[];
        const point = points[at[0]?.dataIndex ?? -1];
        if (point === undefined) return "";
        const lines = [`forecast ${number(point.value)} (${number(point.low)} to ${number(point.high)})`];
        if (point.actual !== undefined) lines.push(`value ${number(point.actual)}`);
        return [day(point.at), ...lines].join("\n");
      },
      axisPointer: { lineStyle: { color: ink.dim } },
    },
    series: [
      edge("low", ({ low }) => low, false),
      edge("high", ({ low, high }) => high - low, true),
      ...(names.baseline === undefined ? [] : [line(names.baseline, ink.dim, [2, 3], (point) => point.baseline)]),
      ...(names.actual === undefined ? [] : [line(names.actual, ink.text, "solid", (point) => point.actual)]),
      line("Forecast", ink.series[0], [6, 3], (point) => point.value),
    ],
  };
}
