/**
 * The chart of performance over time. Above: a line per version with the interval of its values as a shade of the same color, the
 * champion's holdout interval as a grey band, the limit as a dashed line, marks along the top edge. Below, on the same time axis: predictions and how many of them have a label. The end
 * whose labels are not all due is shaded in both.
 */
import type { PerformanceSeries } from "../../../src/server/contract.ts";
import { type Ink, lineLook } from "../chart/ink.ts";
import { axisLook, type ChartOption, legendLook } from "../chart/option.ts";
import { instant, number, share, whole, plural } from "../format.ts";
import { metricLabel } from "../metrics.ts";
import { MARKER_WORDS } from "./markers.tsx";

type Point = PerformanceSeries["points"][number];
type Marker = PerformanceSeries["markers"][number];

/** Room for the numbers of both axes, in px: the two drawings must stand exactly below each other. */
const LEFT = 52;
const PREDICTIONS = "Predictions";
const LABELLED = "Labelled";
const ESTIMATED = "Estimated before labels";

export function performanceOption(series: PerformanceSeries, limit: number | undefined, ink: Ink): ChartOption {
  const from = Math.min(...series.points.map((point) => point.from));
  const to = Math.max(...series.points.map((point) => point.to));
  const versions = [...new Set(series.points.map(({ version }) => version))].sort(byNumber);
  const axis = axisLook(ink);
  const range = valueRange(series, limit);
  const time = { type: "time", min: from, max: to, ...axis, splitLine: { show: false } };
  return {
    legend: {
      ...legendLook(ink),
      top: 0,
      left: 0,
      data: [...versions, ...(series.estimate === null ? [] : [ESTIMATED])],
    },
    grid: [
      { left: LEFT, right: 16, top: 66, height: 216 },
      { left: LEFT, right: 16, top: 312, bottom: 24 },
    ],
    xAxis: [
      { ...time, gridIndex: 0, axisLabel: { ...axis.axisLabel, show: false }, axisPointer: pointer(ink) },
      { ...time, gridIndex: 1, axisPointer: pointer(ink) },
    ],
    yAxis: [
      {
        type: "value",
        scale: true,
        gridIndex: 0,
        name: metricLabel(series.metric),
        ...axis,
        ...range,
        // The ends of the axis are wherever the values end, which are no round numbers.
        axisLabel: { ...axis.axisLabel, showMaxLabel: false, showMinLabel: range.min === 0 },
      },
      { type: "value", gridIndex: 1, name: "Predictions, labelled", splitNumber: 2, ...axis },
    ],
    axisPointer: { link: [{ xAxisIndex: "all" }] },
    tooltip: { trigger: "axis", formatter: tooltipOf(series) },
    series: [
      trend(series.points, ink),
      ...estimateLine(series, ink),
      ...versions.flatMap((version, index) => {
        const look = lineLook(ink, versionIndex(version, index));
        return [...versionInterval(series, version, look), versionLine(series, version, look)];
      }),
      ground(series, limit, from, to, ink),
      ...markerSeries(series.markers, { from, to, top: range.max }, ink),
      ...countBars(series.points, { from, to }, ink),
    ],
  };
}

/** A thin line through every bucket's busiest version, so that the eye follows the model across its versions. */
function trend(points: readonly Point[], ink: Ink) {
  const busiest = new Map<number, Point>();
  for (const point of points) {
    const known = busiest.get(point.from);
    if (point.value !== null && (known === undefined || point.labelled > known.labelled))
      busiest.set(point.from, point);
  }
  return {
    name: "trend",
    type: "line",
    silent: true,
    showSymbol: false,
    tooltip: { show: false },
    lineStyle: { color: ink.dim, width: 1, opacity: 0.6 },
    data: [...busiest.values()].map((point) => [middle(point), point.value]),
  };
}

/** What the scores say before labels arrive: one dashed line through the estimates, its band as two thin ones. */
function estimateLine(series: PerformanceSeries, ink: Ink) {
  if (series.estimate === null) return [];
  const points = series.points.filter((point) => point.estimated !== undefined);
  const line = (name: string, type: "dashed" | "dotted", value: (point: Point) => number | null | undefined) => ({
    name,
    type: "line",
    silent: true,
    showSymbol: points.length < 3 && type === "dashed",
    symbolSize: 5,
    color: ink.warn,
    lineStyle: { color: ink.warn, width: type === "dashed" ? 1.75 : 1, type, opacity: type === "dashed" ? 1 : 0.55 },
    data: points.map((point) => [middle(point), value(point) ?? null]),
  });
  return [
    line(ESTIMATED, "dashed", (point) => point.estimated?.value),
    line("band", "dotted", (point) => point.estimated?.low),
    line("band", "dotted", (point) => point.estimated?.high),
  ];
}

const byNumber = (a: string, b: string) => Number(a.slice(1)) - Number(b.slice(1));
/** A version keeps its look whatever the filter shows. */
const versionIndex = (version: string, index: number) =>
  /^v\d+$/.test(version) ? Number(version.slice(1)) - 1 : index;
