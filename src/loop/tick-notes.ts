/** In-process notes about ticks. Losing them costs one tick that was not needed. */
import type { Instant } from "../core/index.ts";

/** What the last tick of a model left behind. */
export interface TickMemory {
  readonly at: Instant;
  /** When the next tick could matter, if nothing arrives before. */
  readonly nextDueAt: Instant;
}

export interface TickNotes {
  readonly memory: Map<string, TickMemory>;
  /** Models something happened to since their last tick. */
  readonly dirty: Set<string>;
}

export function createTickNotes(): TickNotes {
  return { memory: new Map(), dirty: new Set() };
}

/** The next instant at which a tick of the model could matter; before everything while it is unknown. */
export function nextDueAt(notes: TickNotes, model: string): Instant {
  if (notes.dirty.has(model)) return Number.NEGATIVE_INFINITY;
  return notes.memory.get(model)?.nextDueAt ?? Number.NEGATIVE_INFINITY;
}
