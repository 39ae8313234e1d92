import { describe, expect, it } from "vitest";
import { createRandom } from "../../src/core/index.ts";
import { cellCount, cellName, cellOf, type FeatureNote, featureMoves, sliceNotes } from "../../src/monitor/index.ts";

const age: FeatureNote = {
  feature: "age",
  kind: "number",
  cuts: [30, 60],
  importance: 0.7,
  cells: [
    { share: 0.5, meanLoss: 0.2, rows: 500 },
    { share: 0.4, meanLoss: 0.4, rows: 400 },
    { share: 0.1, meanLoss: 1, rows: 100 },
    { share: 0, meanLoss: null, rows: 0 },
  ],
};
const job: FeatureNote = {
  feature: "job",
  kind: "category",
  categories: ["clerk", "nurse"],
  importance: 0.3,
  cells: [
    { share: 0.6, meanLoss: 0.36, rows: 600 },
    { share: 0.4, meanLoss: 0.36, rows: 400 },
    { share: 0, meanLoss: null, rows: 0 },
    { share: 0, meanLoss: null, rows: 0 },
  ],
};
const rows = (count: number, ages: readonly number[], jobs: readonly string[]) =>
  Array.from({ length: count }, (_, i) => ({
    age: ages[i % ages.length] as number,
    job: jobs[i % jobs.length] as string,
  }));

describe("cells of a feature", () => {
  it("hold every value once, the missing ones last", () => {
    expect([29, 30, 30.1, 60, 61, null, undefined].map((value) => cellOf(age, value))).toEqual([0, 0, 1, 1, 2, 3, 3]);
    expect(["clerk", "nurse", "farmer", null].map((value) => cellOf(job, value))).toEqual([0, 1, 2, 3]);
    const flag = { feature: "owns", kind: "boolean" } as const;
    expect([false, true, null].map((value) => cellOf(flag, value))).toEqual([0, 1, 2]);
    expect([age, job, flag].map(cellCount)).toEqual([4, 4, 3]);
  });

  it("have names a person can read", () => {
    expect([0, 1, 2, 3].map((cell) => cellName(age, cell))).toEqual([
      "age ≤ 30",
      "30 < age ≤ 60",
      "age > 60",
      "age is missing",
    ]);
    expect([1, 2, 3].map((cell) => cellName(job, cell))).toEqual(["job=nurse", "job=other", "job is missing"]);
  });
});

describe("a diagnosis", () => {
  it("does not call chance a move, however many cells there are", () => {
    const random = createRandom(11);
    const categories = Array.from({ length: 10 }, (_, i) => `c${i}`);
    const draw = () => `c${Math.floor(random.nextFloat() * 11)}`;
    let moved = 0;
    for (let one = 0; one < 200; one++) {
      const held = new Float64Array(12);
      const note: FeatureNote = { feature: "town", kind: "category", categories, importance: 1, cells: [] };
      for (let i = 0; i < 500; i++) {
        const cell = cellOf(note, draw());
        held[cell] = (held[cell] as number) + 1;
      }
      const cells = Array.from(held, (count) => ({ share: count / 500, meanLoss: 0.3, rows: count }));
      const now = Array.from({ length: 1_000 }, () => ({ town: draw() }));
      if (featureMoves([{ ...note, cells }], now)[0]?.moved === true) moved++;
    }
    expect(moved).toBeLessThanOrEqual(4);
  });

  it("ranks what moved by what it costs: change of share times loss in the cell", () => {
    // Ages: 0.2, 0.3 and 0.5 now. Cost: −0.3 · (0.2 − 0.36) − 0.1 · (0.4 − 0.36) + 0.4 · (1 − 0.36).
    const now = rows(1_000, [20, 20, 40, 40, 40, 70, 70, 70, 70, 70], ["clerk", "nurse"]);
    const [first, second] = featureMoves([job, age], now);
    expect(first).toMatchObject({ feature: "age", moved: true });
    expect(first?.effect).toBeCloseTo(0.048 - 0.004 + 0.256, 10);
    expect(first?.distance).toBeCloseTo(0.4, 10);
    expect(first?.cells[0]).toEqual({ cell: "age > 60", before: 0.1, now: 0.5, loss: 1 });
    expect(second).toMatchObject({ feature: "job", moved: true });
    expect(second?.effect).toBeCloseTo(0, 10);
  });

  it("calls nothing moved that is noise, and does not add up what was never measured", () => {
    const random = createRandom(3);
    const drawn = Array.from({ length: 300 }, () => {
      const u = random.nextFloat();
      return { age: u < 0.5 ? 20 : u < 0.9 ? 40 : 70, job: random.nextFloat() < 0.6 ? "clerk" : "nurse" };
    });
    expect(featureMoves([age, job], drawn).map((one) => one.moved)).toEqual([false, false]);
    const unseen = featureMoves([job], rows(200, [20], ["farmer"]))[0];
    expect(unseen).toMatchObject({ moved: true, distance: 1 });
    expect(unseen?.effect).toBeCloseTo(0, 10);
    expect(unseen?.cells[0]).toMatchObject({ cell: "job=other", now: 1, loss: null });
    expect(featureMoves([age], [])).toEqual([]);
  });

  it("slices by the features named, or else by those that matter", () => {
    expect(sliceNotes([age, job], ["job"]).map((note) => note.feature)).toEqual(["job"]);
    const idle = { ...job, feature: "idle", importance: 0 };
    expect(sliceNotes([idle, job, age], []).map((note) => note.feature)).toEqual(["age", "job"]);
  });
});
