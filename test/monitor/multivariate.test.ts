// Rows as wholes. Bounds are binomial: with k simulations and a rate r, more than the stated count has a probability below 0.001.
import { describe, expect, it } from "vitest";
import { createRandom, type SeededRandom } from "../../src/core/index.ts";
import { buildReferenceProfile, type Frame, frameOfSample, profileFrame, sampleFrame } from "../../src/data/index.ts";
import { compareProfiles, multivariateDrift } from "../../src/monitor/index.ts";

const everyRow = (frame: Frame) => Uint32Array.from({ length: frame.rows }, (_, i) => i);
const normal = (random: SeededRandom) =>
  Math.sqrt(-2 * Math.log(1 - random.nextFloat())) * Math.cos(2 * Math.PI * random.nextFloat());

interface World {
  /** Of x0 and x1, both standard normal whatever it is. */
  readonly correlation: number;
  /** Share of rows in which the category follows the sign of x0. */
  readonly follows?: number;
  readonly shift?: number;
}

function frameOf(seed: number, rows: number, { correlation, follows = 0, shift = 0 }: World, columns = 6): Frame {
  const random = createRandom(seed);
  const values = Array.from({ length: columns }, () => new Float32Array(rows));
  const codes = new Int32Array(rows);
  const set = (column: number, row: number, value: number) => {
    (values[column] as Float32Array)[row] = value;
  };
  for (let row = 0; row < rows; row++) {
    const a = normal(random);
    set(0, row, a);
    set(1, row, correlation * a + Math.sqrt(1 - correlation * correlation) * normal(random));
    for (let i = 2; i < columns; i++) set(i, row, normal(random) + shift);
    const toss = random.nextFloat() < 0.5 ? 1 : 0;
    codes[row] = random.nextFloat() < follows ? Number(a > 0) : toss;
  }
  return {
    rows,
    columns: [
      ...values.map((own, i) => ({ kind: "number" as const, name: `x${i}`, values: own })),
      { kind: "category", name: "c", codes, dictionary: ["left", "right"] },
    ],
  };
}

const BASE: World = { correlation: 0.8 };

