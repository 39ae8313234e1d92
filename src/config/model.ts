/** One model's description, resolved. Rules that tie several fields together live here; single fields know their own. */
import { choiceField, type FieldPlace, fail, nearestWord, objectField, placeAt, refuse } from "../core/index.ts";
import { resolveLabeling } from "./labeling.ts";
import { resolveReview } from "./review.ts";
import { leafSpecs } from "../trigger/index.ts";
import { describeTrainer, frozenProblem } from "../learn/index.ts";
import type { Frequency } from "../data/calendar.ts";
import { resolveStrategy } from "./strategies.ts";
import { checkWeights, weightsOf } from "./row-weights.ts";
import { splitAggregates } from "./aggregate.ts";
import { modelTable, TASKS, withoutUndefined } from "./model-fields.ts";
import { checkRecommend, recommendFeatures } from "./recommend.ts";
import type { ModelSpec } from "./spec.ts";

const taskField = choiceField("What is predicted.", TASKS);

/** @throws CONFIG_INVALID, CONFIG_KEY_UNKNOWN, with all problems of the model in one error */
export function resolveModel(value: unknown, place: FieldPlace): ModelSpec {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw refuse(place, value, { rule: "a model made by defineModel({ … })", description: "" });
  const task = taskField.read((value as { task?: unknown }).task, placeAt(place, "task"));
  const read = objectField("A model.", modelTable(task)).read(value, place);
  const { window, holdout, validation, weights, minRows, refit } = read.data;
  const spec: ModelSpec = {
    name: read.name,
    schema: {
      task,
      ...withoutUndefined({ id: read.id, time: read.time, unit: read.unit }),
      labelColumn: read.labelColumn,
      ...(recommendFeatures(read) ?? featuresOf(read, place)),
      label: read.label,
      ...(read.ignore.length === 0 ? {} : { ignore: read.ignore }),
    } as ModelSpec["schema"],
    labelDelayMs: read.labelDelay,
    threshold: read.threshold ?? 0.5,
    trainer: read.trainer,
    data: {
      ...(typeof window === "number" ? { windowMs: window } : {}),
      ...(typeof window === "object" ? { windowRows: window.rows } : {}),
      holdout,
      validationShare: validation.share,
      ...(weights === undefined ? {} : { weights: weightsOf(weights) }),
      minRows,
      refit,
    },
    retrain: {
      when: read.retrain.when,
      ...resolveStrategy(read.retrain.how, read.trainer, place),
      maxChain: read.retrain.maxChain,
      cooldownMs: read.retrain.cooldown,
      maxPerDay: read.retrain.maxPerDay,
      stopAfterRejections: read.retrain.stopAfterRejections,
      ...(read.retrain.quietHours === undefined ? {} : { quietHours: read.retrain.quietHours }),
      runDurationMs: read.retrain.runDuration,
    },
    monitors: read.monitors,
    gates: read.gates,
    slices: read.slices,
    rollout: read.rollout,
    ...(read.review === undefined ? {} : { review: resolveReview(read.review) }),
    ...(read.labeling === undefined ? {} : { labeling: resolveLabeling(read.labeling) }),
    limits: {
      trainTimeoutMs: read.limits.trainTimeout,
      trainMemoryBytes: read.limits.trainMemoryMiB * 1_048_576,
    },
    seed: read.seed,
  };
  checkColumns(spec, place);
  checkRecommend(spec, place);
  checkGates(spec, place);
  checkPolicy(spec, place);
  return spec;
}

interface ReadFeatures {
  readonly features: ModelSpec["schema"]["features"];
  readonly series?: string | undefined;
  readonly horizon?: number | undefined;
  readonly frequency?: Frequency | undefined;
}

/** The series of a forecast is its first feature, so that it travels with every row, log column and dataset. */
function featuresOf(
  read: ReadFeatures,
  place: FieldPlace,
): Pick<ModelSpec["schema"], "features" | "forecast" | "aggregates"> {
  const { series, horizon, frequency, features } = read;
  const split = splitAggregates(features, place);
  if (series === undefined || horizon === undefined || frequency === undefined) return split;
  if (split.aggregates !== undefined) {
    throw wrong(
      `${place.path}.features.${split.aggregates[0]?.name}`,
      "is an aggregate, but a forecast makes its own lags and windows.",
      "Remove it.",
    );
  }
  if (features.some(({ name }) => name === series)) {
    throw wrong(
      `${place.path}.features.${series}`,
      "is the series of the forecast, which is a feature by itself.",
      "Remove it from `features`.",
    );
  }
  return {
    features: [{ name: series, spec: { kind: "category" } }, ...features],
    forecast: { series, horizon, frequency },
  };
}

