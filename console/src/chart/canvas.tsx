/**
 * The only file that imports ECharts; `chart.tsx` loads it with the first chart. Canvas and a tooltip drawn as text on it,
 * because HTML with style attributes would break the content security policy.
 */
import { BarChart, LineChart, ScatterChart } from "echarts/charts";
import {
  AriaComponent,
  GridComponent,
  LegendComponent,
  MarkAreaComponent,
  MarkLineComponent,
  TooltipComponent,
} from "echarts/components";
import { init, use as register } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { useEffect, useRef } from "react";
import type { Ink } from "./ink.ts";
import type { ChartOption, DrawingHandle } from "./option.ts";

register([
  BarChart,
  LineChart,
  ScatterChart,
  AriaComponent,
  GridComponent,
  LegendComponent,
  MarkAreaComponent,
  MarkLineComponent,
  TooltipComponent,
  CanvasRenderer,
]);

export function ChartCanvas(props: {
  readonly option: ChartOption;
  readonly ink: Ink;
  readonly summary: string;
  readonly height: number;
  readonly onReady: (drawing: DrawingHandle | undefined) => void;
}) {
  const { option, ink, summary, height, onReady } = props;
  const holder = useRef<HTMLDivElement>(null);
  const chart = useRef<ReturnType<typeof init>>(undefined);

  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const created = init(element, null, { renderer: "canvas" });
    chart.current = created;
    onReady({ png: (background) => created.getDataURL({ type: "png", pixelRatio: 2, backgroundColor: background }) });
    const observer = new ResizeObserver(() => created.resize());
    observer.observe(element);
    return () => {
      observer.disconnect();
      onReady(undefined);
      created.dispose();
      chart.current = undefined;
    };
  }, [onReady]);

  useEffect(() => {
    chart.current?.setOption(complete(option, ink, summary), { notMerge: true });
  }, [option, ink, summary]);

  return <div ref={holder} className="chart-canvas" style={{ height }} />;
}

function complete(option: ChartOption, ink: Ink, summary: string): ChartOption {
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  return {
    animation: !isStill,
    animationDuration: 250,
    animationDurationUpdate: 150,
    useUTC: true,
    textStyle: { fontFamily: "system-ui, sans-serif", color: ink.text },
    aria: { enabled: true, label: { description: summary } },
    ...option,
    tooltip: {
      renderMode: "richText",
      confine: true,
      backgroundColor: ink.surface,
      borderColor: ink.grid,
      borderWidth: 1,
      padding: 10,
      textStyle: { color: ink.text, fontSize: 12, lineHeight: 17 },
      ...(option.tooltip as object | undefined),
    },
  };
}
