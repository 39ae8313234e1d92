/**
 * State of a fold that is too large for a row: an object of its own named by its hash, and beside the fold's cursor the word which
 * object it is. The object is written first, so a cursor never stands without its state; a kill in between leaves an object that
 * the next writing removes.
 */
import {
  type FoldState,
  type Instant,
  type JsonObject,
  type LogCursor,
  sha256Hex,
  type ObjectStore,
  type Store,
} from "../core/index.ts";

/** Where states are kept. */
export interface StatePlace {
  readonly store: Pick<Store, "folds" | "log">;
  readonly objects: ObjectStore;
}

export interface KeptState {
  readonly fold: FoldState;
  /** Undefined where the fold has not run, or its object is gone: then it begins at the start of the log. */
  readonly content: Uint8Array | undefined;
  readonly about: JsonObject;
}

const folderOf = (model: string, fold: string) => `folds/${sha256Hex(`${model} ${fold}`).slice(0, 16)}`;

export async function readKept(context: StatePlace, model: string, fold: string): Promise<KeptState> {
  const state = await context.store.folds.read(model, fold);
  const stored = state.state as { readonly object?: string; readonly about?: JsonObject } | null;
  const about = stored?.about ?? {};
  if (stored?.object === undefined) return { fold: state, content: undefined, about };
  const content = await context.objects.get(`${folderOf(model, fold)}/${stored.object}`).catch(() => undefined);
  const isWhole = content !== undefined && sha256Hex(content) === stored.object;
  return { fold: state, content: isWhole ? content : undefined, about };
}

/** @returns false when another process was first; then what is kept is read again */
export async function writeKept(
  context: StatePlace,
  model: string,
  fold: string,
  next: {
    readonly expectedFoldSeq: number;
    readonly cursor: LogCursor;
    readonly knownThrough: Instant;
    readonly content: Uint8Array;
    readonly about?: JsonObject;
  },
): Promise<boolean> {
  const { expectedFoldSeq, cursor, knownThrough, content, about = {} } = next;
  const object = sha256Hex(content);
  const folder = folderOf(model, fold);
  await context.objects.put(`${folder}/${object}`, content);
  const state = { object, about };
  const won = await context.store.folds.commit(model, fold, {
    expectedFoldSeq,
    cursor,
    knownThrough,
    state,
    counters: [],
  });
  if (!won) return false;
  for (const key of await context.objects.list(folder))
    if (!key.endsWith(object)) await context.objects.deletePrefix(key);
  return true;
}