function wrong(path: string, message: string, remedy: string) {
  return fail("CONFIG_INVALID", { message: `\`${path}\` ${message}`, remedy, details: { path } });
}

function checkColumns(spec: ModelSpec, place: FieldPlace): void {
  const { schema } = spec;
  const features = schema.features.map((feature) => feature.name);
  if (features.includes(schema.labelColumn)) {
    throw wrong(
      `${place.path}.features.${schema.labelColumn}`,
      `is the label column of the model: the answer would be among the questions.`,
      "Remove the feature, or name another `labelColumn`.",
    );
  }
  if (schema.forecast !== undefined && (schema.time === undefined || schema.id !== undefined)) {
    throw wrong(
      `${place.path}.${schema.time === undefined ? "time" : "id"}`,
      schema.time === undefined
        ? "is missing: a forecast needs the column of the period."
        : "is set, but an example of a forecast is named by its series and period.",
      schema.time === undefined ? 'Write `time: "day"`.' : "Remove it.",
    );
  }
  for (const key of ["id", "time", "unit"] as const) {
    if (schema[key] === schema.labelColumn)
      throw wrong(`${place.path}.${key}`, `is "${schema[key]}", which is the label column.`, "Name another column.");
  }
  for (const [i, slice] of spec.slices.entries()) {
    if (features.includes(slice)) continue;
    const near = nearestWord(slice, features);
    throw wrong(
      `${place.path}.slices[${i}]`,
      `is "${slice}", which is no feature.${near === undefined ? "" : ` Closest: "${near}".`}`,
      `Name one of ${features.slice(0, 20).join(", ")}${features.length > 20 ? ", …" : ""}.`,
    );
  }
}

/** Features that gates name: of slices and of probes, and a direction's must be a number. */
function checkGates(spec: ModelSpec, place: FieldPlace): void {
  const kinds = new Map(spec.schema.features.map((feature) => [feature.name, feature.spec.kind]));
  const check = (path: string, name: string, mustBeNumber = false) => {
    const kind = kinds.get(name);
    if (kind !== undefined && !(mustBeNumber && kind !== "number")) return;
    const near = nearestWord(name, kinds.keys());
    const problem = kind === undefined ? "which is no feature" : `which is a ${kind}; only a number can be added to`;
    throw wrong(
      `${place.path}.${path}`,
      `is "${name}", ${problem}.${near === undefined || kind !== undefined ? "" : ` Closest: "${near}".`}`,
      `Name one of ${[...kinds.keys()].slice(0, 20).join(", ")}.`,
    );
  };
  spec.gates.forEach((gate, i) => {
    if (gate.kind === "slices") gate.features?.forEach((name, j) => check(`gates[${i}].features[${j}]`, name));
    if (gate.kind !== "probes") return;
    gate.golden.forEach(({ row }, j) => {
      for (const name of Object.keys(row)) check(`gates[${i}].golden[${j}].row`, name);
    });
    gate.invariances.forEach(({ feature }, j) => check(`gates[${i}].invariances[${j}].feature`, feature));
    gate.directions.forEach(({ feature }, j) => check(`gates[${i}].directions[${j}].feature`, feature, true));
  });
}

