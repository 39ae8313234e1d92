import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  buildIndex,
  hashId,
  IndexCache,
  indexBytes,
  mayHold,
  mergeIndexes,
  parseIndex,
  type SegmentIndex,
} from "../../src/storage/log/segment-index.ts";

const ids = fc.array(fc.string({ maxLength: 12 }), { maxLength: 60 });
const indexOf = (examples: readonly string[], predictions: readonly string[]) =>
  buildIndex(examples.map(hashId), predictions.map(hashId));
const holdsExample = (index: SegmentIndex, id: string) => mayHold(index, { examples: [hashId(id)], predictions: [] });
const holdsPrediction = (index: SegmentIndex, id: string) =>
  mayHold(index, { examples: [], predictions: [hashId(id)] });

describe("the index of a segment", () => {
  it("holds every id it was made of, in its own set, after writing and reading", () => {
    fc.assert(
      fc.property(ids, ids, (examples, predictions) => {
        const made = indexOf(examples, predictions);
        // From the middle of a larger buffer, as small files are read.
        const bytes = indexBytes(made);
        const pool = Buffer.alloc(bytes.length + 24, 7);
        pool.set(bytes, 24);
        const read = parseIndex(pool.subarray(24)) as SegmentIndex;
        expect(read).toEqual(made);
        for (const id of examples) expect(holdsExample(read, id)).toBe(true);
        for (const id of predictions) expect(holdsPrediction(read, id)).toBe(true);
        expect(read.examples.length).toBe(new Set(examples).size);
      }),
      { numRuns: 200, seed: 4 },
    );
  });

  it("holds in a merged index what the parts held", () => {
    fc.assert(
      fc.property(ids, ids, (left, right) => {
        const merged = mergeIndexes([indexOf(left, []), indexOf(right, left)]);
        for (const id of [...left, ...right]) expect(holdsExample(merged, id)).toBe(true);
        expect(merged).toEqual(indexOf([...left, ...right], left));
      }),
      { numRuns: 100, seed: 5 },
    );
  });

  it("seldom says `may hold` for an absent id", () => {
    const index = indexOf(
      Array.from({ length: 20_000 }, (_, i) => `customer-${i}`),
      [],
    );
    const wrong = Array.from({ length: 20_000 }, (_, i) => `client-${i}`).filter((id) => holdsExample(index, id));
    expect(wrong).toEqual([]);
    expect(mayHold(index, { examples: [], predictions: [hashId("customer-1")] })).toBe(false);
  });

  it("is not believed when a byte of it is wrong, or some are missing", () => {
    const bytes = indexBytes(indexOf(["a", "b"], ["c"]));
    for (let i = 0; i < bytes.length; i++) {
      const damaged = new Uint8Array(bytes);
      damaged[i] = (damaged[i] as number) ^ 0x10;
      expect(parseIndex(damaged)).toBeUndefined();
      expect(parseIndex(bytes.subarray(0, i))).toBeUndefined();
    }
  });

  it("is read once while it fits the cache, and again after it was pushed out", async () => {
    const folder = mkdtempSync(join(tmpdir(), "retrain-index-"));
    const path = (name: string) => join(folder, `${name}.idx`);
    const index = indexOf(["a", "b"], ["c"]);
    for (const name of ["one", "two"]) writeFileSync(path(name), indexBytes(index));
    const cache = new IndexCache(30);
    const first = await cache.load(path("one"));
    expect(first).toEqual(index);
    expect(await cache.load(path("one"))).toBe(first);
    await cache.load(path("two"));
    const again = await cache.load(path("one"));
    expect(again).toEqual(first);
    expect(again).not.toBe(first);
    expect(await cache.load(path("absent"))).toBeUndefined();
    rmSync(folder, { recursive: true, force: true });
  });
});
