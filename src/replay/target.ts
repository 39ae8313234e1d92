/** What a replay talks to: a server over HTTP, or a loop in the same process. The driver knows neither. */
import type { FeatureValue, Instant, LabelValue, RunRecord, VersionRecord } from "../core/index.ts";

export type ReplayRow = Readonly<Record<string, FeatureValue>>;
export interface ReplayLabel {
  readonly exampleId: string;
  readonly label: LabelValue;
  readonly at: Instant;
}

export interface ReplayTarget {
  /** The live version's name, or null. */
  champion(): Promise<string | null>;
  /** Rows as observations. `historical`: rows with labels that were known by event time plus label delay. */
  observe(rows: readonly ReplayRow[], options?: { readonly historical?: boolean }): Promise<void>;
  /** Probability of true per row. A pinned version is asked without logging. */
  predict(rows: readonly ReplayRow[], options?: { readonly version?: string }): Promise<readonly number[]>;
  label(labels: readonly ReplayLabel[]): Promise<void>;
  /** Moves the world clock, and waits for the runs on the way; their ids. */
  advance(to: Instant): Promise<readonly string[]>;
  run(id: string): Promise<RunRecord>;
  runs(): Promise<readonly RunRecord[]>;
  versions(): Promise<readonly VersionRecord[]>;
}
