/** `f.aggregate`: a feature that nobody sends, computed from earlier rows of the same entity. */
import {
  durationField,
  type FieldPlace,
  fail,
  nearestWord,
  numberField,
  optional,
  textField,
  booleanField,
} from "../core/index.ts";
import type { DurationText } from "../core/index.ts";
import { AGGREGATE_FUNCTIONS, type AggregateFunction, type AggregateSpec } from "../data/aggregates.ts";
import type { FeatureSpec } from "../data/schema.ts";

type OneOf =
  | { readonly count: true }
  | { readonly [K in Exclude<AggregateFunction, "count">]: { readonly [P in K]: string } }[Exclude<
      AggregateFunction,
      "count"
    >];

export type AggregateConfig = AggregateOptions & { readonly kind: "aggregate" };
export type AggregateOptions = {
  /** The feature that names the entity: card, user, sensor. */
  readonly by: string;
  /** How long before the row, such as "24h". */
  readonly window?: DurationText;
  /** The newest so many rows before; for `last` how many rows back. */
  readonly rows?: number;
} & OneOf;

const column = (description: string) => optional(textField(description));
export const aggregateTable = {
  by: textField("The feature that names the entity."),
  window: optional(durationField("How long before the row.", { min: "1s" })),
  rows: optional(numberField("The newest so many rows before.", { min: 1, max: 10_000, integer: true })),
  count: optional(booleanField("How many rows there were.")),
  sum: column("The feature that is summed."),
  mean: column("The feature whose mean is taken."),
  min: column("The feature whose least value is taken."),
  max: column("The feature whose largest value is taken."),
  last: column("The feature whose last value is taken."),
  distinct: column("The feature whose different values are counted."),
};

interface ReadAggregate {
  readonly kind: "aggregate";
  readonly by: string;
  readonly window?: number;
  readonly rows?: number;
}
type Named = { readonly name: string; readonly spec: FeatureSpec };

/** Aggregates become numbers among the features, and their rules a list of their own. @throws CONFIG_INVALID */
export function splitAggregates(
  features: readonly Named[],
  place: FieldPlace,
): { readonly features: readonly Named[]; readonly aggregates?: readonly AggregateSpec[] } {
  const isAggregate = ({ spec }: Named) => (spec as unknown as { readonly kind: string }).kind === "aggregate";
  const plain = features.filter((one) => !isAggregate(one)).map(({ name }) => name);
  const aggregates = features
    .filter(isAggregate)
    .map(({ name, spec }) =>
      readAggregate(name, spec as unknown as ReadAggregate, plain, `${place.path}.features.${name}`),
    );
  if (aggregates.length === 0) return { features };
  return {
    features: features.map((one) => (isAggregate(one) ? { name: one.name, spec: { kind: "number" } } : one)),
    aggregates,
  };
}

function readAggregate(name: string, read: ReadAggregate, plain: readonly string[], path: string): AggregateSpec {
  const wrong = (message: string, remedy: string) =>
    fail("CONFIG_INVALID", { message: `\`${path}\` ${message}`, remedy, details: { path } });
  const given = read as unknown as Readonly<Record<string, unknown>>;
  const asked = AGGREGATE_FUNCTIONS.filter((one) => given[one] !== undefined && given[one] !== false);
  const [compute] = asked;
  if (compute === undefined || asked.length > 1)
    throw wrong(
      `asks for ${asked.join(" and ") || "nothing"}; it must ask for one of ${AGGREGATE_FUNCTIONS.join(", ")}.`,
      'Write f.aggregate({ by: "card", window: "24h", sum: "amount" }).',
    );
  const of = compute === "count" ? undefined : (given[compute] as string);
  for (const column of [read.by, ...(of === undefined ? [] : [of])]) {
    if (plain.includes(column)) continue;
    const near = nearestWord(column, plain);
    throw wrong(
      `names "${column}", which is no feature a row carries.${near === undefined ? "" : ` Closest: "${near}".`}`,
      `Name one of ${plain.slice(0, 20).join(", ")}.`,
    );
  }
  if (compute !== "last" && (read.window === undefined) === (read.rows === undefined))
    throw wrong(
      `has ${read.window === undefined ? "neither" : "both"} of \`window\` and \`rows\`.`,
      'Write `window: "24h"` or `rows: 10`.',
    );
  const rows = compute === "last" ? (read.rows ?? 1) : read.rows;
  return {
    name,
    by: read.by,
    compute,
    ...(of === undefined ? {} : { of }),
    ...(read.window === undefined ? {} : { windowMs: read.window }),
    ...(rows === undefined ? {} : { rows }),
  };
}
