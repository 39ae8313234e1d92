// Wide features where distributions are counted: what stands for them, and that a shift of theirs shows.
import { describe, expect, it } from "vitest";
import { createRandom, type SeededRandom } from "../../src/core/index.ts";
import {
  buildReferenceProfile,
  countFrame,
  encodeVector,
  type Frame,
  frameOfGrid,
  layoutOf,
  partName,
  profiledFrame,
  profileFrame,
  summaryColumns,
  wideCell,
} from "../../src/data/index.ts";
import { compareProfiles } from "../../src/monitor/index.ts";

const SIZE = 24;
const everyRow = (frame: Frame) => Uint32Array.from({ length: frame.rows }, (_, i) => i);

interface World {
  readonly words?: readonly string[];
  readonly length?: number;
  /** Added to every number of the vector, with alternating sign. */
  readonly shift?: number;
  readonly scale?: number;
}
const WORDS = ["late", "broken", "refund", "thanks", "price", "blue", "size", "delivery", "again", "never"];

function normal(random: SeededRandom): number {
  return Math.sqrt(-2 * Math.log(1 - random.nextFloat())) * Math.cos(2 * Math.PI * random.nextFloat());
}

function frameOf(seed: number, rows: number, world: World = {}): Frame {
  const random = createRandom(seed);
  const words = world.words ?? WORDS;
  const texts = Array.from({ length: rows }, () => {
    if (random.nextFloat() < 0.05) return null;
    const count = 1 + Math.floor(random.nextFloat() * (world.length ?? 8));
    return Array.from({ length: count }, () => words[Math.floor(random.nextFloat() * words.length)]).join(" ");
  });
  const values = new Float32Array(rows * SIZE);
  for (let i = 0; i < values.length; i++)
    values[i] = normal(random) * (world.scale ?? 1) + (i % SIZE < SIZE / 2 ? 1 : -1) * (world.shift ?? 0);
  return {
    rows,
    columns: [{ kind: "number", name: "x", values: Float32Array.from({ length: rows }, () => normal(random)) }],
    wide: [
      { kind: "text", name: "note", values: texts },
      { kind: "vector", name: "embedding", size: SIZE, values },
    ],
  };
}

const reportOf = (world: World, rows = 1_500) => {
  const before = frameOf(1, 4_000);
  const reference = buildReferenceProfile(before, everyRow(before));
  const now = profiledFrame(frameOf(2, rows, world));
  return compareProfiles(reference, profileFrame(reference, now, everyRow(now)));
};
const drifted = (world: World) =>
  reportOf(world)
    .features.filter((one) => one.verdict === "drift")
    .map((one) => one.feature)
    .sort();

