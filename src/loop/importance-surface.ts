/** What the loop offers about what a version looks at. Built by `importance.ts`. */
import type { ModelImportance } from "../core/index.ts";

export interface VersionImportance extends ModelImportance {
  readonly model: string;
  readonly version: string;
}

export interface ImportanceSurface {
  /** @throws VERSION_UNKNOWN, NOT_FOUND when the artifact is no longer kept, ARTIFACT_CORRUPT. Cost: one read of the artifact. */
  importance(model: string, version: string): Promise<VersionImportance>;
}
