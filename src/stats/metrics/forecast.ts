/** Metrics of forecasts: errors in units of each series' own seasonal changes, and how many targets the intervals held. */
import { RetrainError } from "../../core/errors.ts";
import type { MetricInput, Numbers } from "./metric.ts";
import { absoluteErrorRows } from "./row-losses.ts";

function required(name: string, input: MetricInput, key: "scales" | "lows" | "highs"): Numbers {
  const values = input.labels.length === 0 ? [] : input[key];
  if (values !== undefined && values.length === input.labels.length) return values;
  throw new RetrainError("STATISTIC_UNDEFINED", {
    message: `${name} needs ${key}, one number per row; it got ${values === undefined ? "none" : values.length} for ${input.labels.length} rows.`,
    remedy: "Pass what the forecaster answered beside the value.",
  });
}

/** |score − label| / scale per row; its mean is MASE (Hyndman and Koehler 2006) when the scale is the mean seasonal change. */
export function scaledErrorRows(input: MetricInput): Float64Array {
  const losses = absoluteErrorRows(input);
  const scales = required("mase", input, "scales");
  for (let i = 0; i < losses.length; i++) losses[i] = (losses[i] as number) / (scales[i] as number);
  return losses;
}

/** 1 where the label lies in [low, high], else 0. */
export function coveredRows(input: MetricInput): Float64Array {
  const lows = required("intervalCoverage", input, "lows");
  const highs = required("intervalCoverage", input, "highs");
  return Float64Array.from(input.labels, (label, i) =>
    label >= (lows[i] as number) && label <= (highs[i] as number) ? 1 : 0,
  );
}
