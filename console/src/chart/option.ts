import type { EChartsCoreOption } from "echarts/core";
import type { Ink } from "./ink.ts";

export type ChartOption = EChartsCoreOption;

/** What the wrapper needs of a drawn chart. */
export interface DrawingHandle {
  png(background: string): string;
}

/** Axes look the same everywhere: quiet lines, dimmed labels, no ticks. */
export function axisLook(ink: Ink) {
  return {
    axisLine: { lineStyle: { color: ink.grid } },
    axisTick: { show: false },
    axisLabel: { color: ink.dim, hideOverlap: true, fontSize: 11 },
    splitLine: { lineStyle: { color: ink.grid } },
    nameTextStyle: { color: ink.dim, fontSize: 11, align: "left" as const },
  };
}

export function legendLook(ink: Ink) {
  return {
    // One line, with arrows where it does not fit: a long list of versions must not push the chart away.
    type: "scroll" as const,
    pageIconColor: ink.text,
    pageIconInactiveColor: ink.grid,
    pageTextStyle: { color: ink.dim },
    textStyle: { color: ink.text, fontSize: 12 },
    itemWidth: 26,
    itemHeight: 9,
    itemGap: 14,
    inactiveColor: ink.dim,
  };
}
