/** Gauges of drift, from the newest signal of each monitor. */
import type { Registry } from "prom-client";
import { DRIFT_MONITORS, latestDriftSignal } from "../core/index.ts";
import type { Loop } from "../loop/contract.ts";
import { addGauges } from "./gauges.ts";

/** Series per model stay bounded however many features it has. */
const MAX_FEATURES = 100;
/** Signals looked at: the newest of four monitors, among those of other monitors. */
const SIGNALS_READ = 60;

export function addDriftGauges(loop: Loop, registry: Registry): void {
  const specs = {
    retrain_drift: {
      help: "1 when the newest window drifted, 0 when it did not; absent when it could not be told.",
      labels: ["model", "monitor"],
    },
    retrain_drift_score: {
      help: "Statistic of a feature over its threshold in the newest window; above 1 it moved.",
      labels: ["model", "feature"],
    },
  };
  addGauges(registry, specs, async ({ retrain_drift: verdict, retrain_drift_score: score }) => {
    for (const { name: model } of loop.spec.models) {
      const signals = await loop.store.settings.signals({ model, limit: SIGNALS_READ });
      for (const monitor of DRIFT_MONITORS) {
        const signal = latestDriftSignal(signals, monitor);
        if (signal === undefined) continue;
        if (signal.verdict !== "cannot-tell") verdict.set({ model, monitor }, Number(signal.verdict === "drift"));
        if (monitor !== "data-drift") continue;
        for (const { feature, ratio } of signal.findings.slice(0, MAX_FEATURES))
          if (ratio !== null) score.set({ model, feature }, ratio);
      }
    }
  });
}
