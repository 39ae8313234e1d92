/** `data.weights`: how much rows weigh in training. */
import { durationField, fail, nearestWord, objectField, optional, textField } from "../core/index.ts";
import type { RowWeightsSpec } from "../data/row-weights.ts";
import { ALL_TRAINERS, describeTrainer } from "../learn/index.ts";
import type { ModelSpec } from "./spec.ts";

export const rowWeightsField = objectField("How much rows weigh in training; judgements count them alike.", {
  halfLife: optional(durationField("A row this much older than the newest one weighs half as much.", { min: "1m" })),
  feature: optional(textField("A number feature that rows weigh by.")),
});

export function weightsOf(read: {
  readonly halfLife?: number | undefined;
  readonly feature?: string | undefined;
}): RowWeightsSpec {
  return {
    ...(read.halfLife === undefined ? {} : { halfLifeMs: read.halfLife }),
    ...(read.feature === undefined ? {} : { feature: read.feature }),
  };
}

/** Weights need something to weigh by, and a trainer that listens. @throws CONFIG_INVALID */
export function checkWeights(spec: ModelSpec, modelPath: string): void {
  const { weights } = spec.data;
  const path = `${modelPath}.data.weights`;
  if (weights === undefined) return;
  if (weights.halfLifeMs === undefined && weights.feature === undefined)
    throw wrong(path, "is empty: nothing says how much a row weighs.", 'Write { halfLife: "90d" }, or remove it.');
  const numbers = spec.schema.features.filter((one) => one.spec.kind === "number").map(({ name }) => name);
  if (weights.feature !== undefined && !numbers.includes(weights.feature)) {
    const near = nearestWord(weights.feature, numbers);
    throw wrong(
      `${path}.feature`,
      `is "${weights.feature}", which is no number feature.${near === undefined ? "" : ` Closest: "${near}".`}`,
      numbers.length === 0 ? "Remove it." : `Name one of ${numbers.slice(0, 20).join(", ")}.`,
    );
  }
  for (const { trainer } of spec.retrain.best?.of ?? [spec]) {
    if (describeTrainer(trainer.name).takesWeights === true) continue;
    const able = ALL_TRAINERS.filter((one) => one.takesWeights === true && one.tasks.includes(spec.schema.task));
    throw wrong(
      path,
      `is set, but the trainer "${trainer.name}" counts every row alike.`,
      able.length === 0 ? "Remove it." : `Remove it, or train one of ${able.map(({ name }) => name).join(", ")}.`,
    );
  }
}

function wrong(path: string, message: string, remedy: string) {
  return fail("CONFIG_INVALID", { message: `\`${path}\` ${message}`, remedy, details: { path } });
}
