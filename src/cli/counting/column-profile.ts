import type { FeatureGrid, FeatureProfile } from "../../data/index.ts";

/** Both sides of one column, and what the reference had beyond the listed categories. */
export interface ColumnProfile {
  readonly grid: FeatureGrid;
  readonly reference: FeatureProfile;
  readonly current: FeatureProfile;
  readonly rare?: readonly string[];
}
