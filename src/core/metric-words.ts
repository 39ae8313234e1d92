/** How a metric is called in a sentence; its name (`logLoss`) is for configurations, requests and charts' data. */
const WORDS: Readonly<Record<string, string>> = {
  logLoss: "log loss",
  rocAuc: "ROC AUC",
  averagePrecision: "average precision",
  f1: "F1",
  macroF1: "macro F1",
  brier: "Brier score",
  ece: "calibration error",
  mae: "mean absolute error",
  rmse: "root mean squared error",
  r2: "R²",
  wape: "WAPE",
  mase: "MASE",
  intervalCoverage: "interval coverage",
  ndcg: "NDCG",
  hitRate: "hit rate",
  hitShare: "share of interactions foreseen",
};

/** The name itself where it is a word already, such as accuracy. */
export const metricWord = (metric: string): string => WORDS[metric] ?? metric;

/** At the beginning of a sentence. */
export function metricSubject(metric: string): string {
  const word = metricWord(metric);
  return word.charAt(0).toUpperCase() + word.slice(1);
}
