// What reviews and audits say about a version together: the truth within the interval, where the labels as they come miss it.
import { describe, expect, it } from "vitest";
import { createRandom, type LabelingTask } from "../../src/core/index.ts";
import { estimateFromReviews } from "../../src/feedback/reviewed-estimate.ts";
import { wilsonInterval } from "../../src/stats/index.ts";

const taskOf = (origin: "review" | "audit", probability: number, isRight?: boolean) =>
  ({
    origin,
    selectionProbability: probability,
    decision: true,
    ...(isRight === undefined ? {} : { answer: isRight }),
  }) as LabelingTask;

describe("performance from reviews and audits", () => {
  it("weighs each label by the inverse of its probability", () => {
    const tasks = [
      ...Array.from({ length: 40 }, (_, i) => taskOf("review", 1, i >= 10)),
      ...Array.from({ length: 24 }, (_, i) => taskOf("audit", 0.1, i >= 6)),
      // Asked, and not answered yet: like the others of their kind.
      ...Array.from({ length: 12 }, () => taskOf("audit", 0.1)),
    ];
    const found = estimateFromReviews(tasks);
    expect(found).toMatchObject({
      answers: 400,
      reviewed: { asked: 40, labelled: 40, wrong: 10 },
      audited: { asked: 36, labelled: 24, wrong: 6 },
    });
    // A quarter of 40 and a quarter of 360.
    expect(found.value).toBeCloseTo(0.25, 12);
    const more = estimateFromReviews([...tasks, ...Array.from({ length: 80 }, () => taskOf("review", 1, false))]);
    expect(more.value).toBeCloseTo((90 + 90) / 480, 12);
  });

  it("gives an interval where the audit found no error, and no value where nothing was audited", () => {
    const reviews = Array.from({ length: 20 }, (_, i) => taskOf("review", 1, i >= 8));
    const clean = estimateFromReviews([...reviews, ...Array.from({ length: 30 }, () => taskOf("audit", 0.02, true))]);
    expect(clean.value).toBeCloseTo(8 / 1520, 12);
    expect(clean.interval?.[1]).toBeGreaterThan(0.1);
    expect(estimateFromReviews(reviews)).toMatchObject({ value: null, interval: null });
    expect(estimateFromReviews(reviews).reason).toMatch(/^No confident answer was audited/);
    expect(estimateFromReviews([...reviews, taskOf("audit", 0.02)]).reason).toBe("None of 1 audits has a label yet.");
  });

  it("covers the truth in at least 93 % of 500 streams without bias, where the labels as they come miss it", () => {
    const seeds = 500;
    const rows = 4_000;
    let covered = 0;
    let naive = 0;
    let sum = 0;
    let squares = 0;
    for (let seed = 0; seed < seeds; seed++) {
      const random = createRandom(10_000 + seed);
      const audit = 0.05;
      const tasks: LabelingTask[] = [];
      let wrongAnswers = 0;
      for (let i = 0; i < rows; i++) {
        const confidence = 0.5 + 0.5 * Math.sqrt(random.nextFloat());
        const isRight = random.nextFloat() < 0.55 + 0.45 * (1 - 4 * (1 - confidence) * (1 - confidence));
        if (!isRight) wrongAnswers++;
        const isUncertain = confidence < 0.7;
        if (!isUncertain && random.nextFloat() >= audit) continue;
        // Some reviews pass their deadline, some audits wait: nobody says whether they were right.
        const isSilent = random.nextFloat() < 0.2;
        tasks.push(taskOf(isUncertain ? "review" : "audit", isUncertain ? 1 : audit, isSilent ? undefined : isRight));
      }
      const truth = wrongAnswers / rows;
      const { value, interval } = estimateFromReviews(tasks);
      const [low, high] = interval as readonly [number, number];
      if (low <= truth && truth <= high) covered++;
      sum += (value as number) - truth;
      squares += ((value as number) - truth) ** 2;
      const labelled = tasks.filter((task) => task.answer !== undefined);
      const [from, to] = wilsonInterval(labelled.filter((task) => task.answer === false).length, labelled.length);
      if (from <= truth && truth <= to) naive++;
    }
    expect(covered / seeds).toBeGreaterThanOrEqual(0.93);
    expect(covered / seeds).toBeLessThan(0.99);
    expect(naive / seeds).toBeLessThan(0.05);
    const error = Math.sqrt(squares / seeds / seeds);
    expect(Math.abs(sum / seeds)).toBeLessThan(3 * error);
  });
});
