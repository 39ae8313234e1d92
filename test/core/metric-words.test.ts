import { expect, it } from "vitest";
import { metricLabel } from "../../console/src/metrics.ts";
import { metricSubject, metricWord } from "../../src/core/index.ts";
import { metricsFor } from "../../src/stats/index.ts";

it("calls every metric in sentences as the console calls it in charts", () => {
  for (const task of ["binary", "multiclass", "regression", "forecast", "recommend"] as const) {
    for (const name of metricsFor(task)) expect(metricSubject(name)).toBe(metricLabel(name));
  }
  expect(metricWord("logLoss")).toBe("log loss");
  expect(metricWord("accuracy")).toBe("accuracy");
});
