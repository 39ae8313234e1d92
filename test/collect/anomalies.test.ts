import { describe, expect, it } from "vitest";
import { batchAnomalies, type BatchStatistics, createBatchProfile, mergeStatistics } from "../../src/collect/index.ts";
import { createRandom } from "../../src/core/index.ts";

const schema = {
  task: "binary",
  id: "id",
  labelColumn: "label",
  features: [
    { name: "age", spec: { kind: "number" } },
    { name: "job", spec: { kind: "category" } },
  ],
  label: { kind: "boolean" },
} as const;
const statistics = (change: Partial<BatchStatistics> = {}): BatchStatistics => ({
  rows: 1000,
  accepted: 1000,
  duplicates: 0,
  missing: { age: 20, job: 0 },
  unknown: {},
  ...change,
});
const codes = (batch: BatchStatistics, reference?: BatchStatistics) =>
  batchAnomalies(batch, reference).map((one) => [one.code, one.column, one.blocking]);

describe("batch anomalies", () => {
  it.each<[string, Partial<BatchStatistics>, unknown[]]>([
    ["an everyday batch", {}, []],
    ["no row", { rows: 0, accepted: 0 }, [["VOLUME_ZERO", undefined, false]]],
    ["only refused rows", { accepted: 0 }, [["ALL_QUARANTINED", undefined, false]]],
    ["repeated examples", { duplicates: 501 }, [["DUPLICATE_SHARE", undefined, false]]],
    ["half repeated examples", { duplicates: 500 }, []],
    ["a new column", { unknown: { agee: 501 } }, [["COLUMN_APPEARED", "agee", true]]],
    ["a new column in a few rows", { unknown: { agee: 3 } }, []],
    ["a column that vanished", { missing: { age: 20, job: 1000 } }, [["COLUMN_VANISHED", "job", true]]],
    ["a jump of the missing share", { missing: { age: 200, job: 0 } }, [["MISSING_SHARE_JUMP", "age", false]]],
    ["a jump that stops training", { missing: { age: 400, job: 0 } }, [["MISSING_SHARE_JUMP", "age", true]]],
    ["a jump within an everyday tenth", { missing: { age: 110, job: 0 } }, []],
  ])("name %s", (_, change, wanted) => {
    expect(codes(statistics(change), statistics())).toEqual(wanted);
  });

  it("compare with nothing at the first batch, and say nothing about few rows", () => {
    expect(codes(statistics({ missing: { age: 900, job: 900 } }))).toEqual([]);
    expect(codes(statistics({ rows: 49, accepted: 49, missing: { age: 49, job: 49 } }), statistics())).toEqual([]);
  });

  it("raise fewer false alarms than one in a thousand columns", () => {
    const random = createRandom(3);
    let alarms = 0;
    for (let trial = 0; trial < 4_000; trial++) {
      const share = random.nextFloat();
      const draw = (rows: number) => {
        let missing = 0;
        for (let i = 0; i < rows; i++) if (random.nextFloat() < share) missing++;
        return statistics({ rows, accepted: rows, missing: { age: missing } });
      };
      alarms += batchAnomalies(draw(60), draw(120)).length;
    }
    // One in 30,000 expected: more than 4 of 4,000 would happen once in 10^6 suites at one in 1,000.
    expect(alarms).toBeLessThanOrEqual(4);
  });
});

describe("createBatchProfile", () => {
  it("counts rows, missing values and unknown columns, and merges", () => {
    const profile = createBatchProfile(schema);
    profile.add({ id: "1", age: 3, job: "a", label: true }, { accepted: true, duplicate: false });
    profile.add({ id: "1", age: null, label: true, extra: 1 }, { accepted: false, duplicate: true });
    profile.add(undefined, { accepted: false, duplicate: false });
    const one = profile.statistics();
    expect(one).toEqual({ rows: 3, accepted: 1, duplicates: 1, missing: { age: 1, job: 1 }, unknown: { extra: 1 } });
    expect(mergeStatistics(one, one)).toEqual({
      rows: 6,
      accepted: 2,
      duplicates: 2,
      missing: { age: 2, job: 2 },
      unknown: { extra: 2 },
    });
  });

  it("keeps the names of fifty unknown columns at most", () => {
    const profile = createBatchProfile(schema);
    const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`c${i}`, 1]));
    profile.add(wide, { accepted: false, duplicate: false });
    expect(Object.keys(profile.statistics().unknown)).toHaveLength(50);
  });
});
