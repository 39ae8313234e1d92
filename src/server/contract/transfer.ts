/** Versions between servers, over HTTP. */
import type { VersionRecord } from "../../core/records.ts";

/** GET /export-key */
export interface ExportKeyAnswer {
  /** `ed25519:<base64>`: what another server lists in `imports.trust`. */
  readonly publicKey: string;
}
/** POST /models/{model}/imports, body `application/x-tar` or `application/onnx` */
export interface ImportAnswer {
  readonly version: VersionRecord;
  /** The run that judges it; null while another run is under way: it starts after that one. */
  readonly runId: string | null;
  /** Null for an ONNX file, which nobody signed. */
  readonly signedBy: string | null;
}
