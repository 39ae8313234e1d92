/** The HTTP contract of data drift. */
import type { DriftReference, Instant } from "../../core/index.ts";

export type {
  DriftFeatureView,
  DriftHeatCell,
  DriftHeatmap,
  DriftView,
  MultivariateView,
} from "../../loop/drift-contract.ts";
export type {
  DriftBin,
  DriftReference,
  DriftReport,
  DriftVerdict,
  FeatureDrift,
  MultivariateDrift,
} from "../../core/index.ts";

/** GET /models/{model}/drift */
export interface DriftWindowQuery {
  readonly reference?: DriftReference;
  readonly from?: Instant;
  readonly to?: Instant;
}
/** GET /models/{model}/drift/multivariate */
export type MultivariateQuery = Omit<DriftWindowQuery, "reference">;
/** GET /models/{model}/drift/feature */
export interface DriftFeatureQuery extends DriftWindowQuery {
  readonly feature: string;
}
