/** What the loop answers about drift. */
import type {
  DriftCalibration,
  DriftReference,
  DriftReport,
  DriftSignal,
  DriftVerdict,
  FeatureDrift,
  Instant,
  MultivariateDrift,
} from "../core/index.ts";

export type InputSource = "prediction" | "observation";

export interface DriftQuery {
  readonly model: string;
  /** Default: the model's setting. */
  readonly reference?: DriftReference;
  /** End of the current window; default now. */
  readonly to?: Instant;
  /** Start of the current window; default `to` minus the model's window. */
  readonly from?: Instant;
}

export interface DriftHeatCell {
  readonly ratio: number | null;
  readonly verdict: DriftVerdict;
}
export interface DriftHeatmap {
  /** Ends of the windows, ascending. */
  readonly ends: readonly Instant[];
  readonly windowMs: number;
  /** Prediction first, then features by their ratio in the current window; one cell per window. */
  readonly rows: readonly { readonly feature: string; readonly cells: readonly (DriftHeatCell | null)[] }[];
}

export interface DriftView {
  readonly model: string;
  /** ready; no-champion: nothing to compare with; counting: its grid is being counted; off: `monitors.dataDrift` is false. */
  readonly state: "ready" | "no-champion" | "counting" | "off";
  readonly version: string | null;
  readonly window: { readonly from: Instant; readonly to: Instant } | null;
  /** Where the current rows come from: requests, or collected rows. */
  readonly source: InputSource | null;
  readonly reference: DriftReference | null;
  /** Learned of this version, from those rows. */
  readonly calibration:
    | (DriftCalibration & { readonly at: Instant; readonly version: string; readonly source: InputSource })
    | null;
  readonly data: DriftReport | null;
  readonly prediction: FeatureDrift | null;
  readonly label: {
    readonly verdict: DriftVerdict;
    readonly reason: string;
    readonly rows: number;
    readonly finding: DriftSignal["findings"][number];
    readonly feature: FeatureDrift | null;
  } | null;
  /** Requests against collected rows of the same window, where both are there. */
  readonly skew: DriftReport | null;
  readonly heatmap: DriftHeatmap;
}

export interface DriftFeatureView {
  readonly model: string;
  readonly feature: FeatureDrift;
  readonly series: readonly {
    readonly to: Instant;
    readonly rows: number;
    readonly value: number | null;
    readonly threshold: number | null;
    readonly verdict: DriftVerdict;
  }[];
}

/** Rows of the window compared with the champion's as wholes. */
export interface MultivariateView {
  readonly model: string;
  /** ready; no-champion: nothing to compare with; no-sample: its version was made before rows were kept with it. */
  readonly state: "ready" | "no-champion" | "no-sample";
  readonly version: string | null;
  readonly window: { readonly from: Instant; readonly to: Instant };
  readonly source: InputSource;
  readonly result: MultivariateDrift | null;
}

export interface DriftSurface {
  /** Computed when asked for: some hundred milliseconds. @throws MODEL_UNKNOWN, BODY_INVALID */
  multivariateDrift(query: Omit<DriftQuery, "reference">): Promise<MultivariateView>;
  /** @throws MODEL_UNKNOWN */
  drift(query: DriftQuery): Promise<DriftView>;
  /** One feature over time. @throws MODEL_UNKNOWN, COLUMN_UNKNOWN, MODEL_NOT_READY */
  driftOf(query: DriftQuery & { readonly feature: string }): Promise<DriftFeatureView>;
}
