/** Rows of a commit in blocks. */
import { describe, expect, it } from "vitest";
import type { AppendRequest } from "../../src/core/index.ts";
import { BLOCK_ROWS, blocksOf, COMMIT_SEQS, encodeRequest } from "../../src/storage/log/block.ts";
import { observation } from "./support/events.ts";

const some = (model: string, count: number, more: Partial<AppendRequest> = {}): AppendRequest => ({
  model,
  events: Array.from({ length: count }, (_, i) => observation(`e${i}`)),
  ...more,
});
const shapeOf = (...requests: AppendRequest[]) =>
  blocksOf(requests.map(encodeRequest)).map(({ model, offset, rows, parts }) => [
    model,
    offset,
    rows,
    parts.reduce((sum, part) => sum + part.bodies.split("\n").length, 0),
  ]);

describe("blocks of rows", () => {
  it("hold neighbors of one model up to their limit, numbered through the commit", () => {
    expect(shapeOf(some("a", 1), some("a", 2), some("b", 1), some("a", 1))).toEqual([
      ["a", 0, 3, 3],
      ["b", 3, 1, 1],
      ["a", 4, 1, 1],
    ]);
    expect(shapeOf(some("a", 600), some("a", 40))).toEqual([
      ["a", 0, BLOCK_ROWS, BLOCK_ROWS],
      ["a", 250, BLOCK_ROWS, BLOCK_ROWS],
      ["a", 500, 140, 140],
    ]);
  });

  it("keep imported rows apart from others, and large rows from each other", () => {
    const imported = some("a", 2, { knownAt: [1, 2] });
    expect(shapeOf(some("a", 1), imported, some("a", 1)).map(([, offset, rows]) => [offset, rows])).toEqual([
      [0, 1],
      [1, 2],
      [3, 1],
    ]);
    const large = { model: "a", events: [1, 2, 3].map((i) => observation(`e${i}`, { job: "x".repeat(300_000) })) };
    expect(shapeOf(large).map(([, , rows]) => rows)).toEqual([1, 1, 1]);
  });

  it("are refused for more rows than a commit has numbers", () => {
    const event = observation("e");
    const events = { length: COMMIT_SEQS + 1, [Symbol.iterator]: () => [event][Symbol.iterator]() };
    expect(() => encodeRequest({ model: "a", events: events as never })).toThrow(
      /1048577 rows is larger than a commit/,
    );
  });
});
