/** What a model's description may hold, with every default; the tables depend on the task. */
import { rowWeightsField } from "./row-weights.ts";
import {
  booleanField,
  choiceField,
  durationField,
  type Field,
  type FieldPlace,
  fail,
  listField,
  numberField,
  objectField,
  optional,
  placeAt,
  RetrainError,
  refuse,
  type Task,
  textField,
  throwTogether,
  variantField,
  withDefault,
  plural,
} from "../core/index.ts";
import { FREQUENCIES } from "../data/calendar.ts";
import type { FeatureSpec, LabelSpec } from "../data/schema.ts";
import { aggregateTable } from "./aggregate.ts";
import { gateField } from "../evaluate/index.ts";
import { quietHoursField, triggerField } from "../trigger/index.ts";
import { monitorsField } from "./monitors.ts";
import { noFeatures, recommendTable } from "./recommend.ts";
import { labelingField } from "./labeling.ts";
import { reviewField } from "./review.ts";
import { silenceField } from "./silence-field.ts";
import { rolloutField } from "./stages.ts";
import { strategyField } from "./strategies.ts";
import { trainerField } from "./trainers.ts";

export const TASKS = ["binary", "multiclass", "regression", "forecast", "recommend"] as const satisfies readonly Task[];

/** The metric a candidate is judged by where nothing else is said. */
export function primaryMetricOf(task: Task): "logLoss" | "mae" | "wape" | "ndcg" {
  if (task === "recommend") return "ndcg";
  if (task === "forecast") return "wape";
  return task === "regression" ? "mae" : "logLoss";
}

/** The metric live answers are judged by: of slates only what one interaction tells. */
export function watchedMetricOf(task: Task): ReturnType<typeof primaryMetricOf> | "hitShare" {
  return task === "recommend" ? "hitShare" : primaryMetricOf(task);
}

const text = textField("A text.");
const missing = optional(listField('Texts that mean "missing" in CSV files, besides blank and NA.', text));
const bounds = {
  min: optional(numberField("Smallest value; smaller ones go to quarantine.")),
  max: optional(numberField("Largest value; larger ones go to quarantine.")),
};
const categories = optional(listField("The only values there are; others go to quarantine.", text, { min: 1 }));
const texts: Field<readonly [string, string] | undefined> = optional(
  pairField("Text forms in CSV files: first the one for false, then the one for true."),
);

function pairField(description: string): Field<readonly [string, string]> {
  const info = { rule: "two different texts", description };
  return {
    info,
    read(value, place) {
      const fits =
        Array.isArray(value) &&
        value.length === 2 &&
        value.every((one) => typeof one === "string") &&
        value[0] !== value[1];
      if (!fits) throw refuse(place, value, info);
      return [value[0] as string, value[1] as string];
    },
  };
}

const anyFeature = variantField("What a column holds.", "kind", {
  number: { ...bounds, missing },
  category: { categories, missing },
  boolean: { texts, missing },
  aggregate: aggregateTable,
  text: {
    buckets: withDefault(
      numberField("Numbers the text is hashed into.", { min: 16, max: 65_536, integer: true }),
      2048,
    ),
    words: withDefault(numberField("Longest run of words that is a term.", { min: 0, max: 4, integer: true }), 2),
    characters: withDefault(
      numberField("Longest run of characters that is a term, from 3 on; 0: none.", { min: 0, max: 6, integer: true }),
      4,
    ),
    missing,
  },
  vector: { size: numberField("How many numbers.", { min: 1, max: 65_536, integer: true }) },
  image: {
    width: numberField("Width images are brought to.", { min: 1, max: 512, integer: true, unit: "pixels" }),
    height: numberField("Height images are brought to.", { min: 1, max: 512, integer: true, unit: "pixels" }),
    channels: withDefault(numberField("1 is gray, 3 are red, green, blue.", { min: 1, max: 3, integer: true }), 1),
  },
});

/** Values of an image at most: 256 × 256 in gray. Every one is an input of the first layer. */
const IMAGE_VALUES = 65_536;

