/** What every part of the loop works with: the ports, the clocks, the live models, and the one bus of events. */
import type {
  Engine,
  Instant,
  JobPool,
  JsonObject,
  Logger,
  ModelHost,
  LogSchema,
  ObjectStore,
  ServingCounts,
  Store,
  SystemClock,
  VirtualWorldClock,
  WorldClock,
} from "../core/index.ts";
import { fail, nearestWord } from "../core/index.ts";
import type { ModelSpec, RetrainSpec } from "../config/spec.ts";
import { isNumeric } from "../data/dataset.ts";
import { isWide } from "../data/index.ts";
import type { LiveModels } from "../deploy/live-models.ts";
import type { LoopEvent } from "./contract.ts";
import type { EntityStates } from "./entity-state.ts";
import type { TickNotes } from "./tick-notes.ts";

/** Name of the fold that joins labels with predictions. */
export const LABEL_FOLD = "labels";

export type ProcessRole = "all" | "api" | "worker";

export interface LoopContext {
  /** Replaced as a whole by `reconfigure`; read it at the moment of use. */
  spec: RetrainSpec;
  readonly store: Store;
  readonly objects: ObjectStore;
  readonly engine: Engine;
  readonly jobs: JobPool;
  readonly worldClock: WorldClock | VirtualWorldClock;
  readonly systemClock: SystemClock;
  readonly logger: Logger;
  readonly modelHost?: ModelHost;
  readonly live: LiveModels;
  /** Follows the numbered routing row of each model. */
  readonly routing: {
    sync(model: string): Promise<void>;
    /** What to wait for before answering; undefined while this replica knows what serves. */
    fresh(): Promise<void> | undefined;
    counts(): Readonly<Record<string, ServingCounts>>;
  };
  readonly ticks: TickNotes;
  /** `api` answers requests and leaves ticks, runs and timers to others on the same database. */
  readonly role: ProcessRole;
  /** Names this process among those on one database; stable over restarts where work is to be taken up at once. */
  readonly instance: string;
  readonly states: EntityStates;
  /** Job folders and the artifact cache live under it. */
  readonly directory: string;
  readonly emit: (type: string, model: string | null, data: JsonObject) => void;
}

export function modelSpec(context: LoopContext, name: string): ModelSpec {
  const found = context.spec.models.find((model) => model.name === name);
  if (found !== undefined) return found;
  const names = context.spec.models.map((model) => model.name);
  const nearest = nearestWord(name, names);
  throw fail("MODEL_UNKNOWN", {
    message: `There is no model ${JSON.stringify(name.slice(0, 80))}. Models: ${names.join(", ") || "none"}.`,
    remedy: nearest === undefined ? "Add it to the configuration." : `Did you mean "${nearest}"?`,
  });
}

/** A step of background work. On a virtual clock nobody waits for an answer meanwhile, and pauses would be lost time. */
export function inTurn<T>(context: LoopContext, step: () => Promise<T>): Promise<T> {
  return context.worldClock.kind === "virtual" ? step() : context.store.log.inTurn(step);
}

/**
 * Lets requests in between the parts of a long computation. On a virtual clock nobody waits.
 * @returns undefined, at once, where there is nothing to wait for
 */
export function breathe(context: LoopContext): Promise<void> | undefined {
  if (context.worldClock.kind === "virtual") return undefined;
  return new Promise((resolve) => setImmediate(resolve));
}

export function logSchemaOf(spec: ModelSpec): LogSchema {
  return {
    model: spec.name,
    task: isNumeric(spec.schema.task) ? "regression" : spec.schema.task,
    columns: spec.schema.features.map((feature) => ({
      name: feature.name,
      type: isWide(feature.spec) ? "category" : feature.spec.kind,
    })),
  };
}

/** Events of the loop: fan-out to subscribers; a subscriber that throws is dropped from that event only. */
export function createBus(logger: Logger, now: () => Instant) {
  const listeners = new Set<(event: LoopEvent) => void>();
  return {
    emit(type: string, model: string | null, data: JsonObject): void {
      const event: LoopEvent = { type, model, at: now(), data };
      for (const listener of listeners) {
        try {
          listener(event);
        } catch (error) {
          logger.warn({ type, error: String(error) }, "a listener of loop events threw");
        }
      }
    },
    subscribe(listener: (event: LoopEvent) => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Runs functions of one key after each other, of different keys side by side. */
export function createMutex() {
  const tails = new Map<string, Promise<unknown>>();
  return async function exclusive<T>(key: string, run: () => Promise<T>): Promise<T> {
    const before = tails.get(key) ?? Promise.resolve();
    const mine = before.then(run, run);
    const tail = mine.catch(() => {});
    tails.set(key, tail);
    try {
      return await mine;
    } finally {
      if (tails.get(key) === tail) tails.delete(key);
    }
  };
}
