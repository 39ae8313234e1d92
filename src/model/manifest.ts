/**
 * The manifest: what a version is made of and from. Nothing in it depends on when or where it was made except the engine
 * versions, so the same data and seed give the same model hash everywhere.
 */
import { fail } from "../core/index.ts";
import type { Instant, JsonObject, LabelValue, Task, TrainingStrategy } from "../core/index.ts";
import type { FeatureSpec } from "../data/schema.ts";

export const ARTIFACT_FORMAT = 1;

export interface ArtifactFile {
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface Manifest {
  readonly format: typeof ARTIFACT_FORMAT;
  readonly model: string;
  readonly task: Task;
  readonly classes: readonly LabelValue[];
  readonly signature: {
    readonly features: readonly { readonly name: string; readonly kind: FeatureSpec["kind"] }[];
    readonly preparation: "dense" | "codes" | "none";
  };
  /** Every other file of the folder. */
  readonly files: Readonly<Record<string, ArtifactFile>>;
  /** SHA-256 over the hashes of model.json, model.bin and preparation.json: equal for equal data, parameters and seed. */
  readonly modelHash: string;
  readonly trainer: string;
  readonly params: JsonObject;
  /** The frozen model in front of the trainer, whose file is in model.bin: its SHA-256 and the numbers it gives. */
  readonly embed?: { readonly sha256: string; readonly size: number };
  readonly seed: number;
  readonly strategy: TrainingStrategy;
  /** The model hash of the version it started from. */
  readonly base?: string;
  /** Transfer: the version whose layers it reuses (`digits@v3`), and which of them never learned. */
  readonly transfer?: { readonly from: string; readonly freeze: readonly string[] };
  /** Learned example by example: the artifact the fold began from, how many, and the newest event time. */
  readonly learned?: { readonly basis: string; readonly rows: number; readonly through: Instant };
  /** How many versions it stands behind the last full training: 1 for one that started from a full one. Absent for a full one. */
  readonly chain?: number;
  readonly dataset: DatasetLineage;
  readonly definitionRevision: string;
  /** Binary: probabilities from here on are decided `true`. */
  readonly threshold?: number;
  /** True when the gated recipe was fitted again on all rows. */
  readonly refit: boolean;
  readonly engine: { readonly node: string; readonly retrain: string };
}

export interface DatasetLineage {
  readonly hash: string;
  readonly rows: number;
  readonly asOf: Instant;
  readonly window: { readonly windowMs?: number; readonly windowRows?: number };
  readonly trainRows: number;
  readonly validationRows: number;
  readonly holdoutRows: number;
  /** Latest event time that trained it: what a later version calls new. Null for an empty or timeless split. */
  readonly trainTo: Instant | null;
}

/** @throws ARTIFACT_CORRUPT, ARTIFACT_UNSUPPORTED */
export function parseManifest(text: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fail("ARTIFACT_CORRUPT", {
      message: "The manifest of the artifact is not JSON.",
      remedy: "Restore the artifact from a backup, or go back to another version.",
      cause,
    });
  }
  const manifest = value as Partial<Manifest>;
  if (typeof manifest?.format !== "number" || typeof manifest.files !== "object") {
    throw fail("ARTIFACT_CORRUPT", {
      message: "The manifest of the artifact lacks its format or its list of files.",
      remedy: "Restore the artifact from a backup, or go back to another version.",
    });
  }
  if (manifest.format !== ARTIFACT_FORMAT) {
    throw fail("ARTIFACT_UNSUPPORTED", {
      message: `The artifact has format ${String(manifest.format)}; this version of Retrain reads an older one.`,
      remedy: "Upgrade Retrain, or train the version again.",
    });
  }
  return manifest as Manifest;
}
