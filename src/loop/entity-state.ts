/**
 * Entity state: what the log says of each series, user or card right now. It is a fold like any other: followed from its cursor, so
 * every replica has the same state for the same log. A question first reads what was committed since the last one. Where its
 * reducer can write it down, one process keeps it with its cursor, and a start reads only what came after.
 */
import { LOG_START, type Instant, type Json, type LogCursor, type LoggedEvent, sha256Hex } from "../core/index.ts";
import { readKept, type StatePlace, writeKept } from "./kept-state.ts";

export interface StateReducer<S> {
  create(): S;
  apply(state: S, event: LoggedEvent): void;
  /** Both or neither: the state as JSON, and back. */
  readonly store?: (state: S) => Json;
  readonly restore?: (stored: Json) => S;
}

const PAGE_EVENTS = 5_000;
/** Events after which the state is written again: reading so many takes a start less than a tenth of a second. */
const KEEP_AFTER_EVENTS = 1_000;
const ENTITY_FOLD = "entities";

class FollowedState<S> {
  readonly #context: StatePlace;
  readonly #model: string;
  readonly #definition: string;
  readonly #reducer: StateReducer<S>;
  #state: S | undefined;
  #cursor: LogCursor = LOG_START;
  #knownThrough: Instant = 0;
  #unkeptEvents = 0;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(context: StatePlace, model: string, definition: string, reducer: StateReducer<S>) {
    this.#context = context;
    this.#model = model;
    this.#definition = sha256Hex(definition);
    this.#reducer = reducer;
  }

  current(): Promise<S> {
    return this.#inTurn(() => this.#follow());
  }

  /** Writes the state down when enough has come since, or whatever has come. */
  keep(whatever: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const { store } = this.#reducer;
      if (store === undefined || this.#state === undefined) return;
      const state = await this.#follow();
      if (this.#unkeptEvents < (whatever ? 1 : KEEP_AFTER_EVENTS)) return;
      const { foldSeq } = await this.#context.store.folds.read(this.#model, ENTITY_FOLD);
      const content = Buffer.from(JSON.stringify(store(state)));
      const about = { definition: this.#definition };
      const next = { cursor: this.#cursor, knownThrough: this.#knownThrough, content, about };
      // Another process that was first has kept the same: the state is a function of the log.
      await writeKept(this.#context, this.#model, ENTITY_FOLD, { expectedFoldSeq: foldSeq, ...next });
      this.#unkeptEvents = 0;
    });
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    // One reader at a time: two would apply the same events twice.
    const turn = this.#tail.then(run);
    this.#tail = turn.catch(() => {});
    return turn;
  }

  async #open(): Promise<S> {
    const { restore } = this.#reducer;
    if (restore === undefined) return this.#reducer.create();
    const { content, about, fold } = await readKept(this.#context, this.#model, ENTITY_FOLD);
    if (content === undefined || about["definition"] !== this.#definition) return this.#reducer.create();
    this.#cursor = fold.cursor;
    this.#knownThrough = fold.knownThrough;
    return restore(JSON.parse(Buffer.from(content).toString("utf8")) as Json);
  }

  async #follow(): Promise<S> {
    this.#state ??= await this.#open();
    for (;;) {
      const page = await this.#context.store.log.readAfter(this.#model, this.#cursor, { limit: PAGE_EVENTS });
      for (const event of page.events) {
        this.#reducer.apply(this.#state, event);
        this.#knownThrough = Math.max(this.#knownThrough, event.receivedAt);
      }
      this.#unkeptEvents += page.events.length;
      this.#cursor = page.cursor;
      if (!page.more) return this.#state;
    }
  }
}

export class EntityStates {
  readonly #context: () => StatePlace;
  readonly #states = new Map<string, { readonly definition: string; readonly state: FollowedState<unknown> }>();

  /** @param context asked when it is needed: it holds this object */
  constructor(context: () => StatePlace) {
    this.#context = context;
  }

  /**
   * The state of a model as of everything committed by now.
   * @param definition what the state is made by; another one begins it afresh
   */
  current<S>(model: string, definition: string, reducer: () => StateReducer<S>): Promise<S> {
    const known = this.#states.get(model);
    if (known?.definition === definition) return (known.state as FollowedState<S>).current();
    const state = new FollowedState(this.#context(), model, definition, reducer());
    this.#states.set(model, { definition, state: state as FollowedState<unknown> });
    return state.current();
  }

  /** Writes down the state of a model that has one. Only the process that ticks calls it. */
  async keep(model: string, whatever = false): Promise<void> {
    await this.#states.get(model)?.state.keep(whatever);
  }

  async keepAll(): Promise<void> {
    for (const model of this.#states.keys()) await this.keep(model, true);
  }
}