const LABELS = {
  binary: variantField("The true answer of a binary model, f.boolean().", "kind", {
    boolean: { texts, ifMissingAfter: silenceField("boolean") },
  }),
  multiclass: variantField("The true answer of a multiclass model, f.category(...).", "kind", {
    category: { categories, ifMissingAfter: silenceField("string") },
  }),
  regression: variantField("The true answer of a regression model, f.number().", "kind", {
    number: { ...bounds, ifMissingAfter: silenceField("number") },
  }),
  forecast: variantField("The value of a series in a period, f.number().", "kind", { number: bounds }),
  recommend: variantField("How much an interaction says for its item, f.number().", "kind", { number: bounds }),
} as const satisfies Record<Task, Field<unknown>>;

/** Absent keys stay absent, so that equal definitions have equal hashes. */
export function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;
}

function checkSpec<S extends FeatureSpec | LabelSpec>(spec: S, place: FieldPlace): S {
  const wrong = (message: string, remedy: string) =>
    fail("CONFIG_INVALID", { message: `\`${place.path}\` ${message}`, remedy, details: { path: place.path } });
  if (spec.kind === "number" && spec.min !== undefined && spec.max !== undefined && spec.min > spec.max)
    throw wrong(`has min ${spec.min} above max ${spec.max}: no number fits.`, "Exchange the two.");
  if (
    spec.kind === "image" &&
    (spec.width * spec.height * spec.channels > IMAGE_VALUES || ![1, 3].includes(spec.channels))
  )
    throw wrong(
      `is ${spec.width} × ${spec.height} × ${spec.channels}; channels are 1 or 3, and all together at most ${IMAGE_VALUES} values.`,
      "Choose a smaller size; images are averaged down to it.",
    );
  if (spec.kind === "text" && spec.words === 0 && spec.characters < 3)
    throw wrong("has neither words nor runs of characters, so no term.", "Set `words` to 1 or more.");
  if (spec.kind === "category" && spec.categories !== undefined) {
    const repeated = spec.categories.find((one, i, all) => all.indexOf(one) !== i);
    if (repeated !== undefined) throw wrong(`lists "${repeated}" twice.`, "Remove one of the two.");
    const silent = "ifMissingAfter" in spec ? spec.ifMissingAfter?.value : undefined;
    if (silent !== undefined && !spec.categories.includes(String(silent)))
      throw wrong(`takes silence for "${silent}", which is none of its categories.`, "Name one of the categories.");
  }
  return withoutUndefined(spec);
}

const labelField = (task: Task): Field<LabelSpec> => ({
  info: LABELS[task].info,
  read(value, place) {
    const label = LABELS[task].read(value, place) as LabelSpec;
    if (label.kind === "category" && label.categories?.length === 1)
      throw refuse(place, value, { rule: "a category with at least two values, or with none listed", description: "" });
    place.record(place.path, place.originOf(place.path));
    return checkSpec(label, place);
  },
});

const featuresInfo = { rule: "an object of at least one feature, such as { age: f.number() }", description: "" };
/** PostgreSQL and Parquet keep up to this; wider tables are matrices, which have other tools. */
export const FEATURE_LIMIT = 2_000;

/** Forecasts may have no covariate at all. */
const covariatesField: Field<readonly { readonly name: string; readonly spec: FeatureSpec }[]> = {
  info: { rule: "an object of covariates known ahead, such as { promo: f.boolean() }, or {}", description: "" },
  read(value, place) {
    const isEmpty = typeof value === "object" && value !== null && Object.keys(value).length === 0;
    return isEmpty ? [] : featuresField.read(value, place);
  },
};

