/** From a frozen dataset to interactions, and to what each user had taken when the holdout began. */
import type { ModelSpec } from "../../config/spec.ts";
import { fail } from "../../core/index.ts";
import type { CategoryColumn, Dataset, Frame, RecommendSchema, Splits } from "../../data/index.ts";
import type { Interactions } from "../../learn/index.ts";

export function recommendSchemaOf(spec: ModelSpec): RecommendSchema {
  const { recommend } = spec.schema;
  if (recommend !== undefined) return recommend;
  throw fail("INTERNAL", {
    message: `Model ${spec.name} is no recommender.`,
    remedy: "Rebuild: parent and child come from different builds.",
  });
}

/** A recommender prepares no column: users and items are told by name. */
export const noColumns = (frame: Frame): Frame => ({ rows: frame.rows, columns: [] });

interface Sides {
  readonly users: CategoryColumn;
  readonly items: CategoryColumn;
}

export function sidesOf(spec: ModelSpec, dataset: Dataset): Sides {
  const { user, item } = recommendSchemaOf(spec);
  const column = (name: string) => dataset.frame.columns.find((one) => one.name === name) as CategoryColumn;
  return { users: column(user), items: column(item) };
}

/** Training and validation rows both train: there is nothing to stop early by. Ascending, as the dataset is. */
export function trainingRows({ train, validation }: Splits): Uint32Array {
  const rows = new Uint32Array(train.length + validation.length);
  rows.set(train);
  rows.set(validation, train.length);
  return rows.sort();
}

/** Interactions of some rows; rows without user or item are no interaction. O(n). */
export function interactionsOf(spec: ModelSpec, dataset: Dataset, given: Uint32Array): Interactions {
  const { users, items } = sidesOf(spec, dataset);
  const rows = given.filter((row) => (users.codes[row] as number) >= 0 && (items.codes[row] as number) >= 0);
  const [userNames, userOf] = named(users, rows);
  const [itemNames, itemOf] = named(items, rows);
  return {
    users: userNames,
    items: itemNames,
    userOf,
    itemOf,
    strength: Float64Array.from(rows, (row) => dataset.target[row] as number),
  };
}

/** The names that occur, in code-unit order, and the place of each row's. */
function named({ codes, dictionary }: CategoryColumn, rows: Uint32Array): readonly [string[], Int32Array] {
  const used = new Uint8Array(dictionary.length);
  for (const row of rows) used[codes[row] as number] = 1;
  const names = dictionary.filter((_, code) => used[code] === 1).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const placeOf = new Map(names.map((name, i) => [name, i]));
  const places = Int32Array.from(dictionary, (name) => placeOf.get(name) ?? -1);
  return [names, Int32Array.from(rows, (row) => places[codes[row] as number] as number)];
}
