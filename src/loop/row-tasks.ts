/** What works on single rows cannot work on slates and forecasts; it says so before anything is begun. */
import type { ModelSpec } from "../config/spec.ts";
import { fail } from "../core/index.ts";

/** @throws CONFLICT for a model whose answers are no answers to single rows */
export function requireRowTask({ name, schema }: ModelSpec, what: string): void {
  if (schema.recommend === undefined && schema.forecast === undefined) return;
  const [answers, remedy] =
    schema.recommend === undefined
      ? ["forecasts, which hang on histories", "A run compares its candidate with the champion from rolling origins."]
      : ["slates, which hang on what their user took", "A run compares its candidate with the champion user by user."];
  throw fail("CONFLICT", {
    message: `Model ${name} answers ${answers}; ${what} works on single rows.`,
    remedy: `${remedy} Look at its evaluation.`,
  });
}
