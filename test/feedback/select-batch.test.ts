import { describe, expect, it } from "vitest";
import { createRandom, type LabelingTask, type SeededRandom } from "../../src/core/index.ts";
import { estimateFromTasks } from "../../src/feedback/labeled-estimate.ts";
import { selectBatch, type SelectionOptions, type SelectionPool } from "../../src/feedback/select-batch.ts";
import { wilsonInterval } from "../../src/stats/index.ts";

const options = (change: Partial<SelectionOptions> = {}): SelectionOptions => ({
  count: 50,
  randomShare: 0.2,
  sampling: "top",
  diversity: true,
  density: false,
  seed: 7,
  ...change,
});
function poolOf(rows: number, seed = 1, dimension = 3): SelectionPool & { readonly points: Float64Array } {
  const random = createRandom(seed);
  const points = Float64Array.from({ length: rows * dimension }, () => random.nextFloat() * 4 - 2);
  return {
    rows,
    points,
    acquisition: Float64Array.from({ length: rows }, () => random.nextFloat()),
    embed: (wanted) => ({
      dimension,
      values: Float64Array.from({ length: wanted.length * dimension }, (_, i) => {
        const row = wanted[Math.floor(i / dimension)] as number;
        return points[row * dimension + (i % dimension)] as number;
      }),
    }),
  };
}

describe("selectBatch", () => {
  it("draws the random share evenly first, then takes uncertain rows, none twice", () => {
    const pool = poolOf(1000);
    const picks = selectBatch(pool, options());
    expect(picks).toHaveLength(50);
    expect(new Set(picks.map(({ row }) => row)).size).toBe(50);
    const random = picks.slice(0, 10);
    expect(random.every(({ origin }) => origin === "random")).toBe(true);
    expect(random.map(({ probability }) => probability)).toEqual(Array.from({ length: 10 }, (_, i) => 1 / (1000 - i)));
    const chosen = picks.slice(10);
    expect(chosen.every(({ origin, probability }) => origin === "strategy" && probability === 1)).toBe(true);
    const values = [...(pool.acquisition as Float64Array)].sort((a, b) => b - a);
    // Three candidates a pick: nothing from further down.
    for (const { acquisition } of chosen) expect(acquisition).toBeGreaterThanOrEqual(values[130] as number);
  });

  it("gives every row the same chance in the random share", () => {
    const counts = new Uint32Array(20);
    for (let seed = 0; seed < 2000; seed++) {
      const picks = selectBatch(poolOf(20, 3), options({ count: 5, randomShare: 1, seed }));
      for (const { row } of picks) counts[row] = (counts[row] as number) + 1;
    }
    // Binomial(2000, 1/4): 500 ± 4.5 standard deviations of 19.4.
    for (const count of counts) expect(Math.abs(count - 500)).toBeLessThan(88);
  });

  it("puts no two near-duplicates into the strategy's part, and fills up from further down", () => {
    const pool = poolOf(300);
    // The most uncertain hundred rows are one point, told apart by less than anybody could see.
    for (let row = 0; row < 100; row++) {
      (pool.acquisition as Float64Array)[row] = 2 + row / 1000;
      pool.points.set([1, 1, 1 + row * 1e-6], row * 3);
    }
    const picks = selectBatch(pool, options({ count: 40, randomShare: 0 }));
    expect(picks).toHaveLength(40);
    expect(picks.filter(({ row }) => row < 100)).toHaveLength(1);
    const plain = selectBatch(pool, options({ count: 40, randomShare: 0, diversity: false }));
    expect(plain.every(({ row }) => row < 100)).toBe(true);
  });

  it("asks for fewer where everything left is the same question", () => {
    const pool = poolOf(60);
    pool.points.fill(1);
    expect(selectBatch(pool, options({ count: 30, randomShare: 0 }))).toHaveLength(1);
  });

  it("prefers crowds to outliers where density counts", () => {
    const pool = poolOf(200);
    (pool.acquisition as Float64Array).fill(0.5);
    (pool.acquisition as Float64Array)[0] = 0.52;
    pool.points.set([90, -90, 90], 0);
    const picked = (density: boolean) =>
      selectBatch(pool, options({ count: 5, randomShare: 0, diversity: false, density })).some(({ row }) => row === 0);
    expect(picked(false)).toBe(true);
    expect(picked(true)).toBe(false);
  });

  it("spreads over the data at a cold start, the same for the same seed", () => {
    const { acquisition: _, ...pool } = poolOf(400);
    const picks = selectBatch(pool, options({ count: 30 }));
    expect(picks).toHaveLength(30);
    expect(selectBatch(pool, options({ count: 30 }))).toEqual(picks);
    expect(selectBatch(pool, options({ count: 30, seed: 8 }))).not.toEqual(picks);
  });

  it("never picks more than there is", () => {
    expect(selectBatch(poolOf(7), options())).toHaveLength(7);
    expect(selectBatch({ ...poolOf(1), rows: 0 }, options())).toEqual([]);
  });
});

