/** What every store must do with profiles. */
import { describe, expect, it } from "vitest";
import { DAY_MS, HOUR_MS, type ProfileRow } from "../../src/core/index.ts";
import { addSparseInPlace, decodeCounts, encodeCounts, sparseOf } from "../../src/data/index.ts";
import type { StorePlace } from "./store-place.ts";

const counts = (...values: number[]) => encodeCounts(sparseOf(Float64Array.from(values)));
const total = (rows: readonly ProfileRow[], scope: string) => {
  const vector = new Float64Array(3);
  for (const row of rows) if (row.scope === scope) addSparseInPlace(vector, decodeCounts(row.counts));
  return [...vector];
};
const cursor = (n: number) => ({ transactionId: BigInt(n), seq: BigInt(n * 10) });

export function describeProfiles(place: StorePlace): void {
  describe("profiles", () => {
    it("keep a grid once, and fold by compare-and-set: of two folders one wins", async () => {
      const { profiles } = place.store;
      await profiles.saveGrid("p1", "g", [{ kind: "boolean", name: "b" }]);
      await profiles.saveGrid("p1", "g", [{ kind: "boolean", name: "other" }]);
      expect(await profiles.grid("p1", "g")).toEqual([{ kind: "boolean", name: "b" }]);
      expect(await profiles.grid("p1", "none")).toBeUndefined();
      expect(await profiles.read("p1", "g")).toMatchObject({ foldSeq: 0, cursor: { transactionId: 0n, seq: 0n } });
      const change = (n: number) => ({
        expectedFoldSeq: 0,
        cursor: cursor(n),
        deltas: [{ scope: "prediction", bucket: HOUR_MS, counts: counts(n, 0, 1) }],
      });
      const won = await Promise.all([profiles.commit("p1", "g", change(1)), profiles.commit("p1", "g", change(2))]);
      expect(won.filter(Boolean)).toHaveLength(1);
      const winner = won[0] ? 1 : 2;
      expect(await profiles.read("p1", "g")).toEqual({ foldSeq: 1, cursor: cursor(winner) });
      expect(total(await profiles.rows("p1", "g", 0), "prediction")).toEqual([winner, 0, 1]);
      expect(await profiles.rows("p1", "g", 1)).toEqual([]);
    });

    it("advance the cursor where a fold found nothing to count", async () => {
      const { profiles } = place.store;
      await profiles.saveGrid("p2", "g", []);
      expect(await profiles.commit("p2", "g", { expectedFoldSeq: 0, cursor: cursor(5), deltas: [] })).toBe(true);
      expect(await profiles.read("p2", "g")).toEqual({ foldSeq: 1, cursor: cursor(5) });
      expect(await profiles.rows("p2", "g", 0)).toEqual([]);
    });

    it("sum to the same counts after old hours and days are collapsed, and say that a row holds older folds", async () => {
      const { profiles } = place.store;
      await profiles.saveGrid("p3", "g", []);
      const at = [0, 1, 1, 30, 24 * 20, 24 * 20, 24 * 20 + 1].map((hour) => hour * HOUR_MS);
      for (const [i, bucket] of at.entries()) {
        const deltas = ["observation", "score:v1"].map((scope) => ({ scope, bucket, counts: counts(1, i, 2) }));
        await profiles.commit("p3", "g", { expectedFoldSeq: i, cursor: cursor(i + 1), deltas });
      }
      const before = await profiles.rows("p3", "g", 0);
      await profiles.collapse("p3", "g", { daysBefore: 10 * DAY_MS, hoursBefore: 40 * DAY_MS });
      const after = await profiles.rows("p3", "g", 0);
      expect(total(after, "observation")).toEqual(total(before, "observation"));
      const places = after
        .filter((row) => row.scope === "score:v1")
        .map((row) => [row.bucket / HOUR_MS, row.widthMs / HOUR_MS, row.fromSeq, row.foldSeq]);
      expect(places.sort((a, b) => (a[0] as number) - (b[0] as number))).toEqual([
        [0, 24, 1, 3],
        [24, 24, 4, 4],
        [480, 1, 5, 6],
        [481, 1, 7, 7],
      ]);
      await profiles.collapse("p3", "g", { daysBefore: 10 * DAY_MS, hoursBefore: 40 * DAY_MS });
      expect(await profiles.rows("p3", "g", 0)).toEqual(after);
      await profiles.deleteBefore("p3", 2 * DAY_MS);
      expect((await profiles.rows("p3", "g", 0)).map((row) => row.bucket)).toEqual(
        [480, 480, 481, 481].map((hour) => hour * HOUR_MS),
      );
    });

    it("forget grids that are no longer used", async () => {
      const { profiles } = place.store;
      for (const grid of ["old", "new"]) {
        await profiles.saveGrid("p4", grid, []);
        const deltas = [{ scope: "prediction", bucket: 0, counts: counts(1) }];
        await profiles.commit("p4", grid, { expectedFoldSeq: 0, cursor: cursor(1), deltas });
      }
      await profiles.keepGrids("p4", ["new"]);
      expect(await profiles.grid("p4", "old")).toBeUndefined();
      expect(await profiles.rows("p4", "old", 0)).toEqual([]);
      expect(await profiles.rows("p4", "new", 0)).toHaveLength(1);
    });
  });
}
