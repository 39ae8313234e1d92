/**
 * Entity state: what the log says of each series, user or card right now. It is a fold like any other, kept in memory: read from
 * the start of the log once, then followed from its cursor, so every replica has the same state for the same log. A question
 * first reads what was committed since the last one.
 */
import { type EventLog, LOG_START, type LogCursor, type LoggedEvent } from "../core/index.ts";

export interface StateReducer<S> {
  create(): S;
  apply(state: S, event: LoggedEvent): void;
}

const PAGE_EVENTS = 5_000;

class FollowedState<S> {
  readonly #log: EventLog;
  readonly #model: string;
  readonly #reducer: StateReducer<S>;
  readonly #state: S;
  #cursor: LogCursor = LOG_START;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(log: EventLog, model: string, reducer: StateReducer<S>) {
    this.#log = log;
    this.#model = model;
    this.#reducer = reducer;
    this.#state = reducer.create();
  }

  current(): Promise<S> {
    // One reader at a time: two would apply the same events twice.
    const turn = this.#tail.then(() => this.#follow());
    this.#tail = turn.catch(() => {});
    return turn;
  }

  async #follow(): Promise<S> {
    for (;;) {
      const page = await this.#log.readAfter(this.#model, this.#cursor, { limit: PAGE_EVENTS });
      for (const event of page.events) this.#reducer.apply(this.#state, event);
      this.#cursor = page.cursor;
      if (!page.more) return this.#state;
    }
  }
}

export class EntityStates {
  readonly #log: EventLog;
  readonly #states = new Map<string, { readonly definition: string; readonly state: FollowedState<unknown> }>();

  constructor(log: EventLog) {
    this.#log = log;
  }

  /**
   * The state of a model as of everything committed by now.
   * @param definition what the state is made by; another one begins it afresh
   */
  current<S>(model: string, definition: string, reducer: () => StateReducer<S>): Promise<S> {
    const known = this.#states.get(model);
    if (known?.definition === definition) return (known.state as FollowedState<S>).current();
    const state = new FollowedState(this.#log, model, reducer());
    this.#states.set(model, { definition, state: state as FollowedState<unknown> });
    return state.current();
  }
}