describe("performance from labels people were asked for", () => {
  /** A pool whose uncertain rows are the wrong ones, and the answers to a batch of it, as tasks. */
  function labelled(random: SeededRandom, seed: number, change: Partial<SelectionOptions>) {
    const rows = 2000;
    const acquisition = Float64Array.from({ length: rows }, () => random.nextFloat());
    const isWrong = Array.from(acquisition, (value) => random.nextFloat() < 0.02 + 0.4 * value * value);
    const embed = (wanted: Uint32Array) => ({ dimension: 1, values: Float64Array.from(wanted) });
    const picks = selectBatch({ rows, acquisition, embed }, options({ count: 300, diversity: false, seed, ...change }));
    const tasks = picks.map(
      ({ row, origin, probability }, i) =>
        ({
          batchId: "b",
          origin,
          pick: i + 1,
          selectionProbability: probability,
          poolSize: rows,
          decision: true,
          answer: isWrong[row] !== true,
        }) as LabelingTask,
    );
    return { tasks, truth: isWrong.filter(Boolean).length / rows };
  }
  const SEEDS = 120;
  const coverage = (change: Partial<SelectionOptions>) => {
    const random = createRandom(99);
    let covered = 0;
    let naive = 0;
    for (let seed = 0; seed < SEEDS; seed++) {
      const { tasks, truth } = labelled(random, seed, change);
      const { interval } = estimateFromTasks(tasks);
      if (interval !== null && interval[0] <= truth && truth <= interval[1]) covered++;
      const wrong = tasks.filter(({ decision, answer }) => decision !== answer).length;
      const [low, high] = wilsonInterval(wrong, tasks.length);
      if (low <= truth && truth <= high) naive++;
    }
    return { covered: covered / SEEDS, naive: naive / SEEDS };
  };

  // 500 seeds and 93 % are the bench's; 120 seeds of a 95 % interval stay above 0.89 but once in a thousand.
  it("covers the truth by the random share alone, where all labels together miss it", () => {
    const { covered, naive } = coverage({ sampling: "top" });
    expect(covered).toBeGreaterThan(0.89);
    expect(naive).toBeLessThan(0.05);
  });

  it("covers the truth by weighted draws, all labels used", () => {
    const { covered, naive } = coverage({ sampling: "weighted", randomShare: 0.1 });
    expect(covered).toBeGreaterThan(0.89);
    expect(naive).toBeLessThan(0.6);
  });

  it("says which labels it left out, and nothing where there are none", () => {
    const { tasks } = labelled(createRandom(1), 1, {});
    expect(estimateFromTasks(tasks)).toMatchObject({ metric: "errorRate", labels: 60, leftOut: 240 });
    expect(estimateFromTasks([])).toEqual({ metric: "errorRate", value: null, interval: null, labels: 0, leftOut: 0 });
    const numbers = [1, 2, 4].map((value, i) => ({ ...tasks[i], batchId: "n", decision: value, answer: 1 }));
    expect(estimateFromTasks(numbers as LabelingTask[])).toMatchObject({ metric: "mae", value: 4 / 3 });
  });
});
