/** From a frozen dataset to series on a grid of periods, and back to its rows. */
import type { ModelSpec } from "../../config/spec.ts";
import { fail } from "../../core/index.ts";
import type { CategoryColumn, Dataset, ForecastSchema, Frame, Preparation, Splits } from "../../data/index.ts";
import { createPreparedWriter, leadPeriods, periodOf } from "../../data/index.ts";
import type { Panel, PanelSeries } from "../../learn/index.ts";

export interface DatasetPanel {
  readonly panel: Panel;
  /** Per dataset row its series (index into `panel.series`) and period. */
  readonly seriesOf: Int32Array;
  readonly periodOf: Int32Array;
}

export function forecastSchemaOf(spec: ModelSpec): ForecastSchema {
  const { forecast } = spec.schema;
  if (forecast !== undefined) return forecast;
  throw fail("INTERNAL", {
    message: `Model ${spec.name} is no forecast.`,
    remedy: "Rebuild: parent and child come from different builds.",
  });
}

/** Covariates only: the series is told by name. */
export function covariateFrame(frame: Frame, series: string): Frame {
  return { rows: frame.rows, columns: frame.columns.filter((column) => column.name !== series) };
}

/** Periods between a target and the newest value that is known when its time comes: the label delay. */
export function leadOf(spec: ModelSpec): number {
  return leadPeriods(spec.labelDelayMs, forecastSchemaOf(spec).frequency);
}

/** @throws DATASET_EMPTY when no row names its series. Cost O(n × covariates). */
export function panelOf(spec: ModelSpec, dataset: Dataset, preparation: Preparation): DatasetPanel {
  const { series: column, frequency, horizon } = forecastSchemaOf(spec);
  const names = dataset.frame.columns.find((one) => one.name === column) as CategoryColumn;
  const periods = Int32Array.from(dataset.at, (at) => periodOf(at, frequency));
  // By name, so that the order of rows does not number the series.
  const ordered = [...names.dictionary].sort((left, right) => (left < right ? -1 : left > right ? 1 : 0));
  const place = new Map(ordered.map((name, i) => [name, i]));
  const seriesOf = Int32Array.from(names.codes, (code) =>
    code < 0 ? -1 : (place.get(names.dictionary[code] as string) as number),
  );
  const first = new Int32Array(ordered.length).fill(2_147_483_647);
  const last = new Int32Array(ordered.length).fill(-2_147_483_648);
  for (let row = 0; row < dataset.rows; row++) {
    const s = seriesOf[row] as number;
    if (s < 0) continue;
    first[s] = Math.min(first[s] as number, periods[row] as number);
    last[s] = Math.max(last[s] as number, periods[row] as number);
  }
  const writer = createPreparedWriter(preparation);
  const { width } = writer;
  const prepared = writer.writeFrame(
    dataset.frame,
    Uint32Array.from({ length: dataset.rows }, (_, row) => row),
  );
  const series = ordered.map((name, s): PanelSeries => {
    const length = Math.max(0, (last[s] as number) - (first[s] as number) + 1);
    return {
      name,
      start: first[s] as number,
      values: new Float64Array(length).fill(Number.NaN),
      covariates: new Float32Array(length * width).fill(Number.NaN),
    };
  });
  for (let row = 0; row < dataset.rows; row++) {
    const s = seriesOf[row] as number;
    if (s < 0) continue;
    const own = series[s] as PanelSeries;
    const at = (periods[row] as number) - own.start;
    own.values[at] = dataset.target[row] as number;
    own.covariates.set(prepared.subarray(row * width, (row + 1) * width), at * width);
  }
  const covariates = preparation.features.map(
    ({ name, kind }) => ({ name, kind: kind === "category" ? kind : "number" }) as const,
  );
  return {
    panel: {
      frequency,
      horizon: horizon + leadOf(spec),
      covariates,
      series: series.filter((one) => one.values.length > 0),
    },
    seriesOf,
    periodOf: periods,
  };
}

/** Last period of a part of the split; undefined where it is empty. */
export function lastPeriod(periods: Int32Array, rows: Uint32Array): number | undefined {
  let last: number | undefined;
  for (const row of rows) last = Math.max(last ?? -2_147_483_648, periods[row] as number);
  return last;
}

/** The panel as it was at the end of a period: nothing later is in it, so nothing later can be learned. */
export function panelUntil(panel: Panel, period: number): Panel {
  const width = panel.covariates.length;
  const series = panel.series.flatMap((one): PanelSeries[] => {
    const length = Math.min(one.values.length, period - one.start + 1);
    if (length <= 0) return [];
    return [{ ...one, values: one.values.slice(0, length), covariates: one.covariates.slice(0, length * width) }];
  });
  return { ...panel, series };
}

/** Training ends with the training rows, validation with its own; both before the first held-out period. */
export function trainingPeriods(
  one: DatasetPanel,
  splits: Splits,
): { readonly trainTo: number; readonly validationTo: number } {
  const trainTo = lastPeriod(one.periodOf, splits.train) as number;
  return { trainTo, validationTo: lastPeriod(one.periodOf, splits.validation) ?? trainTo };
}
