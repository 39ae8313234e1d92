/** Resolved rollout stages. */
export type { StageSpec } from "../core/index.ts";
