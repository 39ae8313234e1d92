/** How the metrics are called in text, and which way is better. A metric not listed is shown by its own name. */
interface MetricInfo {
  readonly label: string;
  readonly higherIsBetter: boolean;
}

const METRICS: Readonly<Record<string, MetricInfo>> = {
  logLoss: { label: "Log loss", higherIsBetter: false },
  rocAuc: { label: "ROC AUC", higherIsBetter: true },
  averagePrecision: { label: "Average precision", higherIsBetter: true },
  accuracy: { label: "Accuracy", higherIsBetter: true },
  f1: { label: "F1", higherIsBetter: true },
  macroF1: { label: "Macro F1", higherIsBetter: true },
  brier: { label: "Brier score", higherIsBetter: false },
  ece: { label: "Calibration error", higherIsBetter: false },
  mae: { label: "Mean absolute error", higherIsBetter: false },
  rmse: { label: "Root mean squared error", higherIsBetter: false },
  r2: { label: "R²", higherIsBetter: true },
  wape: { label: "WAPE", higherIsBetter: false },
  mase: { label: "MASE", higherIsBetter: false },
  intervalCoverage: { label: "Interval coverage", higherIsBetter: true },
  ndcg: { label: "NDCG", higherIsBetter: true },
  recall: { label: "Recall", higherIsBetter: true },
  hitRate: { label: "Hit rate", higherIsBetter: true },
  hitShare: { label: "Share of interactions foreseen", higherIsBetter: true },
};

const BY_TASK = {
  binary: ["logLoss", "rocAuc", "averagePrecision", "accuracy", "f1", "brier", "ece"],
  multiclass: ["logLoss", "accuracy", "macroF1", "brier"],
  regression: ["mae", "rmse", "r2"],
  forecast: ["wape", "mase", "mae", "rmse", "intervalCoverage"],
  recommend: ["hitShare"],
} as const;

export const metricLabel = (name: string): string => METRICS[name]?.label ?? name;
export const higherIsBetter = (name: string): boolean => METRICS[name]?.higherIsBetter ?? true;
export const metricsOf = (task: keyof typeof BY_TASK): readonly string[] => BY_TASK[task];
/** `Log loss ↓` says which way is better. */
export const metricWithDirection = (name: string): string => `${metricLabel(name)} ${higherIsBetter(name) ? "↑" : "↓"}`;

/** True when `value` is better than `other`; undefined where one of them is missing. */
export function isBetter(
  name: string,
  value: number | null | undefined,
  other: number | null | undefined,
): boolean | undefined {
  if (value === null || value === undefined || other === null || other === undefined || value === other)
    return undefined;
  return higherIsBetter(name) ? value > other : value < other;
}
