/** The asynchronous contexts of the workflow library, made so that they cost nothing while no workflow runs. */
import { RestingStorage } from "../core/index.ts";

interface Inside {
  readonly store: unknown;
}

/**
 * The library's dispatch loop enters a context with its stop signal and stays in it as long as the server runs, which would keep
 * every promise of the process tracked. Here such a signal is no context but what holds wherever nobody has entered one: its only
 * reader lets retries of the library's own queries end once the engine stops, and asks so outside workflows only.
 */
export class LibraryStorage extends RestingStorage<unknown> {
  #loop: AbortSignal | undefined;

  override run<R>(store: unknown, callback: () => R): R;
  override run<R, A extends unknown[]>(store: unknown, callback: (...values: A) => R, ...values: A): R;
  override run<R, A extends unknown[]>(store: unknown, callback: (...values: A) => R, ...values: A): R {
    if (!(store instanceof AbortSignal)) return super.run({ store } satisfies Inside, callback, ...values);
    this.#loop = store;
    const end = () => {
      if (this.#loop === store) this.#loop = undefined;
    };
    const result = callback(...values);
    if (result instanceof Promise) result.then(end, end);
    else end();
    return result;
  }

  override getStore(): unknown {
    const inside = super.getStore() as Inside | undefined;
    return inside === undefined ? this.#loop : inside.store;
  }
}
