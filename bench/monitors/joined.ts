import type { BenchResult } from "../harness.ts";

/** Results of several sections as one. */
export function joined(results: readonly BenchResult[]): BenchResult {
  return {
    measurements: results.flatMap((one) => one.measurements ?? []),
    figures: results.flatMap((one) => one.figures ?? []),
    notes: results.flatMap((one) => one.notes ?? []),
  };
}