function checkPolicy(spec: ModelSpec, place: FieldPlace): void {
  const { holdout } = spec.data;
  const rowsOnly = spec.gates.findIndex(
    ({ kind }) => kind === "probes" || kind === "calibration" || kind === "latency",
  );
  if (spec.schema.forecast !== undefined && (rowsOnly >= 0 || spec.labeling !== undefined)) {
    throw wrong(
      rowsOnly >= 0 ? `${place.path}.gates[${rowsOnly}]` : `${place.path}.labeling`,
      "is about single rows; a forecast answers histories, and its values arrive by themselves.",
      "Remove it.",
    );
  }
  const staged = spec.rollout.findIndex(({ kind }) => kind !== "full");
  if (spec.schema.forecast !== undefined && staged >= 0) {
    throw wrong(
      `${place.path}.rollout[${staged}]`,
      `is "${spec.rollout[staged]?.kind}", which splits traffic row by row; a forecast is asked series by series.`,
      "Leave `rollout` out: a forecast goes live with its gates.",
    );
  }
  if (holdout.minRows > holdout.maxRows) {
    throw wrong(
      `${place.path}.data.holdout`,
      `has minRows ${holdout.minRows} above maxRows ${holdout.maxRows}.`,
      "Lower `minRows` or raise `maxRows`.",
    );
  }
  if (spec.data.minRows <= holdout.minRows) {
    throw wrong(
      `${place.path}.data.minRows`,
      `is ${spec.data.minRows}, but the holdout takes at least ${holdout.minRows} of them, which leaves none to train on.`,
      "Raise `data.minRows`, or lower `data.holdout.minRows`.",
    );
  }
  checkWeights(spec, place.path);
  checkTriggers(spec, place);
  if (spec.data.refit && spec.schema.forecast !== undefined) {
    throw wrong(
      `${place.path}.data.refit`,
      "is true, but a forecast starts from the newest values anyway; only its recipe is older.",
      "Remove it.",
    );
  }
  checkStrategy(spec, place);
}

/** Trainers offer strategies; `best` asks each of its own. */
function checkStrategy(spec: ModelSpec, place: FieldPlace): void {
  const { how, best, transfer } = spec.retrain;
  const path = `${place.path}.retrain.how`;
  if (best !== undefined && (spec.schema.task === "forecast" || spec.schema.task === "recommend"))
    throw wrong(path, `is "best", which a model of the task ${spec.schema.task} cannot do.`, 'Write "full".');
  if (transfer?.from.model === spec.name)
    throw wrong(
      path,
      `transfers from ${spec.name}, the model itself.`,
      'Write "warm-start" to go on from its own version.',
    );
  const ways = best?.of ?? [{ how, trainer: spec.trainer }];
  for (const way of ways) {
    const trainer = describeTrainer(way.trainer.name);
    if (trainer.strategies.includes(way.how as (typeof trainer.strategies)[number])) continue;
    throw wrong(
      path,
      `is "${way.how}", but the trainer "${trainer.name}" can only do ${trainer.strategies.join(", ")}.`,
      `Write ${trainer.strategies.map((one) => `"${one}"`).join(" or ")}, or choose another trainer.`,
    );
  }
  if (transfer !== undefined) checkFreeze(transfer.freeze, spec, path);
}

function checkFreeze(freeze: readonly string[], spec: ModelSpec, path: string): void {
  const hidden = spec.trainer.params["hidden"];
  if (!Array.isArray(hidden)) return;
  const names = hidden.map((_, i) => `hidden${i + 1}`);
  const problem = frozenProblem(freeze, names);
  if (problem !== undefined) throw wrong(path, problem, `Name some of ${names.join(", ")}.`);
}

/** Triggers that read a monitor need the monitor, and features there are. */
function checkTriggers(spec: ModelSpec, place: FieldPlace): void {
  const path = `${place.path}.retrain.when`;
  const features = spec.schema.features.map((feature) => feature.name);
  for (const leaf of leafSpecs(spec.retrain.when)) {
    if (leaf.kind === "conceptDrift" && spec.monitors.conceptDrift === null) {
      throw wrong(
        path,
        "waits for concept drift, but `monitors.conceptDrift` is false.",
        "Turn the monitor on, or remove the trigger.",
      );
    }
    const unknown = leaf.kind === "dataDrift" ? leaf.features?.find((name) => !features.includes(name)) : undefined;
    if (unknown === undefined) continue;
    const near = nearestWord(unknown, features);
    throw wrong(
      path,
      `waits for data drift of "${unknown}", which is no feature.${near === undefined ? "" : ` Closest: "${near}".`}`,
      `Name one of ${features.slice(0, 20).join(", ")}${features.length > 20 ? ", …" : ""}.`,
    );
  }
}
