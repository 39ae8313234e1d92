// What is inferred from a definition. Checked by `tsc`; there is nothing to run.
import {
  type AnswerOf,
  defineConfig,
  defineModel,
  f,
  gate,
  type LabelledRowOf,
  type LabelOf,
  linear,
  type MetricOf,
  type MetricsByTask,
  type RowOf,
  source,
  when,
} from "../../src/config/index.ts";
import type { MetricName } from "../../src/stats/index.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Equal<A, B>) => {};

const purchases = defineModel({
  name: "purchases",
  task: "binary",
  id: "customer",
  time: "contactedAt",
  features: {
    age: f.number({ min: 0 }),
    job: f.category(),
    contact: f.category("cellular", "telephone"),
    plan: f.category({ categories: ["a", "b"], missing: ["?"] }),
    housing: f.boolean({ texts: ["no", "yes"] }),
  },
  label: f.boolean(),
  labelColumn: "purchased",
  labelDelay: "14d",
  trainer: linear({ epochs: 5 }),
  retrain: { when: when.any(when.newLabels(5), when.performanceDrop("logLoss"), when.all(when.every("6h"))) },
  gates: [
    gate.atLeast("rocAuc", 0.6),
    gate.noWorseThanChampion("logLoss"),
    gate.slices(["job"], { metric: "rocAuc" }),
    gate.slices(),
    gate.latency("5ms"),
    gate.approval({ people: 2 }),
    gate.custom("calm", ({ rows }) => ({ outcome: rows > 0 ? "yes" : "no", reason: "Rows." })),
  ],
  slices: ["job", "contact"],
});

type Row = {
  readonly age: number | null;
  readonly job: string | null;
  readonly contact: "cellular" | "telephone" | null;
  readonly plan: "a" | "b" | null;
  readonly housing: boolean | null;
  readonly customer: string | number;
  readonly contactedAt: string | number;
};
same<RowOf<typeof purchases>, Row>(true);
same<LabelOf<typeof purchases>, boolean>(true);
same<LabelledRowOf<typeof purchases>["purchased"], boolean | null>(true);
same<AnswerOf<typeof purchases>["decision"], boolean>(true);
same<AnswerOf<typeof purchases>["score"], number>(true);

const species = defineModel({
  name: "species",
  task: "multiclass",
  features: { petal: f.number() },
  label: f.category("setosa", "virginica"),
});
same<LabelOf<typeof species>, "setosa" | "virginica">(true);
same<keyof AnswerOf<typeof species>["probabilities"], "setosa" | "virginica">(true);
same<RowOf<typeof species>, { readonly petal: number | null }>(true);
same<LabelledRowOf<typeof species>["label"], "setosa" | "virginica" | null>(true);

const prices = defineModel({ name: "prices", task: "regression", features: { size: f.number() }, label: f.number() });
same<LabelOf<typeof prices>, number>(true);
same<AnswerOf<typeof prices>["score"], number>(true);

const films = defineModel({
  name: "films",
  task: "recommend",
  user: "viewer",
  item: "film",
  time: "at",
  features: {},
  label: f.number(),
});
same<AnswerOf<typeof films>["decision"], string>(true);
same<AnswerOf<typeof films>["recommend"]["by"], "taste" | "popularity">(true);
same<MetricOf<"recommend">, "ndcg" | "recall" | "hitRate" | "hitShare">(true);

export const config = defineConfig({
  models: [purchases, species, prices],
  sources: [source.file("a.csv", { model: "prices" }), source.folder("in", { model: "species" })],
});
same<(typeof config)["models"][number]["name"], "purchases" | "species" | "prices">(true);

// Every metric of the registry fits some task, and the lists name no other.
same<MetricsByTask["binary" | "multiclass" | "regression" | "forecast" | "recommend"], MetricName>(true);
same<MetricOf<"regression">, "mae" | "rmse" | "r2">(true);