const middle = ({ from, to }: Point) => (from + to) / 2;
const pointer = (ink: Ink) => ({ show: true, type: "line", label: { show: false }, lineStyle: { color: ink.dim } });

/** Room for band and limit even where no line reaches them. */
function valueRange(series: PerformanceSeries, limit: number | undefined): { min?: number; max?: number } {
  const values = series.points.flatMap(({ value, estimated }) => [
    ...(value === null ? [] : [value]),
    ...(estimated === undefined ? [] : [estimated.value]),
  ]);
  const others = [series.reference?.low, series.reference?.high, limit].filter((value) => value !== undefined);
  const low = Math.min(...values, ...others);
  const high = Math.max(...values, ...others);
  if (!Number.isFinite(low) || !Number.isFinite(high)) return {};
  const pad = (high - low || Math.abs(high) || 1) * 0.08;
  return { min: nice(low >= 0 ? Math.max(0, low - pad) : low - pad), max: nice(high + pad) };
}
const nice = (value: number) => Number(value.toPrecision(2));

function versionLine(series: PerformanceSeries, version: string, look: ReturnType<typeof lineLook>) {
  const points = series.points.filter((point) => point.version === version);
  return {
    name: version,
    type: "line",
    symbol: look.symbol,
    symbolSize: points.length > 60 ? 4 : 7,
    showSymbol: points.length <= 120,
    connectNulls: false,
    color: look.color,
    lineStyle: { width: 2, type: look.dash, color: look.color },
    itemStyle: { color: look.color },
    data: points.map((point) => ({
      value: [middle(point), point.value],
      // Hollow where labels are still due.
      ...(point.mature ? {} : { itemStyle: { color: "transparent", borderColor: look.color, borderWidth: 1.5 } }),
    })),
  };
}

/**
 * The space between the ends of the intervals: an invisible line at the lower ends and, stacked on it, the rest filled. The axis does not
 * follow them: a bucket of three labels would flatten everything else.
 */
function versionInterval(series: PerformanceSeries, version: string, look: ReturnType<typeof lineLook>) {
  const points = series.points.filter((point) => point.version === version);
  if (!points.some(({ interval }) => interval !== undefined)) return [];
  const part = (value: (low: number, high: number) => number, opacity: number) => ({
    // Of the version's name, so that the legend hides both.
    name: version,
    type: "line",
    stack: `interval of ${version}`,
    // Lower ends may lie below 0, which is not to be stacked apart.
    stackStrategy: "all",
    silent: true,
    symbol: "none",
    color: look.color,
    lineStyle: { opacity: 0 },
    areaStyle: { color: look.color, opacity },
    data: points.map((point) => [
      middle(point),
      point.interval === undefined ? null : value(point.interval[0], point.interval[1]),
    ]),
  });
  return [part((low) => low, 0), part((low, high) => high - low, 0.14)];
}

/** Band, reference value, limit and shading hang on a series without points, so that hiding a version keeps them. */
function ground(series: PerformanceSeries, limit: number | undefined, from: number, to: number, ink: Ink) {
  const { reference } = series;
  const immatureFrom = series.points.find(({ mature }) => !mature)?.from;
  const label = (text: string) => ({
    formatter: text,
    position: "insideStartTop",
    color: ink.dim,
    fontSize: 11,
    backgroundColor: `${ink.surface}d0`,
    padding: [1, 4],
  });
  return {
    name: "ground",
    type: "line",
    data: [],
    silent: true,
    tooltip: { show: false },
    markArea: {
      silent: true,
      data: [
        ...(reference === null
          ? []
          : [[{ yAxis: reference.low, itemStyle: { color: ink.band } }, { yAxis: reference.high }]]),
        ...(immatureFrom === undefined
          ? []
          : [
              [
                {
                  xAxis: immatureFrom,
                  itemStyle: { color: ink.shade },
                  label: {
                    show: true,
                    formatter: "not mature yet",
                    position: "insideTopRight",
                    color: ink.dim,
                    fontSize: 11,
                  },
                },
                { xAxis: to },
              ],
            ]),
      ],
    },
    markLine: {
      silent: true,
      symbol: "none",
      data: [
        ...(reference === null
          ? []
          : [
              {
                yAxis: reference.value,
                lineStyle: { color: ink.dim, type: "dotted", width: 1 },
                label: label(`${reference.version} on its holdout ${number(reference.value, 3)}`),
              },
            ]),
        ...(limit === undefined
          ? []
          : [
              {
                yAxis: limit,
                lineStyle: { color: ink.bad, type: "dashed", width: 1.5 },
                label: label(`gate limit ${number(limit, 3)}`),
              },
            ]),
      ],
    },
  };
}

const MARKER_LOOKS: Readonly<
  Record<Marker["kind"], { symbol: string; rotate: number; tone: "good" | "bad" | "warn" | "info" }>
