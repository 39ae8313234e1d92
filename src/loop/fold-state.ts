/** What the label fold keeps in its own transaction, beside its cursor and counters. */
import type { Json, JsonObject } from "../core/index.ts";
import type { ConceptState } from "../monitor/index.ts";

export interface LabelFoldState {
  readonly concept: ConceptState;
}

export function readFoldState(stored: Json): LabelFoldState {
  if (typeof stored !== "object" || stored === null || Array.isArray(stored)) return { concept: {} };
  return { concept: ((stored as JsonObject)["concept"] ?? {}) as unknown as ConceptState };
}