const featuresField: Field<readonly { readonly name: string; readonly spec: FeatureSpec }[]> = {
  info: featuresInfo,
  read(value, place) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw refuse(place, value, featuresInfo);
    const names = Object.keys(value);
    if (names.length === 0 || names.length > FEATURE_LIMIT)
      throw refuse(place, `an object of ${plural(names.length, "feature")}`, {
        ...featuresInfo,
        rule: `an object of 1 to ${FEATURE_LIMIT} features`,
      });
    place.record(place.path, place.originOf(place.path));
    const quiet = { ...place, record: () => {} };
    const problems: RetrainError[] = [];
    const features = names.flatMap((name) => {
      const at = placeAt(quiet, name);
      try {
        if (name === "__proto__" || name === "")
          throw refuse(at, name, { rule: "a usable column name", description: "" });
        const spec = anyFeature.read((value as Record<string, unknown>)[name], at) as FeatureSpec;
        return [{ name, spec: checkSpec(spec, at) }];
      } catch (error) {
        if (!(error instanceof RetrainError)) throw error;
        problems.push(error);
        return [];
      }
    });
    throwTogether(problems);
    return features;
  },
};

const maximize = objectField("Fitted on validation rows.", {
  maximize: choiceField("What the threshold should maximize.", ["f1", "accuracy"]),
});
const fixedThreshold = numberField("The probability from which the decision is true.", { min: 0, max: 1 });
const threshold: Field<number | { readonly maximize: "f1" | "accuracy" }> = {
  info: {
    rule: 'a number in [0, 1], or { maximize: "f1" | "accuracy" }',
    description: "When the decision of a binary model is true.",
  },
  read: (value, place) =>
    typeof value === "object" && value !== null ? maximize.read(value, place) : fixedThreshold.read(value, place),
};

const windowSpan = durationField("Event-time window of the training rows.", { min: "1m" });
const windowRows = objectField("The newest rows.", {
  rows: numberField("How many of the newest rows.", { min: 1, max: 1e12, integer: true }),
});
const window: Field<number | { readonly rows: number }> = {
  info: { rule: 'a duration such as "180d", or { rows }', description: "Which rows train; absent: all." },
  read: (value, place) =>
    typeof value === "object" && value !== null ? windowRows.read(value, place) : windowSpan.read(value, place),
};

const holdout = objectField("The newest mature labelled rows, kept from training.", {
  share: withDefault(numberField("Share of the labelled rows.", { min: 0.01, max: 0.9 }), 0.25),
  minRows: withDefault(numberField("At least so many rows.", { min: 1, max: 1e9, integer: true }), 200),
  maxRows: withDefault(numberField("At most so many rows.", { min: 1, max: 1e9, integer: true }), 10_000),
});
const data = objectField("Which rows train and which judge.", {
  window: optional(window),
  holdout: withDefault(holdout, {}),
  validation: withDefault(
    objectField("Rows for early stopping and the threshold.", {
      share: withDefault(numberField("Share of the rows beside the holdout.", { min: 0.01, max: 0.5 }), 0.2),
    }),
    {},
  ),
  weights: optional(rowWeightsField),
  // 200 held out and 100 to learn from: fewer give a gate that can tell nothing.
  minRows: withDefault(numberField("Fewer labelled rows stop a run.", { min: 10, max: 1e12, integer: true }), 300),
  refit: withDefault(booleanField("Whether the gated recipe is refitted on all rows."), false),
});

const retrain = (task: Task) => {
  const metric = watchedMetricOf(task);
  const when = {
    kind: "any",
    of: [
      { kind: "newLabels", count: 1000 },
      { kind: "performanceDrop", metric },
    ],
  };
  return objectField("When and how to retrain.", {
    when: withDefault(triggerField(task), when, `1,000 new labels or a drop of ${metric}, for the task ${task}`),
    how: withDefault(strategyField(task), "full"),
    maxChain: withDefault(
      numberField("Versions in a row that may start from the one before; then a run is full.", {
        min: 1,
        max: 10_000,
        integer: true,
      }),
      10,
    ),
    cooldown: withDefault(durationField("Shortest time between two runs."), "6h"),
    maxPerDay: withDefault(numberField("Runs in 24 hours.", { min: 1, max: 10_000, integer: true }), 4),
    stopAfterRejections: withDefault(
      numberField("Refused runs in a row after which the breaker opens.", { min: 1, max: 1000, integer: true }),
      3,
    ),
    quietHours: optional(quietHoursField()),
    runDuration: withDefault(durationField("How long a run lasts on a virtual clock."), "0s"),
  });
};

