// Mistakes that must not compile. `tsc` fails on this file when one of them compiles; define.test.ts takes the directives out
// and looks at the messages. Each mistake is one statement, and the line after the directive is where its error must be.
import {
  type AnswerOf,
  defineConfig,
  defineModel,
  f,
  gate,
  gbdt,
  type LabelOf,
  linear,
  matrixFactorization,
  type RowOf,
  source,
  when,
} from "../../src/config/index.ts";

const purchases = defineModel({
  name: "purchases",
  task: "binary",
  id: "customer",
  features: { age: f.number(), job: f.category(), contact: f.category("cellular", "telephone") },
  label: f.boolean(),
});
type Row = RowOf<typeof purchases>;
const binary = { name: "m", task: "binary", features: { age: f.number() }, label: f.boolean() } as const;
const amount = { name: "m", task: "regression", features: { age: f.number() }, label: f.number() } as const;
const base = { name: "m", features: { age: f.number() } } as const;

// A metric that does not exist
// @ts-expect-error
gate.atLeast("rocAUC", 0.6);

// A metric of another task in a gate
// @ts-expect-error
defineModel({ ...binary, gates: [gate.noWorseThanChampion("mae")] });

// Slices of a feature that does not exist
// @ts-expect-error
defineModel({ ...binary, gates: [gate.slices(["aeg"])] });

// Slices judged by a metric of another task
// @ts-expect-error
defineModel({ ...binary, gates: [gate.slices(["age"], { metric: "mae" })] });

// A latency without a unit
// @ts-expect-error
gate.latency(5);

// A custom gate that returns no outcome
// @ts-expect-error
gate.custom("fair", () => true);

// A metric of another task in a trigger
// @ts-expect-error
defineModel({ ...amount, retrain: { when: when.performanceDrop("logLoss") } });

// A metric of another task inside any()
// @ts-expect-error
defineModel({ ...amount, retrain: { when: when.any(when.performanceDrop("f1")) } });

// A label of another task
// @ts-expect-error
defineModel({ ...base, task: "multiclass", label: f.boolean() });

// A task that does not exist
// @ts-expect-error
defineModel({ ...base, task: "ranking", label: f.boolean() });

// A misspelled key
// @ts-expect-error
defineModel({ ...binary, labelDelya: "14d" });

// A missing label
// @ts-expect-error
defineModel({ ...base, task: "binary" });

// A duration without a unit
// @ts-expect-error
defineModel({ ...binary, labelDelay: "14" });

// A number as a duration
// @ts-expect-error
defineModel({ ...binary, retrain: { cooldown: 3600 } });

// A slice that is no feature
// @ts-expect-error
defineModel({ ...binary, slices: ["agee"] });

// A detector that does not exist
// @ts-expect-error
defineModel({ ...binary, monitors: { conceptDrift: { detector: "adwinn" } } });

// A loss of another task for the detector
// @ts-expect-error
defineModel({ ...binary, monitors: { conceptDrift: { metric: "mae" } } });

// A metric that is no mean of losses for the detector
// @ts-expect-error
defineModel({ ...binary, monitors: { conceptDrift: { metric: "rocAuc" } } });

// A strategy that does not exist
// @ts-expect-error
defineModel({ ...binary, retrain: { how: "finetune" } });

// A threshold of a model that decides nothing
// @ts-expect-error
defineModel({ ...amount, threshold: 0.5 });

// A parameter the trainer does not have
// @ts-expect-error
linear({ epoch: 5 });

// A feature of a kind that does not exist
// @ts-expect-error
f.texts();

// A source of a model that is not in the configuration
// @ts-expect-error
defineConfig({ models: [purchases], sources: [source.file("a.csv", { model: "purchase" })] });

// A row with a misspelled feature
// @ts-expect-error
export const misspelled: Row = { customer: "c1", agee: 5, job: "x", contact: null };

// A row without one of its features
// @ts-expect-error
export const incomplete: Row = { customer: "c1", age: 5, job: "x" };

// A value outside a closed category
// @ts-expect-error
export const outside: Row = { customer: "c1", age: 5, job: "x", contact: "fax" };

// A text as the label of a binary model
// @ts-expect-error
export const label: LabelOf<typeof purchases> = "yes";

// Class probabilities of a class that does not exist
// @ts-expect-error
export const key: keyof AnswerOf<typeof purchases>["probabilities"] = "maybe";

// A metric of another task in an estimated drop inside a debounce
// @ts-expect-error
defineModel({ ...amount, retrain: { when: when.debounce("2h", when.performanceDrop("f1", { estimated: true })) } });

// A metric of another task two levels down
// @ts-expect-error
defineModel({ ...amount, retrain: { when: when.all(when.not(when.performanceDrop("rocAuc")), when.newRows(5)) } });

// A count of a single trigger
// @ts-expect-error
when.atLeast(1, when.newLabels(5));

// A price without the price of a run
// @ts-expect-error
when.worthIt({ pricePerLoss: 5 });

// A metric of another task in a price
// @ts-expect-error
defineModel({ ...amount, retrain: { when: when.worthIt({ metric: "accuracy", pricePerLoss: 5, pricePerRun: 1 }) } });

// A debounce without a duration
// @ts-expect-error
when.debounce(when.newLabels(5));

// An age without a unit
// @ts-expect-error
when.staleness("90");

// Quiet hours without an end
// @ts-expect-error
defineModel({ ...binary, retrain: { quietHours: { from: "08:00" } } });

// A recommender without the column of its items
// @ts-expect-error
defineModel({ name: "films", task: "recommend", user: "viewer", time: "at", features: {}, label: f.number() });

const films = { name: "films", task: "recommend", user: "u", item: "i", time: "at", label: f.number() } as const;

// A feature of a recommender
// @ts-expect-error
defineModel({ ...films, features: { genre: f.category() } });

// A trainer of rows for a recommender
// @ts-expect-error
defineModel({ ...films, features: {}, trainer: gbdt() });

// A metric of another task for a recommender
// @ts-expect-error
defineModel({ ...films, features: {}, gates: [gate.atLeast("rocAuc", 0.6)] });

// A method of factorization that does not exist
// @ts-expect-error
matrixFactorization({ method: "svd" });