describe("rows as wholes", () => {
  it("show two columns that no longer go together, which no column alone shows", async () => {
    const before = frameOf(1, 600, BASE);
    const now = frameOf(2, 600, { correlation: -0.8 });
    const reference = buildReferenceProfile(before, everyRow(before));
    expect(compareProfiles(reference, profileFrame(reference, now, everyRow(now))).verdict).toBe("no-drift");

    const found = await multivariateDrift(before, now);
    expect(found).toMatchObject({ verdict: "drift", referenceRows: 600, currentRows: 600 });
    const { classifier, reconstruction } = found;
    expect(classifier).toMatchObject({ verdict: "drift", threshold: 0.55, thresholdFrom: "minimum effect" });
    expect(classifier.auc).toBeGreaterThan(0.7);
    expect(classifier.interval?.[0]).toBeLessThan(classifier.auc as number);
    expect(classifier.interval?.[1]).toBeGreaterThan(classifier.auc as number);
    expect(new Set(classifier.features.slice(0, 2).map(({ feature }) => feature))).toEqual(new Set(["x0", "x1"]));
    expect(classifier.features.slice(0, 2).reduce((sum, { share }) => sum + share, 0)).toBeGreaterThan(0.8);
    expect(classifier.reason).toMatch(/mostly by x[01], x[01]/);
    expect(reconstruction).toMatchObject({ verdict: "drift" });
    expect(reconstruction.value).toBeGreaterThan(0.2);
  });

  it("show relations that are not linear through the classifier alone", async () => {
    const found = await multivariateDrift(frameOf(3, 600, BASE), frameOf(4, 600, { ...BASE, follows: 0.9 }));
    expect(found.classifier.verdict).toBe("drift");
    expect(found.classifier.features[0]?.feature).toMatch(/^(c|x0)$/);
  });

  it("alarm no more often than the level where nothing moved, even without a minimum effect", async () => {
    let any = 0;
    const runs = 20;
    for (let seed = 0; seed < runs; seed++) {
      const before = frameOf(1_000 + seed, 200, BASE, 4);
      const now = frameOf(2_000 + seed, 200, BASE, 4);
      const found = await multivariateDrift(before, now, { minimumAuc: 0.5, minimumShift: 0, level: 0.1, seed });
      if (found.verdict === "drift") any++;
    }
    // Binomial(20, 0.1): more than 7 has the probability 0.0004.
    expect(any).toBeLessThanOrEqual(7);
  });

  it("see half a standard deviation in every column in each of five windows of 250 rows", async () => {
    for (let seed = 0; seed < 5; seed++) {
      const found = await multivariateDrift(
        frameOf(3_000 + seed, 250, BASE, 4),
        frameOf(4_000 + seed, 250, { ...BASE, shift: 0.5 }, 4),
      );
      expect(found.verdict).toBe("drift");
    }
  });

  it("cannot tell from too few rows, and say how many are missing", async () => {
    const found = await multivariateDrift(frameOf(5, 400, BASE), frameOf(6, 8, BASE));
    expect(found).toMatchObject({ verdict: "cannot-tell", rowsNeeded: 192, currentRows: 8 });
    expect(found.reason).toBe("8 rows are in the current window; 200 are needed to tell.");
    expect(found.classifier.auc).toBeNull();
    expect(found.reconstruction.value).toBeNull();
  });

  it("do not learn rows by heart that come again and again", async () => {
    // 60 customers a side, each with five equal rows: nothing but the customers tells the sides apart.
    const repeated = (seed: number): Frame => {
      const few = frameOf(seed, 60, BASE);
      const columns = few.columns.map((column) =>
        column.kind === "number"
          ? { ...column, values: Float32Array.from({ length: 300 }, (_, i) => column.values[i % 60] as number) }
          : column,
      );
      return { rows: 300, columns: columns.filter((column) => column.kind === "number") };
    };
    for (let seed = 0; seed < 4; seed++) {
      const { classifier } = await multivariateDrift(repeated(5_000 + seed), repeated(6_000 + seed));
      expect(classifier.verdict).not.toBe("drift");
    }
  });

  it("stand in a sample that reads back as it was, missing values and texts included", async () => {
    const frame = frameOf(7, 5_000, BASE);
    const first = frame.columns[0];
    if (first?.kind === "number") first.values[0] = Number.NaN;
    const sample = sampleFrame(frame, everyRow(frame));
    expect(sample.rows).toBe(2_000);
    const back = frameOfSample(JSON.parse(JSON.stringify(sample)));
    expect(back.columns.map(({ name, kind }) => [name, kind])).toEqual(
      frame.columns.map(({ name, kind }) => [name, kind]),
    );
    const value = (of: Frame, column: number, row: number) => {
      const one = of.columns[column];
      return one?.kind === "category" ? one.dictionary[one.codes[row] as number] : one?.values[row];
    };
    for (const row of [0, 1, 999, 1_999])
      for (const column of [0, 3, 6])
        expect(value(back, column, row)).toEqual(value(frame, column, Math.floor(row * 2.5)));
    const wide = sampleFrame(
      {
        rows: 5_000,
        columns: Array.from(
          { length: 400 },
          (_, i) => ({ ...frame.columns[1], name: `y${i}` }) as Frame["columns"][number],
        ),
      },
      everyRow(frame),
    );
    expect(wide.rows).toBe(250);
  });

  it("refuse settings out of their range and rows of other columns", async () => {
    const before = frameOf(8, 300, BASE);
    await expect(multivariateDrift(before, before, { level: 2 })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(multivariateDrift(before, before, { minRows: 10 })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(multivariateDrift(before, { rows: 300, columns: before.columns.slice(1) })).rejects.toMatchObject({
      code: "COLUMN_MISSING",
    });
  });
});
