/**
 * The workflows running in this process. Three needs meet here: one at a time per partition also while a canceled one is still
 * ending, a stop that waits for steps and then aborts them, and a stopped workflow that must neither fail nor go on.
 *
 * The last is done by parking: a promise that never settles. The workflow stays unfinished in the database and goes on
 * at the next start; an error would have been recorded as its outcome.
 */

export interface Execution {
  readonly id: string;
  /** Aborted on cancel, and at a stop when the grace is over. */
  readonly abort: AbortController;
  /** Waits for the end of a stop, or of the process. */
  parked: boolean;
}

export class Executions {
  readonly #running = new Set<Execution>();
  /** Per partition, the end of the last execution that began there. */
  readonly #tails = new Map<string, Promise<void>>();
  readonly #listeners = new Set<() => void>();
  #closing = false;
  #aborting = false;

  /** True from the beginning of a stop. */
  get closing(): boolean {
    return this.#closing;
  }
  /** True once steps were told to end because of a stop: what they throw now means nothing. */
  get aborting(): boolean {
    return this.#aborting;
  }

  /** Runs the body after whatever still runs in its partition. */
  async run<T>(id: string, place: string, body: (execution: Execution) => Promise<T>): Promise<T> {
    const execution: Execution = { id, abort: new AbortController(), parked: false };
    this.#running.add(execution);
    const before = this.#tails.get(place);
    let end: () => void = () => {};
    const tail = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#tails.set(place, tail);
    try {
      if (before !== undefined) await before;
      return await body(execution);
    } finally {
      this.#running.delete(execution);
      end();
      if (this.#tails.get(place) === tail) this.#tails.delete(place);
      this.#changed();
    }
  }

  park(execution: Execution): Promise<never> {
    execution.parked = true;
    this.#changed();
    return new Promise<never>(() => {});
  }

  cancel(id: string, reason: Error): void {
    for (const execution of this.#running) if (execution.id === id) execution.abort.abort(reason);
  }

  close(): void {
    this.#closing = true;
  }

  /** Tells every execution to end at once. */
  abort(reason: Error): void {
    this.#aborting = true;
    for (const execution of this.#running) execution.abort.abort(reason);
  }

  get working(): readonly string[] {
    return [...this.#running].filter((execution) => !execution.parked).map((execution) => execution.id);
  }

  get parked(): readonly string[] {
    return [...this.#running].filter((execution) => execution.parked).map((execution) => execution.id);
  }

  get all(): readonly string[] {
    return [...this.#running].map((execution) => execution.id);
  }

  /** Resolves when nothing works any more, or when the signal aborts. */
  async quiet(signal: AbortSignal): Promise<void> {
    while (this.working.length > 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = () => {
          this.#listeners.delete(done);
          signal.removeEventListener("abort", done);
          resolve();
        };
        this.#listeners.add(done);
        signal.addEventListener("abort", done, { once: true });
      });
    }
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
