/** The experiments' part of the label fold's state, beside what others keep there. */
import type { Json, JsonObject } from "../../core/index.ts";

const KEY = "experiments";

const asObject = (state: Json): JsonObject =>
  typeof state === "object" && state !== null && !Array.isArray(state) ? (state as JsonObject) : {};

export function experimentState(state: Json): Json {
  return asObject(state)[KEY] ?? null;
}

/** Absent while there is nothing to keep, so that a model without experiments has the state it always had. */
export function withExperiments(state: Json, experiments: Json): Json {
  const isEmpty = Object.keys(asObject(experiments)).length === 0;
  if (isEmpty && asObject(state)[KEY] === undefined) return state;
  return { ...asObject(state), [KEY]: experiments };
}
