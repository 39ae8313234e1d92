/** `retrain.how`: where a training starts from, as people write it. */
import {
  choiceField,
  durationField,
  type DurationText,
  type Field,
  type FieldPlace,
  listField,
  objectField,
  optional,
  placeAt,
  refuse,
  type Task,
  textField,
  withDefault,
} from "../core/index.ts";
import type { BestCandidate, StrategySpec, TransferSpec } from "../train/spec.ts";
import { type TrainerConfig, trainerField } from "./trainers.ts";

type PlainStrategy = "full" | "warm-start" | "incremental";
export interface TransferConfig {
  readonly kind: "transfer";
  /** A version of another model: `digits@champion`, `digits@v3`. */
  readonly from: `${string}@${string}`;
  /** Hidden layers that never learn, such as "hidden1"; default none: all reused layers are fine-tuned. */
  readonly freeze?: readonly string[];
}
export interface BestCandidateConfig {
  /** Default "full". */
  readonly how?: PlainStrategy;
  /** Default the model's own. */
  readonly trainer?: TrainerConfig;
}
export interface BestConfig {
  readonly kind: "best";
  readonly of: readonly (PlainStrategy | BestCandidateConfig)[];
  /** No further candidate is begun after this; default "1h". */
  readonly budget?: DurationText;
}
export type StrategyConfig = PlainStrategy | TransferConfig | BestConfig;

/**
 * Starts from the hidden layers of another model's version, under a new head: `transfer({ from: "digits@champion",
 * freeze: ["hidden1"] })`. Layers that are not frozen are fine-tuned with the trainer's `warmRate`. For `mlp()`.
 */
export const transfer = (options: Omit<TransferConfig, "kind">): TransferConfig => ({ kind: "transfer", ...options });

/**
 * Trains several ways in one run and gives the gate the one that does best on validation: `best({ of: ["full", "warm-start",
 * { trainer: gbdt() }], budget: "30m" })`. The gate's held-out rows choose nothing, so they judge the winner without favor.
 */
export const best = (options: Omit<BestConfig, "kind">): BestConfig => ({ kind: "best", ...options });

const FROM = /^([a-z0-9][a-z0-9._-]{0,63})@(champion|v[1-9]\d{0,8})$/;
const PLAIN = ["full", "warm-start", "incremental"] as const;
const plainField = choiceField("Where training starts from.", PLAIN);

const transferTable = objectField("Reuses the hidden layers of another model's version.", {
  kind: choiceField("The strategy.", ["transfer"]),
  from: textField("A version of another model.", {
    pattern: FROM,
    rule: 'a version of a model, such as "digits@champion" or "digits@v3"',
  }),
  freeze: withDefault(listField("Hidden layers that never learn.", textField("A layer, such as hidden1.")), []),
});

function readTransfer(value: unknown, place: FieldPlace): TransferSpec {
  const { from, freeze } = transferTable.read(value, place);
  const [, model, version] = FROM.exec(from) as unknown as readonly [string, string, string];
  return { from: { model, version }, freeze };
}

function bestTable(task: Task) {
  const one = objectField("A way of training.", {
    how: withDefault(plainField, "full"),
    trainer: optional(trainerField(task)),
  });
  const either: Field<{ readonly how: PlainStrategy; readonly trainer: BestCandidate["trainer"] | undefined }> = {
    info: { rule: 'a strategy such as "full", or { how, trainer }', description: "A way of training." },
    read: (value, place) =>
      typeof value === "string" ? { how: plainField.read(value, place), trainer: undefined } : one.read(value, place),
  };
  return objectField("Several ways of training in one run.", {
    kind: choiceField("The strategy.", ["best"]),
    of: listField("Ways of training, in this order.", either, { min: 2 }),
    budget: withDefault(durationField("No further candidate is begun after this.", { min: "1ms" }), "1h"),
  });
}

/** As read; the trainers of `best` are filled in where the model's own trainer is known. */
export type ReadStrategy = Omit<StrategySpec, "best"> & {
  readonly best?: {
    readonly of: readonly { readonly how: PlainStrategy; readonly trainer: BestCandidate["trainer"] | undefined }[];
    readonly budgetMs: number;
  };
};

export function strategyField(task: Task): Field<ReadStrategy> {
  const table = bestTable(task);
  const info = {
    rule: 'one of "full", "warm-start", "incremental", or transfer({ from, freeze }), or best({ of, budget })',
    description: "Where training starts from.",
  };
  return {
    info,
    read(value, place) {
      if (typeof value === "string") return { how: plainField.read(value, place) };
      const kind = typeof value === "object" && value !== null ? (value as { kind?: unknown }).kind : undefined;
      if (kind === "transfer") return { how: "transfer", transfer: readTransfer(value, place) };
      if (kind !== "best") throw refuse(place, value, info);
      const { of, budget } = table.read(value, place);
      return { how: "best", best: { of, budgetMs: budget } };
    },
  };
}

/** Fills in the model's own trainer, and refuses the same training twice. */
export function resolveStrategy(
  read: ReadStrategy,
  trainer: BestCandidate["trainer"],
  place: FieldPlace,
): StrategySpec {
  const { best: given, ...rest } = read;
  if (given === undefined) return rest;
  const of = given.of.map((one) => ({ how: one.how, trainer: one.trainer ?? trainer }));
  const texts = of.map((one) => JSON.stringify(one));
  const twice = texts.findIndex((text, i) => texts.indexOf(text) !== i);
  if (twice >= 0) {
    throw refuse(placeAt(placeAt(place, "retrain"), "how"), `${of[twice]?.trainer.name} ${of[twice]?.how} twice`, {
      rule: "a list of different ways of training",
      description: "",
    });
  }
  return { ...rest, best: { of, budgetMs: given.budgetMs } };
}