> = {
  promotion: { symbol: "triangle", rotate: 0, tone: "good" },
  rollback: { symbol: "triangle", rotate: 180, tone: "bad" },
  held: { symbol: "diamond", rotate: 0, tone: "warn" },
  rejected: { symbol: "rect", rotate: 45, tone: "bad" },
  retrain: { symbol: "circle", rotate: 0, tone: "info" },
  alert: { symbol: "pin", rotate: 0, tone: "bad" },
};

/** One series a kind: its shapes stand along the top edge, each with a thin line down through the chart. */
function markerSeries(
  markers: readonly Marker[],
  range: { readonly from: number; readonly to: number; readonly top: number | undefined },
  ink: Ink,
) {
  const { from, to, top } = range;
  const shown = markers.filter(({ at }) => at >= from && at <= to);
  const kinds = [...new Set(shown.map(({ kind }) => kind))];
  if (top === undefined) return [];
  return kinds.map((kind) => {
    const { symbol, rotate, tone } = MARKER_LOOKS[kind];
    const own = shown.filter((marker) => marker.kind === kind);
    return {
      name: MARKER_WORDS[kind],
      type: "scatter",
      silent: true,
      clip: false,
      z: 4,
      symbol,
      symbolSize: kind === "rejected" ? 9 : 11,
      symbolRotate: rotate,
      itemStyle: { color: ink[tone] },
      label: {
        show: shown.length <= 14,
        position: "top",
        distance: 3,
        color: ink.dim,
        fontSize: 10,
        formatter: ({ dataIndex }: { dataIndex: number }) => own[dataIndex]?.version ?? "",
      },
      data: own.map(({ at }) => [at, top]),
      markLine: {
        silent: true,
        symbol: "none",
        label: { show: false },
        lineStyle: { color: `${ink[tone]}60`, width: 1, type: kind === "promotion" ? "solid" : "dotted" },
        data: own.map(({ at }) => ({ xAxis: at })),
      },
    };
  });
}

function countBars(points: readonly Point[], range: { from: number; to: number }, ink: Ink) {
  const byTime = new Map<number, { predictions: number; labelled: number }>();
  for (const point of points) {
    const sum = byTime.get(middle(point)) ?? { predictions: 0, labelled: 0 };
    byTime.set(middle(point), {
      predictions: sum.predictions + point.predictions,
      labelled: sum.labelled + point.labelled,
    });
  }
  const immatureFrom = points.find(({ mature }) => !mature)?.from;
  const common = { type: "bar", xAxisIndex: 1, yAxisIndex: 1, barGap: "-100%", barMaxWidth: 22, barMinWidth: 1 };
  const bars = [...byTime];
  return [
    {
      ...common,
      name: PREDICTIONS,
      itemStyle: { color: "transparent", borderColor: ink.dim, borderWidth: 1 },
      data: bars.map(([at, { predictions }]) => [at, predictions]),
      markArea:
        immatureFrom === undefined
          ? undefined
          : { silent: true, itemStyle: { color: ink.shade }, data: [[{ xAxis: immatureFrom }, { xAxis: range.to }]] },
    },
    {
      ...common,
      name: LABELLED,
      itemStyle: { color: ink.dim },
      data: bars.map(([at, { labelled }]) => [at, labelled]),
    },
  ];
}

function tooltipOf(series: PerformanceSeries) {
  return (found: unknown): string => {
    const [first] = (Array.isArray(found) ? found : [found]) as { axisValue?: number; value?: readonly number[] }[];
    const at = first?.value?.[0] ?? first?.axisValue;
    if (at === undefined) return "";
    const points = series.points.filter((point) => point.from <= at && at < point.to);
    const [one] = points;
    if (one === undefined) return "";
    const lines = [`${instant(one.from)} to ${instant(one.to)} UTC`];
    for (const point of points) {
      const coverage = point.predictions === 0 ? "" : ` (${share(point.labelled / point.predictions)})`;
      lines.push(`${point.version}: ${metricLabel(series.metric)} ${number(point.value)}`);
      if (point.interval !== undefined)
        lines.push(`  90 %: ${number(point.interval[0])} to ${number(point.interval[1])}`);
      if (point.estimated !== undefined) {
        const { value, low, high } = point.estimated;
        const band = low === null || high === null ? "" : ` (${number(low)} to ${number(high)})`;
        lines.push(`  estimated ${number(value)}${band}`);
      }
      lines.push(`  ${plural(point.predictions, "prediction")}, ${whole(point.labelled)} labelled${coverage}`);
    }
    if (!one.mature) lines.push("not mature yet: younger than the label delay");
    const marks = series.markers.filter((marker) => marker.at >= one.from && marker.at < one.to);
    for (const mark of marks.slice(0, 5)) lines.push(cut(`${MARKER_WORDS[mark.kind]}: ${mark.label}`));
    return lines.join("\n");
  };
}

/** The tooltip does not wrap. */
const cut = (text: string) => (text.length > 70 ? `${text.slice(0, 69)}…` : text);
