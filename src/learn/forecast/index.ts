/** Forecasting many series: the trainer, its baseline, and what a trained forecaster answers. */
export * from "./forecast.ts";
export * from "./forecaster.ts";
export { QUANTILES } from "./intervals.ts";
export * from "./panel.ts";
export { FORECAST_PARAMETERS } from "./params.ts";
