/** Which definition a version was made under. */
import { canonicalJson, sha256Hex } from "../core/index.ts";
import type { ModelSpec } from "./spec.ts";

/** 12 hex digits of the SHA-256 of the model's canonical resolved description. Equal descriptions have equal revisions. */
export function definitionRevision(spec: ModelSpec): string {
  return sha256Hex(canonicalJson(spec)).slice(0, 12);
}