const limits = objectField("What a training process may use.", {
  trainTimeout: withDefault(durationField("Longest training.", { min: "1s" }), "1h"),
  trainMemoryMiB: withDefault(numberField("Resident memory.", { min: 64, max: 1e9, integer: true, unit: "MiB" }), 4096),
});

const NAME = /^(?!.*\.\.)[a-z0-9][a-z0-9._-]{0,63}$/;
const column = (what: string) => optional(textField(what));

const DEFAULT_TRAINERS: Partial<Record<Task, string>> = { forecast: "forecast", recommend: "matrixFactorization" };

/** The whole table of a model of the task. */
export function modelTable(task: Task) {
  const metric = primaryMetricOf(task);
  return {
    name: textField("Name of the model.", {
      pattern: NAME,
      rule: 'a name of [a-z0-9._-] without "..", starting with a letter or digit, at most 64 long',
    }),
    task: choiceField("What is predicted.", TASKS),
    id: column("Column of the example id."),
    time: column("Column of the event time."),
    unit: column("Column of the unit of sticky assignment."),
    features: featuresOfTask(task),
    ...forecastTable(task),
    ...recommendTableOf(task),
    label: labelField(task),
    labelColumn: withDefault(textField("Column of the label."), "label"),
    ignore: withDefault(listField("Columns that rows may carry and nobody reads.", textField("A column.")), []),
    labelDelay: withDefault(durationField("When a label counts as mature."), "0s"),
    threshold: task === "binary" ? withDefault(threshold, { maximize: "f1" }) : optional(notForTask(task)),
    trainer: withDefault(trainerField(task), { name: DEFAULT_TRAINERS[task] ?? "linear" }),
    data: withDefault(data, {}),
    retrain: withDefault(retrain(task), {}),
    monitors: withDefault(monitorsField(task), {}),
    gates: withDefault(
      listField("What a candidate must prove.", gateField(task)),
      [
        { kind: "betterThanBaseline", metric },
        { kind: "noWorseThanChampion", metric },
      ],
      `${metric} is the primary metric of the task ${task}`,
    ),
    slices: withDefault(listField("Features by whose values performance is reported.", text), []),
    rollout: withDefault(rolloutField(task), [{ kind: "full" }]),
    labeling: labelingField(task),
    review:
      task === "binary" || task === "multiclass"
        ? reviewField
        : optional(notForTask(task, "gives no class probability")),
    limits: withDefault(limits, {}),
    seed: withDefault(numberField("Seed of every random choice.", { min: 0, max: 4294967295, integer: true }), 1),
  };
}

function featuresOfTask(task: Task) {
  if (task === "recommend") return withDefault(noFeatures, {});
  return task === "forecast" ? withDefault(covariatesField, {}) : featuresField;
}

/** Fields of recommenders; absent for every other task. */
function recommendTableOf(task: Task) {
  if (task === "recommend") return recommendTable;
  const none = optional(notForTask(task, "is no recommender"));
  return { user: none, item: none, k: none, outcomeWindow: none };
}

/** Fields of forecasts; absent for every other task. */
function forecastTable(task: Task) {
  if (task !== "forecast") {
    const none = optional(notForTask(task, "is no forecast"));
    return { series: none, horizon: none, frequency: none };
  }
  return {
    series: textField("Column of the series."),
    horizon: numberField("Periods ahead.", { min: 1, max: 366, integer: true }),
    frequency: choiceField("Length of a period.", FREQUENCIES),
  };
}

function notForTask(task: Task, why = "has no decision threshold"): Field<never> {
  const info = { rule: `absent: a model of the task ${task} ${why}`, description: "" };
  return {
    info,
    read(value, place) {
      throw refuse(place, value, info);
    },
  };
}
