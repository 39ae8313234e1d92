/** Realised performance by slice of the champion or another version: value, interval, label coverage, beside its holdout. */
import { fail, type Instant } from "../core/index.ts";
import { addInPlace, cellName, metricFromCounters } from "../monitor/index.ts";
import { isMetricName, METRICS } from "../stats/index.ts";
import { type LoopContext, modelSpec } from "./context.ts";
import type { SlicePerformance, SliceQuery, SliceRow } from "./monitor-contract.ts";
import { primaryMetric } from "./performance.ts";
import { requireVersion } from "./promote.ts";
import { SLICE_SEPARATOR, versionNotes } from "./version-notes.ts";

/** Metrics whose counters are kept per slice. */
export const SLICE_METRICS = ["logLoss", "brier", "accuracy", "f1", "macroF1", "mae", "rmse", "r2"] as const;

export async function slicePerformance(context: LoopContext, query: SliceQuery): Promise<SlicePerformance> {
  const spec = modelSpec(context, query.model);
  const metric = query.metric ?? defaultMetric(primaryMetric(spec), spec.schema.task);
  if (!(SLICE_METRICS as readonly string[]).includes(metric)) {
    throw fail("BODY_INVALID", {
      message: `"${metric}" is not kept by slice: it needs a histogram of scores for each.`,
      remedy: `Use one of ${SLICE_METRICS.join(", ")}.`,
    });
  }
  const { registry } = context.store;
  const version =
    query.version === undefined
      ? await registry.champion(query.model)
      : await requireVersion(context, query.model, query.version);
  const base = {
    model: query.model,
    metric,
    higherIsBetter: isMetricName(metric) ? METRICS[metric].higherIsBetter : true,
  };
  const notes = version === undefined ? undefined : await versionNotes(context, version);
  if (version === undefined || notes === undefined) return { ...base, version: version?.name ?? null, rows: [] };
  const matureUntil = context.worldClock.now() - spec.labelDelayMs;
  const sums = await sliceSums(context, {
    ...query,
    version: version.name,
    to: Math.min(query.to ?? matureUntil, matureUntil),
  });
  const holdoutMetric = notes.calibration.featureMetric;
  const rows = notes.slices.flatMap((note) =>
    note.cells.flatMap((cell, i): SliceRow[] => {
      const values = sums.get(`${note.feature}${SLICE_SEPARATOR}${i}`) ?? new Map<string, bigint>();
      const predictions = Number(values.get("predicted") ?? 0n);
      if (predictions === 0 && cell.rows === 0) return [];
      const found = metricFromCounters(metric, Object.fromEntries(values));
      return [
        {
          feature: note.feature,
          slice: cellName(note, i),
          predictions,
          labelled: found.rows,
          value: found.value,
          interval: found.interval ?? null,
          holdout: holdoutMetric === metric ? cell.meanLoss : null,
          holdoutShare: cell.share,
        },
      ];
    }),
  );
  return { ...base, version: version.name, rows };
}

/** Ranking metrics are not kept by slice; the main loss of the task stands in. */
function defaultMetric(metric: string, task: string): string {
  if ((SLICE_METRICS as readonly string[]).includes(metric)) return metric;
  return task === "regression" || task === "forecast" ? "mae" : "logLoss";
}

async function sliceSums(
  context: LoopContext,
  query: { readonly model: string; readonly version: string; readonly from?: Instant; readonly to: Instant },
): Promise<ReadonlyMap<string, Map<string, bigint>>> {
  const { model, version, from, to } = query;
  const found = await context.store.folds.counters({
    model,
    version,
    counter: "slices",
    to,
    ...(from === undefined ? {} : { from }),
  });
  const sums = new Map<string, Map<string, bigint>>();
  for (const row of found.rows) {
    for (const [key, value] of Object.entries(row.values)) {
      const end = key.lastIndexOf(SLICE_SEPARATOR);
      const slice = key.slice(0, end);
      const sum = sums.get(slice) ?? new Map<string, bigint>();
      sums.set(slice, sum);
      addInPlace(sum, { [key.slice(end + 1)]: value });
    }
  }
  return sums;
}
