/** The labeling policy as people write it: which examples are put before people, and how many. */
import {
  booleanField,
  choiceField,
  durationField,
  type Field,
  type FieldPlace,
  type FieldValue,
  numberField,
  objectField,
  optional,
  textField,
  withDefault,
} from "../core/index.ts";
import type { DurationText, Task } from "../core/index.ts";
import { type LabelingSpec, type QueueStrategy, strategiesFor } from "../feedback/spec.ts";

export interface LabelingConfig {
  /** What makes an example worth a label; default "margin", for numbers "quantile-width". */
  readonly strategy?: QueueStrategy;
  /** "top" (default): the most uncertain ones; "weighted": drawn in proportion, so that all labels can estimate performance. */
  readonly sampling?: "top" | "weighted";
  /** Spreads the picks over the data, which also keeps near-duplicates out; default true. */
  readonly diversity?: boolean;
  /** Prefers uncertain examples in crowds to uncertain outliers; default false. */
  readonly density?: boolean;
  /** Tasks a day; default 200. 0: only when asked to. */
  readonly perDay?: number;
  /** Share drawn evenly from the pool, the part that may estimate performance; default 0.2. */
  readonly random?: number;
  /** Share that two people answer; default 0.1. */
  readonly overlap?: number;
  /** Share of a person's tasks whose answer is known; default 0.05. */
  readonly gold?: number;
  /** Which recent examples are candidates; default "30d". */
  readonly window?: DurationText;
  /** Hides the model's answer, which people tend to follow; default false. Random and gold tasks always hide it. */
  readonly hidePrediction?: boolean;
  /** Shown beside every task. */
  readonly guidelines?: string;
  /** How long a claimed task is kept for a person; default "15m". */
  readonly lease?: DurationText;
}

const share = (text: string, max = 1) => numberField(text, { min: 0, max });

const fields = {
  sampling: withDefault(
    choiceField("The most uncertain ones, or a draw in proportion to uncertainty.", ["top", "weighted"]),
    "top",
  ),
  diversity: withDefault(booleanField("Whether the picks are spread over the data."), true),
  density: withDefault(booleanField("Whether uncertain examples in crowds are preferred."), false),
  perDay: withDefault(numberField("Tasks in 24 hours.", { min: 0, max: 100_000, integer: true }), 200),
  random: withDefault(share("Share drawn evenly from the pool."), 0.2),
  overlap: withDefault(share("Share that two people answer."), 0.1),
  gold: withDefault(share("Share of a person's tasks whose answer is known.", 0.5), 0.05),
  window: withDefault(durationField("Which recent examples are candidates.", { min: "1m" }), "30d"),
  hidePrediction: withDefault(booleanField("Whether the model's answer is hidden from people."), false),
  guidelines: optional(textField("Text shown beside every task.")),
  lease: withDefault(durationField("How long a claimed task is kept.", { min: "10s", max: "1d" }), "15m"),
};

function table(task: Task) {
  const strategies = strategiesFor(task);
  return objectField("Which examples people are asked to label.", {
    strategy: withDefault(choiceField("What makes an example worth a label.", strategies), strategies[0]),
    ...fields,
  });
}
type ReadLabeling = FieldValue<ReturnType<typeof table>>;

/** Absent: no tasks are added by themselves; people can still ask for a batch. */
export const labelingField = (task: Task): Field<ReadLabeling | undefined> => optional(table(task));

/** @throws CONFIG_INVALID */
export function resolveLabeling(value: ReadLabeling): LabelingSpec {
  const { window, lease, guidelines, ...rest } = value;
  return { ...rest, windowMs: window, leaseMs: lease, ...(guidelines === undefined ? {} : { guidelines }) };
}

const SILENT: FieldPlace = { path: "labeling", record: () => {}, originOf: () => "default" };

/** What holds for a model whose configuration says nothing: nothing by itself, the defaults when asked. */
export function labelingDefaults(task: Task): LabelingSpec {
  return { ...resolveLabeling(table(task).read({}, SILENT)), perDay: 0 };
}
