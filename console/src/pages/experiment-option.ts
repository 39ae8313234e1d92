/**
 * The confidence sequence: the difference at every look with the interval that holds however often one looks. Zero is where both
 * are equal, the dotted line how much worse the challenger may be. Early intervals are as wide as the axis lets them.
 */
import type { Comparison, ExperimentLook } from "../../../src/server/contract.ts";
import type { Ink } from "../chart/ink.ts";
import { axisLook, type ChartOption, legendLook } from "../chart/option.ts";
import { instant, number, signed, plural } from "../format.ts";

interface Drawn {
  readonly looks: readonly ExperimentLook[];
  readonly comparison: Comparison | null;
  readonly margin: number;
  readonly name: string;
}

/** The axis ends where nine of ten looks end: the first few, of some rows, would flatten all others. */
const SHOWN_LOOKS = 0.9;

export function sequenceOption({ looks, comparison, margin, name }: Drawn, ink: Ink): ChartOption {
  const axis = axisLook(ink);
  const reach = reachOf(looks, margin);
  const band = looks.flatMap(({ at, interval }) =>
    interval === null ? [] : [{ at, low: interval[0], high: interval[1] }],
  );
  const clamp = (value: number) => Math.min(reach, Math.max(-reach, value));
  const edge = (id: string, of: (one: (typeof band)[number]) => number, isFilled: boolean) => ({
    name: id,
    type: "line",
    // Lows are negative and heights are not: without this they would be two stacks.
    stack: "sequence",
    stackStrategy: "all",
    silent: true,
    showSymbol: false,
    lineStyle: { opacity: 0 },
    ...(isFilled ? { areaStyle: { color: ink.band } } : {}),
    data: band.map((one) => [one.at, of(one)]),
  });
  const outline = (of: (one: (typeof band)[number]) => number) => ({
    name: "Interval",
    type: "line",
    silent: true,
    showSymbol: band.length < 2,
    symbol: "triangle",
    symbolSize: 6,
    color: ink.dim,
    lineStyle: { color: ink.dim, width: 1 },
    data: band.map((one) => [one.at, clamp(of(one))]),
  });
  return {
    animation: false,
    legend: { ...legendLook(ink), top: 0, left: 0, data: ["Difference", "Interval"] },
    grid: { left: 8, right: 64, top: 44, bottom: 8, containLabel: true },
    xAxis: { type: "time", ...axis, splitLine: { show: false } },
    yAxis: {
      type: "value",
      min: -reach,
      max: reach,
      name,
      ...axis,
      axisLabel: { ...axis.axisLabel, formatter: short },
    },
    tooltip: {
      trigger: "axis",
      axisPointer: { lineStyle: { color: ink.dim } },
      formatter: (found: unknown) => textAt(looks, found),
    },
    series: [
      edge("low", ({ low }) => clamp(low), false),
      edge("high", ({ low, high }) => clamp(high) - clamp(low), true),
      outline(({ low }) => low),
      outline(({ high }) => high),
      {
        name: "Difference",
        type: "line",
        showSymbol: looks.length < 40,
        symbol: "circle",
        symbolSize: 6,
        color: ink.series[0],
        lineStyle: { color: ink.series[0], width: 2 },
        data: looks.map(({ at, difference }) => [at, difference === null ? null : clamp(difference)]),
        markLine: {
          silent: true,
          symbol: "none",
          data: [
            line(0, "equal", ink.text, "solid"),
            // Below its line and inside: beside "equal" the two would cover each other where the margin is small.
            ...(margin > 0
              ? [line(-margin, `worse by ${short(margin)}: the margin`, ink.bad, "dashed", "insideStartBottom")]
              : []),
            ...corrected(comparison, ink),
          ],
        },
      },
    ],
  };
}

const short = (value: number) => number(value, 2).replace("-", "−");

function line(yAxis: number, text: string, color: string, type: "solid" | "dashed" | "dotted", position = "end") {
  return {
    yAxis,
    lineStyle: { color, width: 1, type },
    label: { formatter: text, position, color, fontSize: 11 },
  };
}

/** Where labels were corrected later, what they say now. */
function corrected(comparison: Comparison | null, ink: Ink) {
  const now = comparison?.corrected.difference;
  if (now === null || now === undefined || now === comparison?.difference) return [];
  return [line(now, "corrected", ink.warn, "dotted")];
}

function reachOf(looks: readonly ExperimentLook[], margin: number): number {
  const sizes = looks
    .map(({ interval, difference }) => Math.max(...[...(interval ?? []), difference ?? 0].map((one) => Math.abs(one))))
    .sort((left, right) => left - right);
  const most = sizes[Math.floor(SHOWN_LOOKS * (sizes.length - 1))] ?? 0;
  const last = looks.at(-1)?.interval ?? [0, 0];
  return Number((Math.max(most, margin, Math.abs(last[0]), Math.abs(last[1]), 1e-6) * 1.15).toPrecision(2));
}

function textAt(looks: readonly ExperimentLook[], found: unknown): string {
  const [first] = (Array.isArray(found) ? found : [found]) as {
    readonly dataIndex?: number;
    readonly axisValue?: number;
  }[];
  const look = looks.find(({ at }) => at === first?.axisValue) ?? looks[first?.dataIndex ?? -1];
  if (look === undefined) return "";
  const lines = [`${instant(look.at)} UTC, ${plural(look.rows, "labelled row")}`];
  if (look.difference !== null) lines.push(`difference ${signed(look.difference)}`);
  if (look.interval !== null) lines.push(`interval ${signed(look.interval[0])} to ${signed(look.interval[1])}`);
  if (look.p !== null) lines.push(`p, valid at every look: ${number(look.p, 2)}`);
  return lines.join("\n");
}
