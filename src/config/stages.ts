/** `stage`: how a promoted version goes live. */
import { type Field, variantField } from "../core/index.ts";
import type { StageSpec } from "../deploy/spec.ts";

export type StageConfig = { readonly kind: "full" };

export const stage = {
  /** Takes over at once, in one swap without a dropped request. */
  full: (): StageConfig => ({ kind: "full" }),
} as const;

export const stageField: Field<StageSpec> = variantField("How a version goes live.", "kind", { full: {} });
