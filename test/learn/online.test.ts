/** Every trainer that learns row by row: it learns, stops and goes on to the same bits, and answers as a frozen copy would. */
import { describe, expect, it } from "vitest";
import { createRandom, type Task } from "../../src/core/index.ts";
import { type OnlineLearner, TRAINERS, type TrainedWeights, type TrainerKind } from "../../src/learn/index.ts";

const COLUMNS = 6;
function stream(task: Task, rows: number, seed: number) {
  const random = createRandom(seed);
  const values = Float32Array.from({ length: rows * COLUMNS }, () => random.nextFloat() * 2 - 1);
  const target = Float64Array.from({ length: rows }, (_, i) => {
    const [a, b] = [values[i * COLUMNS] as number, values[i * COLUMNS + 1] as number];
    if (task === "regression") return 50 + 10 * a - 5 * b + random.nextFloat();
    if (task === "binary") return random.nextFloat() < 1 / (1 + Math.exp(-5 * a)) ? 1 : 0;
    return a > 0.3 ? 2 : b > 0 ? 1 : 0;
  });
  return {
    x: { rows, columns: COLUMNS, values },
    y: { values: target, classCount: task === "regression" ? 0 : task === "binary" ? 2 : 3 },
  };
}
type Online = TrainerKind & { readonly online: NonNullable<TrainerKind["online"]> };
const learners = TRAINERS.filter((trainer): trainer is Online => trainer.online !== undefined);
const cases = learners.flatMap((trainer) => trainer.tasks.map((task) => [trainer.name, task, trainer] as const));

/** A version that knows the world the other way round, and rows of the right one. */
async function begin(trainer: Online, task: Task): Promise<TrainedWeights> {
  const data = stream(task, 200, 1);
  const turned = { ...data, x: { ...data.x, values: data.x.values.map((value) => -value) } };
  const signal = new AbortController().signal;
  const request = {
    task,
    train: turned,
    validation: turned,
    params: { epochs: 5 },
    seed: 1,
    signal,
    onPoint: async () => {},
  };
  return await trainer.fit(request);
}
const paramsOf = (trainer: Online) => ({
  ...trainer.resolveParams({}),
  ...(trainer.name === "mlp" ? { warmRate: 1 } : {}),
});

function lossOf(learner: OnlineLearner, task: Task, data: ReturnType<typeof stream>, learn: boolean): number {
  const out = new Float64Array(Math.max(1, data.y.classCount));
  let loss = 0;
  for (let i = 0; i < data.x.rows; i++) {
    learner.score(data.x.values, i * COLUMNS, out);
    const target = data.y.values[i] as number;
    loss +=
      task === "regression" ? Math.abs((out[0] as number) - target) : -Math.log(Math.max(1e-12, out[target] as number));
    if (learn) learner.partialFit(data.x.values, i * COLUMNS, target);
  }
  return loss / data.x.rows;
}

describe("learning row by row", () => {
  it("is offered by linear models and networks", () => {
    expect(learners.map(({ name }) => name).sort()).toEqual(["linear", "mlp"]);
  });

  it.each(cases)("%s learns a %s task that has turned around", async (_name, task, trainer) => {
    const learner = trainer.online(await begin(trainer, task), task, paramsOf(trainer));
    const before = lossOf(learner, task, stream(task, 400, 2), true);
    const after = lossOf(learner, task, stream(task, 400, 3), true);
    expect(after).toBeLessThan(0.8 * before);
  });

  it.each(cases)("%s stops and goes on to the same bits on a %s task", async (_name, task, trainer) => {
    const from = await begin(trainer, task);
    const data = stream(task, 300, 4);
    const params = { ...paramsOf(trainer), classWeights: "balanced" };
    const learn = (learner: OnlineLearner, start: number, end: number) => {
      for (let i = start; i < end; i++) learner.partialFit(data.x.values, i * COLUMNS, data.y.values[i] as number);
    };
    const whole = trainer.online(from, task, params);
    learn(whole, 0, 300);
    const first = trainer.online(from, task, params);
    learn(first, 0, 137);
    const second = trainer.online(first.state(), task, params);
    learn(second, 137, 300);
    expect(second.state()).toEqual(whole.state());
    expect(second.freeze().arrays).not.toEqual(from.arrays);
  });

  it.each(cases)(
    "%s answers a %s task as its frozen copy does, which later rows leave alone",
    async (_n, task, trainer) => {
      const learner = trainer.online(await begin(trainer, task), task, paramsOf(trainer));
      const data = stream(task, 50, 5);
      lossOf(learner, task, data, true);
      const frozen = learner.freeze();
      const kept = structuredClone(frozen);
      const own = new Float64Array(Math.max(1, data.y.classCount));
      const served = new Float64Array(own.length);
      for (let i = 0; i < 10; i++) {
        learner.score(data.x.values, i * COLUMNS, own);
        trainer.scorer(frozen, task)(data.x.values, i * COLUMNS, served);
        expect(own).toEqual(served);
      }
      lossOf(learner, task, data, true);
      expect(frozen).toEqual(kept);
    },
  );
});
