import { describe, expect, it } from "vitest";
import { type DriftSignal, driftSignalRecord, latestDriftSignal, readDriftSignal } from "../../src/core/index.ts";

const signal: DriftSignal = {
  monitor: "data-drift",
  model: "m",
  version: "v1",
  at: 3,
  from: 1,
  to: 2,
  reference: "training",
  verdict: "drift",
  share: 0.4,
  shareThreshold: 0.1,
  rows: 500,
  referenceRows: 1000,
  findings: [{ feature: "age", verdict: "drift", statistic: "psi", value: 0.3, threshold: 0.1, ratio: 3 }],
  reason: "age moved",
};

describe("drift signals", () => {
  it("come back from their record as they were written", () => {
    const record = driftSignalRecord(signal);
    expect(record).toMatchObject({ monitor: "data-drift", verdict: "yes", value: 0.4, threshold: 0.1 });
    expect(readDriftSignal(JSON.parse(JSON.stringify(record)))).toEqual(signal);
  });

  it("are found by monitor, newest first, among records of other monitors", () => {
    const other = { ...driftSignalRecord(signal), monitor: "adwin" };
    const newer = driftSignalRecord({ ...signal, at: 9, verdict: "no-drift" });
    expect(latestDriftSignal([other, newer, driftSignalRecord(signal)], "data-drift")?.at).toBe(9);
    expect(latestDriftSignal([other], "data-drift")).toBeUndefined();
    expect(readDriftSignal(other)).toBeUndefined();
  });
});
