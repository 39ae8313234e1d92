import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addSparseInPlace,
  buildReferenceProfile,
  cellsWithin,
  countFrame,
  coversGrid,
  decodeCounts,
  encodeCounts,
  extendGrid,
  type FeatureGrid,
  type Frame,
  gridId,
  layoutOf,
  mergeSparse,
  type NumberGrid,
  overGrid,
  profileFrame,
  profileOf,
  sparseOf,
  vectorOf,
} from "../../src/data/index.ts";

const all = (rows: number) => Uint32Array.from({ length: rows }, (_, i) => i);
const frameOf = (x: readonly number[], texts: readonly (string | null)[] = []): Frame => {
  const dictionary = [...new Set(texts.filter((text) => text !== null))];
  const codes = Int32Array.from(x, (_, i) => dictionary.indexOf(texts[i] ?? "\u0000"));
  return {
    rows: x.length,
    columns: [
      { kind: "number", name: "x", values: Float32Array.from(x) },
      { kind: "category", name: "c", codes, dictionary },
      {
        kind: "boolean",
        name: "b",
        values: Uint8Array.from(x, (value) => (value > 0 ? 1 : value === value ? 0 : 255)),
      },
    ],
  };
};

/** The cell by its definition: the first whose upper edge is not below the value. */
function plainCell(grid: NumberGrid, value: number): string {
  if (Number.isNaN(value)) return "missing";
  if (!Number.isFinite(value)) return "nonFinite";
  if (grid.values?.length === 0) return "unseen";
  if (value < grid.min) return "below";
  if (value > grid.max) return "above";
  if (grid.values !== undefined) {
    const at = grid.values.indexOf(value);
    return at === -1 ? "unseen" : String(at);
  }
  const at = grid.edges.findIndex((edge) => edge >= value);
  return String(at === -1 ? grid.edges.length : at);
}

const number = fc.oneof(
  fc.double({ min: -5, max: 5, noNaN: true }),
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(Number.NaN, Infinity, -Infinity, 0, -0, 1e30, -1e-30),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: 1e-20, max: 1e20 }),
);
const column = fc.array(number, { minLength: 1, maxLength: 200 });

describe("cells", () => {
  it("are those of the definition for any reference and any values, skewed, tied, infinite or constant", () => {
    fc.assert(
      fc.property(column, column, (reference, values) => {
        const profile = buildReferenceProfile(frameOf(reference), all(reference.length));
        const grid = profile.grid[0] as NumberGrid;
        const seen: Record<string, number> = {};
        for (const value of Float32Array.from(values)) {
          const cell = plainCell(grid, value);
          seen[cell] = (seen[cell] ?? 0) + 1;
        }
        const found = profileFrame(profile, frameOf(values), all(values.length)).features[0];
        const expected = (key: string) => seen[key] ?? 0;
        expect(found?.counts).toEqual(found?.counts.map((_, i) => expected(String(i))));
        for (const tail of ["below", "above", "unseen", "missing", "nonFinite"] as const)
          expect(found?.[tail]).toBe(expected(tail));
      }),
      { numRuns: 300, seed: 4 },
    );
  });

  it("of a column with at most 20 distinct values are its values, and a new value between them is unseen", () => {
    const constant = buildReferenceProfile(frameOf([7, 7, 7]), all(3));
    expect(constant.grid[0]).toEqual({ kind: "number", name: "x", edges: [], min: 7, max: 7, values: [7] });
    const ten = Array.from({ length: 100 }, (_, i) => i % 10);
    const profile = buildReferenceProfile(frameOf(ten), all(100));
    const now = profileFrame(profile, frameOf([3, 3.5, 4, 11]), all(4)).features[0];
    expect(now).toMatchObject({ unseen: 1, above: 1 });
    expect(now?.counts).toEqual([0, 0, 0, 1, 1, 0, 0, 0, 0, 0]);
  });

  it("of a column without values count every number as unseen", () => {
    const profile = buildReferenceProfile(frameOf([Number.NaN]), all(1));
    const now = profileFrame(profile, frameOf([0, -1, Number.NaN, Infinity]), all(4)).features[0];
    expect(now).toMatchObject({ counts: [], unseen: 2, missing: 1, nonFinite: 1 });
  });
});

