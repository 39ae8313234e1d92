/** What the loop offers about versions that move between servers. Built by `transfer.ts`. */
import type { VersionRecord } from "../core/index.ts";

export interface Reproduction {
  /** Whether this version and every base below it came out bit for bit. */
  readonly equal: boolean;
  readonly expected: string;
  readonly actual: string;
  /** The bases it was continued from, nearest first. */
  readonly bases: readonly { readonly version: string; readonly equal: boolean }[];
}

export interface TransferSurface {
  /** A version with its evidence as one signed file. @throws VERSION_UNKNOWN */
  exportVersion(model: string, version: string): Promise<Uint8Array>;
  /** A version as one ONNX file, preparation included. @throws VERSION_UNKNOWN, EXPORT_UNSUPPORTED */
  /** @param options.texts `counts`: texts go in as counted terms, which ONNX cannot make of them */
  exportOnnx(model: string, version: string, options?: { readonly texts?: "refuse" | "counts" }): Promise<Uint8Array>;
  /**
   * Registers an ONNX file from elsewhere as a candidate and gates it here; it needs labelled rows to be judged by.
   * @throws CONFLICT for a forecaster or recommender, MODEL_INVALID, OUTPUT_INVALID, DATASET_EMPTY, DEPENDENCY_MISSING
   */
  importOnnx(
    model: string,
    onnx: Uint8Array,
    actor: string,
  ): Promise<{ readonly version: VersionRecord; readonly runId: string | null }>;
  /** The public key that this server signs with, `ed25519:<base64>`. */
  exportKey(): Promise<string>;
  /**
   * Registers the version of a file as a candidate and gates it here. Importing the same file again gives the same version.
   * @throws IMPORT_INVALID, IMPORT_UNTRUSTED, IMPORT_REFUSED, ARTIFACT_CORRUPT, PROBE_MISMATCH
   */
  importVersion(
    model: string,
    archive: Uint8Array,
    actor: string,
  ): Promise<{ readonly version: VersionRecord; readonly runId: string | null; readonly signedBy: string }>;
}
