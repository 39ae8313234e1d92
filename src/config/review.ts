/** Review before release, as people write it: below which confidence a person decides, and what happens when nobody does. */
import {
  choiceField,
  durationField,
  type DurationText,
  type Field,
  type FieldValue,
  numberField,
  objectField,
  optional,
  REVIEW_DEFAULTS,
  REVIEW_MODES,
  type ReviewDefault,
  type ReviewMode,
  withDefault,
} from "../core/index.ts";
import type { ReviewSpec } from "../feedback/spec.ts";

export interface ReviewConfig {
  /** Answers whose largest class probability is below it are put before a person. */
  readonly below: number;
  /** "hold" (default): no answer until it is decided; "flag": the answer at once, marked as uncertain. */
  readonly mode?: ReviewMode;
  /** How long people have; default "1h". */
  readonly deadline?: DurationText;
  /** After the deadline: "release" (default) lets the model's answer stand, "withhold" gives none. */
  readonly default?: ReviewDefault;
  /** Share of the confident answers that people check afterwards; default 0.01. */
  readonly audit?: number;
}

const table = objectField("Which answers a person decides before they are used.", {
  below: numberField("Answers whose largest class probability is below it.", { min: 0, max: 1 }),
  mode: withDefault(choiceField("Whether such an answer is held back, or given and marked.", REVIEW_MODES), "hold"),
  deadline: withDefault(durationField("How long people have.", { min: "1s", max: "30d" }), "1h"),
  default: withDefault(choiceField("What happens after the deadline.", REVIEW_DEFAULTS), "release"),
  audit: withDefault(numberField("Share of confident answers that people check afterwards.", { min: 0, max: 1 }), 0.01),
});

/** Absent: every answer is released at once. */
export const reviewField: Field<FieldValue<typeof table> | undefined> = optional(table);

export function resolveReview(value: NonNullable<FieldValue<typeof reviewField>>): ReviewSpec {
  const { deadline, default: onDeadline, ...rest } = value;
  return { ...rest, deadlineMs: deadline, onDeadline };
}