describe("counts", () => {
  it("come back from their stored form, up to 2^53", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constant(0), fc.maxSafeNat(), fc.nat(300)), { maxLength: 300 }), (numbers) => {
        const vector = Float64Array.from(numbers);
        const back = new Float64Array(vector.length);
        addSparseInPlace(back, decodeCounts(encodeCounts(sparseOf(vector))));
        expect(back).toEqual(vector);
      }),
      { numRuns: 200, seed: 5 },
    );
  });

  it("are the same however the rows are split, ordered and merged", () => {
    const reference = buildReferenceProfile(frameOf([1, 2, 3, 4, 5, 6].flatMap((x) => [x, x * 7.5, -x])), all(18));
    const layout = layoutOf(reference.grid);
    const row = fc.record({ x: number, c: fc.constantFrom("a", "b", null) });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 60 }), fc.array(fc.nat(59), { maxLength: 4 }), (rows, cuts) => {
        const of = (part: typeof rows) =>
          countFrame(
            layout,
            reference.rare,
            frameOf(
              part.map(({ x }) => x),
              part.map(({ c }) => c),
            ),
          );
        const bounds = [0, ...cuts.map((cut) => Math.min(cut, rows.length)).sort((a, b) => a - b), rows.length];
        const parts = bounds.slice(1).map((to, i) => sparseOf(of(rows.slice(bounds[i], to))));
        const merged = parts
          .reverse()
          .reduce((sum, part) => mergeSparse(sum, part, layout.size), sparseOf(new Float64Array(layout.size)));
        expect(merged).toEqual(sparseOf(of(rows)));
        expect(sparseOf(of([...rows].reverse()))).toEqual(merged);
        expect(vectorOf(layout, profileOf(layout, of(rows)))).toEqual(of(rows));
      }),
      { numRuns: 150, seed: 6 },
    );
  });
});

describe("an extended grid", () => {
  it("holds every old cell, so a reference reads the same over it and new values find room", () => {
    const wide = fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 30, maxLength: 120 });
    fc.assert(
      fc.property(wide, wide, (reference, values) => {
        const profile = buildReferenceProfile(
          frameOf(
            reference.map((x) => x / 4),
            ["a"],
          ),
          all(reference.length),
        );
        const now = frameOf(
          values,
          values.map((_, i) => (i % 2 === 0 ? "a" : "z")),
        );
        const grid = extendGrid(profile.grid, now, all(values.length));
        const before = profile.grid[0] as NumberGrid;
        if (before.values !== undefined) return;
        expect(coversGrid(grid, profile.grid)).toBe(true);
        const over = overGrid(profile, grid);
        const direct = profileFrame(
          { grid, rare: {} },
          frameOf(
            reference.map((x) => x / 4),
            ["a"],
          ),
          all(reference.length),
        );
        expect(over.reference).toEqual(direct);
        const found = profileFrame({ grid, rare: {} }, now, all(values.length)).features;
        expect([found[0]?.below, found[0]?.above, found[1]?.unseen]).toEqual([0, 0, 0]);
      }),
      { numRuns: 150, seed: 7 },
    );
  });

  it("does not cover a grid with other cells or other features", () => {
    const one = buildReferenceProfile(frameOf(Array.from({ length: 50 }, (_, i) => i)), all(50)).grid;
    const other = buildReferenceProfile(frameOf(Array.from({ length: 50 }, (_, i) => i * 1.1)), all(50)).grid;
    expect(coversGrid(one, one)).toBe(true);
    expect(coversGrid(one, other)).toBe(false);
    expect(coversGrid(one.slice(1), one)).toBe(false);
    expect(cellsWithin({ kind: "boolean", name: "b" }, { kind: "boolean", name: "b" })).toEqual([0, 1]);
    expect(gridId(one)).not.toBe(gridId(other));
  });

  it("grows ahead of a number that keeps growing: few extensions, however long it goes on", () => {
    const rows = (from: number) => frameOf(Array.from({ length: 200 }, (_, i) => from + i));
    let grid: readonly FeatureGrid[] = buildReferenceProfile(rows(0), all(200)).grid;
    let extensions = 0;
    for (let week = 1; week <= 100; week++) {
      const frame = rows(week * 20);
      const [x] = grid as readonly [NumberGrid];
      if (week * 20 + 199 <= x.max) continue;
      const wider = extendGrid(grid, frame, all(200));
      expect(coversGrid(wider, grid)).toBe(true);
      grid = wider;
      extensions++;
    }
    expect(extensions).toBeLessThanOrEqual(5);
    const [x] = grid as readonly [NumberGrid];
    expect(x.max).toBeGreaterThanOrEqual(2_199);
    expect(x.edges).toEqual([...new Set(x.edges)].sort((a, b) => a - b));
  });
});
