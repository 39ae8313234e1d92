/** What the loop offers about two versions side by side. Built by `compare.ts`. */
import type { EvaluationReport, Instant } from "../core/index.ts";

export interface VersionComparison {
  readonly model: string;
  readonly a: string;
  readonly b: string;
  readonly asOf: Instant;
  readonly rows: number;
  /** Rows that `a` may have trained on, where too few others are left: they favor it. */
  readonly knownToA: number;
  /** Binary: from which probability each decides true. */
  readonly thresholds: { readonly a: number | null; readonly b: number | null };
  /** `b` is the candidate in it, `a` the champion; differences are b minus a. */
  readonly report: EvaluationReport;
}

export interface CompareRequest {
  readonly a: string;
  readonly b: string;
  /** What slices are compared by; default: the model's main metric. */
  readonly metric?: string;
}

export interface CompareSurface {
  /** @throws VERSION_UNKNOWN, BODY_INVALID, CONFLICT, DATASET_TOO_SMALL. Cost: one snapshot and one pass in the training process. */
  compareVersions(model: string, asked: CompareRequest): Promise<VersionComparison>;
}
