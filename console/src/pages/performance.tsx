/** Performance over time with its filters, which live in the address. */
import { NativeSelect } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import type { ModelDescription, PerformanceSeries } from "../../../src/server/contract.ts";
import { useApi } from "../api/queries.ts";
import type { Ink } from "../chart/ink.ts";
import { Chart } from "../chart/chart.tsx";
import { instant, number, plural, share } from "../format.ts";
import { metricLabel, metricsOf, metricWithDirection } from "../metrics.ts";
import { Await, Empty } from "../parts/feedback.tsx";
import { useNow } from "../parts/now.ts";
import { RangeFilter, rangeQuery } from "../parts/range.tsx";
import { type Bucket, BUCKETS, type PerformanceSearch, type RangeSearch } from "../search.ts";
import { MarkerList } from "./markers.tsx";
import { performanceOption } from "./performance-option.ts";

const ROUTE = "/models/$model/";

export function Performance(props: {
  readonly model: string;
  readonly description: ModelDescription;
  readonly mainMetric: string;
}) {
  const { model, description, mainMetric } = props;
  const search = useSearch({ from: ROUTE });
  const now = useNow();
  const { bucket } = search;
  const metric = search.metric ?? mainMetric;
  const { from, to } = rangeQuery(search, now);
  const series = useApi(
    "GET /models/:model/performance",
    { model },
    {
      query: {
        metric,
        from,
        to,
        version: search.version,
        bucketMs: bucket === undefined ? undefined : BUCKETS[bucket],
      },
      keepPrevious: true,
    },
  );
  const versions = useApi("GET /models/:model/versions", { model });
  return (
    <>
      <Filters
        description={description}
        metric={metric}
        range={{ range: search.range, from: search.from, to: search.to }}
        version={search.version}
        bucket={bucket}
        versions={versions.data?.items.map(({ name }) => name) ?? []}
      />
      <Await of={series} lines={8}>
        {(found) =>
          found.points.length === 0 ? (
            <Empty
              sentence={
                from === undefined && to === undefined
                  ? "No prediction has been scored yet: performance appears once predictions and their labels have arrived."
                  : "Nothing was predicted in this time range."
              }
              command={`retrain predict ${model} '{…}' --trace`}
            />
          ) : (
            <PerformanceChart series={found} description={description} />
          )
        }
      </Await>
    </>
  );
}

function Filters(props: {
  readonly description: ModelDescription;
  readonly metric: string;
  readonly range: RangeSearch;
  readonly version: string | undefined;
  readonly bucket: Bucket | undefined;
  readonly versions: readonly string[];
}) {
  const { description, metric, range, version, bucket, versions } = props;
  const navigate = useNavigate({ from: ROUTE });
  const change = (next: PerformanceSearch) => void navigate({ search: (old) => ({ ...old, ...next }), replace: true });
  return (
    <div className="filters">
      <NativeSelect
        label="Metric"
        size="sm"
        value={metric}
        data={metricsOf(description.task).map((name) => ({ value: name, label: metricWithDirection(name) }))}
        onChange={(event) => change({ metric: event.currentTarget.value })}
      />
      <NativeSelect
        label="Version"
        size="sm"
        value={version ?? ""}
        data={[{ value: "", label: "All versions" }, ...versions.map((name) => ({ value: name, label: name }))]}
        onChange={(event) => change({ version: event.currentTarget.value || undefined })}
      />
      <NativeSelect
        label="One point per"
        size="sm"
        value={bucket ?? ""}
        data={[{ value: "", label: "What fits" }, ...Object.keys(BUCKETS)]}
        onChange={(event) => change({ bucket: (event.currentTarget.value || undefined) as Bucket | undefined })}
      />
      <RangeFilter range={range} onChange={change} />
    </div>
  );
}

/** The limit of an absolute gate on this metric: the line the model must not cross. */
function limitOf(description: ModelDescription, metric: string): number | undefined {
  const gate = description.gates.find((one) => one["kind"] === "atLeast" && one["metric"] === metric);
  return typeof gate?.["value"] === "number" ? gate["value"] : undefined;
}

function PerformanceChart(props: { readonly series: PerformanceSeries; readonly description: ModelDescription }) {
  const { series, description } = props;
  const limit = limitOf(description, series.metric);
  const option = useCallback((ink: Ink) => performanceOption(series, limit, ink), [series, limit]);
  const table = useMemo(() => tableOf(series), [series]);
  return (
    <>
      <Chart
        title={`${metricLabel(series.metric)} over time`}
        summary={summaryOf(series)}
        table={table}
        option={option}
        height={430}
      />
      <EstimateNotes series={series} />
      <MarkerList markers={series.markers} />
    </>
  );
}

/** How far the estimates were off, and what they cannot see: said wherever one is shown. */
function EstimateNotes({ series }: { readonly series: PerformanceSeries }) {
  const { estimate, metric } = series;
  if (estimate === null) return null;
  const compared =
    estimate.meanAbsoluteError === null
      ? "No bucket has labels enough to compare with yet."
      : `Over ${plural(estimate.comparedBuckets, "bucket")} with labels it was off by ${number(estimate.meanAbsoluteError)} on average; the realised ${metricLabel(metric)} left its band in ${estimate.outsideBand}.`;
  return (
    <details className="notes">
      <summary>
        The dashed line is an estimate before labels ({estimate.method}). {compared}
      </summary>
      <ul>
        {estimate.blindSpots.map((one) => (
          <li key={one}>{one}</li>
        ))}
      </ul>
    </details>
  );
}

function summaryOf(series: PerformanceSeries): string {
  const { points, reference, metric, higherIsBetter } = series;
  const mature = points.filter(({ mature: isMature, value }) => isMature && value !== null);
  const last = mature.at(-1);
  const direction = higherIsBetter ? "higher is better" : "lower is better";
  if (last === undefined) return `No bucket has all its labels yet (${direction}).`;
  const bound = reference === null ? "" : `; on its holdout ${reference.version} had ${number(reference.value)}`;
  const immature = points.filter(({ mature: isMature }) => !isMature);
  const predictions = immature.reduce((sum, point) => sum + point.predictions, 0);
  const labelled = immature.reduce((sum, point) => sum + point.labelled, 0);
  const waiting =
    predictions === 0
      ? ""
      : `; the shaded end is younger than the label delay and does not count yet (${share(labelled / predictions)} of ${plural(predictions, "prediction")} labelled)`;
  return `${metricLabel(metric)} was ${number(last.value)} (${last.version}) in the bucket from ${instant(last.from)}, ${direction}${bound}${waiting}.`;
}

function tableOf(series: PerformanceSeries) {
  return {
    head: [
      "From (UTC)",
      "To (UTC)",
      "Version",
      metricLabel(series.metric),
      "From (90 %)",
      "To (90 %)",
      "Estimated",
      "Predictions",
      "Labelled",
      "All labels due",
    ],
    rows: series.points.map((point) => [
      instant(point.from),
      instant(point.to),
      point.version,
      point.value,
      point.interval?.[0] ?? null,
      point.interval?.[1] ?? null,
      point.estimated?.value ?? null,
      point.predictions,
      point.labelled,
      point.mature ? "yes" : "not yet",
    ]),
  };
}