describe("what stands for a wide feature", () => {
  it("is a text's length and one of its words, drawn by the text itself", () => {
    const [length, word] = summaryColumns({
      kind: "text",
      name: "note",
      values: ["Über die Brücke", null, "...", "Über die Brücke", ""],
    });
    expect(length).toMatchObject({
      kind: "number",
      name: "note · length",
      values: Float32Array.of(15, Number.NaN, 3, 15, 0),
    });
    if (word?.kind !== "category") throw new Error("The word is a category.");
    expect([...word.codes]).toEqual([0, -1, -1, 0, -1]);
    expect(["über", "die", "brücke"]).toContain(word.dictionary[0]);
  });

  it("is a vector's norm and its products with signs that are the same everywhere", () => {
    const values = Float32Array.of(3, 4, 0, 0, Number.NaN, Number.NaN, Number.NaN, Number.NaN);
    const parts = summaryColumns({ kind: "vector", name: "e", size: 4, values });
    expect(parts.map(({ name }) => name)).toEqual(
      ["norm", "direction 1", "direction 2", "direction 3", "direction 4"].map((part) => partName("e", part as "norm")),
    );
    const first = parts.map((part) => (part.kind === "number" ? part.values[0] : undefined));
    expect(first[0]).toBe(5);
    // ±3/2 ±4/2
    for (const product of first.slice(1)) expect([3.5, 0.5, -0.5, -3.5]).toContain(product);
    expect(parts.every((part) => part.kind === "number" && Number.isNaN(part.values[1]))).toBe(true);
    const again = summaryColumns({ kind: "vector", name: "other", size: 4, values });
    expect(again.map((part) => (part.kind === "number" ? part.values[0] : undefined))).toEqual(first);
  });

  it("is counted the same from a frame and from the rows as they are stored", () => {
    const frame = frameOf(3, 500);
    const reference = buildReferenceProfile(frame, everyRow(frame));
    const names = reference.grid.map(({ name }) => name);
    expect(names).toEqual([
      "x",
      "note · length",
      "note · word",
      ...["norm", "direction 1", "direction 2", "direction 3", "direction 4"].map((part) => `embedding · ${part}`),
    ]);
    const [note, embedding] = frame.wide ?? [];
    const x = frame.columns[0];
    if (note === undefined || embedding?.kind !== "vector" || x?.kind !== "number")
      throw new Error("The frame is another.");
    const rows = Array.from({ length: frame.rows }, (_, i) => ({
      x: x.values[i] as number,
      note: wideCell(note, i),
      embedding: encodeVector(embedding.values.subarray(i * SIZE, (i + 1) * SIZE)),
    }));
    const layout = layoutOf(reference.grid);
    const fromFrame = countFrame(layout, reference.rare, profiledFrame(frame));
    expect(countFrame(layout, reference.rare, frameOfGrid(reference.grid, rows))).toEqual(fromFrame);
  });

  it("gives way to a plain column of the same name", () => {
    const frame = frameOf(3, 10);
    const values = new Float32Array(10);
    const plain: Frame = { ...frame, columns: [{ kind: "number", name: "note · length", values }] };
    const names = profiledFrame(plain).columns.map(({ name }) => name);
    expect(names.filter((name) => name === "note · length")).toHaveLength(1);
  });
});

describe("drift of wide features", () => {
  it("is not found where nothing moved", () => {
    expect(reportOf({})).toMatchObject({ verdict: "no-drift" });
  });

  it.each<[string, World, readonly string[]]>([
    ["other words", { words: [...WORDS.slice(0, 6), "lawyer", "court"] }, ["note · word"]],
    ["longer texts", { length: 20 }, ["note · length"]],
    ["a larger scale", { scale: 1.4 }, ["embedding · norm"]],
  ])("names the part that moved: %s", (_, world, parts) => {
    expect(drifted(world)).toEqual(expect.arrayContaining([...parts]));
    expect(drifted(world).every((name) => name.startsWith(parts[0]?.split(" ")[0] ?? ""))).toBe(true);
  });

  it("is found where every number of a vector moves a little", () => {
    expect(drifted({ shift: 0.6 }).some((name) => name.startsWith("embedding · direction"))).toBe(true);
  });

  it("weighs a wide feature once, whichever of its parts moved", () => {
    const before = frameOf(1, 4_000);
    const reference = {
      ...buildReferenceProfile(before, everyRow(before)),
      importance: { x: 0.55, note: 0.4, embedding: 0.05 },
    };
    const of = (world: World) => {
      const now = profiledFrame(frameOf(2, 1_500, world));
      return compareProfiles(reference, profileFrame(reference, now, everyRow(now)));
    };
    const both = of({ words: ["lawyer", "court"], length: 25 });
    expect(both.features.filter((one) => one.verdict === "drift").map((one) => one.importance)).toEqual([0.4, 0.4]);
    expect(both).toMatchObject({ verdict: "drift", share: 0.4 });
    // A twentieth of the answers is not enough for the whole.
    expect(of({ scale: 1.6 })).toMatchObject({ verdict: "no-drift", share: 0.05 });
  });
});
