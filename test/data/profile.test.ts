import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  buildReferenceProfile,
  type DataSchema,
  frameFromFeatures,
  mergeProfiles,
  profileFrame,
} from "../../src/data/index.ts";

const schema: DataSchema = {
  task: "regression",
  labelColumn: "y",
  features: [
    { name: "x", spec: { kind: "number" } },
    { name: "c", spec: { kind: "category" } },
    { name: "b", spec: { kind: "boolean" } },
  ],
  label: { kind: "number" },
};
const all = (rows: number) => Uint32Array.from({ length: rows }, (_, i) => i);
const rowsOf = (values: readonly (number | null)[]) =>
  values.map((x, i) => ({ x, c: x === null ? null : `c${Math.abs(x) % 5}`, b: x === null ? null : i % 3 === 0 }));

describe("profiles", () => {
  it("count every row once per feature, the reference's own rows all inside the grid", () => {
    const rows = rowsOf([...Array.from({ length: 1000 }, (_, i) => i * 1.5), null, null]);
    const frame = frameFromFeatures(schema, rows);
    const { grid, reference } = buildReferenceProfile(frame, all(rows.length));
    const number = grid[0];
    expect(number?.kind === "number" && number.edges.length).toBe(255);
    for (const feature of reference.features) {
      const inside = feature.counts.reduce((sum, count) => sum + count, 0);
      expect(inside + feature.missing).toBe(1002);
      expect([feature.below, feature.above, feature.unseen]).toEqual([0, 0, 0]);
    }
  });

  it("count what the reference never had as below, above and unseen", () => {
    const profile = buildReferenceProfile(frameFromFeatures(schema, rowsOf([0, 1, 2, 3])), all(4));
    const frame = frameFromFeatures(schema, [
      { x: -1, c: "c0", b: true },
      { x: 4, c: "new", b: null },
      { x: 1.5, c: "c1", b: false },
    ]);
    const now = profileFrame(profile, frame, all(3));
    expect(now.features[0]).toMatchObject({ below: 1, above: 1, missing: 0 });
    expect(now.features[1]).toMatchObject({ unseen: 1, other: 0 });
    expect(now.features[2]).toMatchObject({ counts: [1, 1], missing: 1 });
  });

  it("merge exactly: the profile of two windows is the sum of their profiles, in any order", () => {
    const window = fc.array(fc.option(fc.integer({ min: -20, max: 20 })), { maxLength: 40 });
    const profile = buildReferenceProfile(frameFromFeatures(schema, rowsOf([-10, -5, 0, 5, 10])), all(5));
    const of = (values: readonly (number | null)[]) =>
      profileFrame(profile, frameFromFeatures(schema, rowsOf(values)), all(values.length));
    fc.assert(
      fc.property(window, window, window, (a, b, c) => {
        const numbers = (values: readonly (number | null)[]) => of(values).features[0];
        expect(mergeProfiles(of(a), of(b))).toEqual(mergeProfiles(of(b), of(a)));
        expect(mergeProfiles(mergeProfiles(of(a), of(b)), of(c))).toEqual(
          mergeProfiles(of(a), mergeProfiles(of(b), of(c))),
        );
        expect(mergeProfiles(of(a), of(b)).features[0]).toEqual(numbers([...a, ...b]));
      }),
      { numRuns: 100, seed: 2 },
    );
  });

  it("over different grids are refused", () => {
    const one = buildReferenceProfile(frameFromFeatures(schema, rowsOf([0, 1])), all(2)).reference;
    const other = buildReferenceProfile(frameFromFeatures(schema, rowsOf([0, 1, 2, 3])), all(4)).reference;
    expect(() => mergeProfiles(one, other)).toThrow(expect.objectContaining({ code: "STATISTIC_UNDEFINED" }));
  });
});
