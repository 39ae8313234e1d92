/**
 * LISTEN on one connection of its own, outside the pool, so that waiting for news takes no one's place. After a lost
 * connection it listens again with growing pauses; news sent meanwhile are lost, which is why readers also poll.
 */
import type pg from "pg";
import { fail, type Logger, type SystemClock } from "../core/index.ts";
import { translateDatabaseError } from "./health.ts";

type OnNotify = (payload: string) => void;

/** First and longest pause before the next try, ms: short enough to be back within a second after a restart. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

export class Notifications {
  readonly #createClient: () => pg.Client;
  readonly #clock: SystemClock;
  readonly #logger: Logger;
  readonly #channels = new Map<string, Set<OnNotify>>();
  #client: Promise<pg.Client> | undefined;
  #sending: Promise<void> = Promise.resolve();
  readonly #closing = new AbortController();

  constructor(options: { createClient: () => pg.Client; clock: SystemClock; logger: Logger }) {
    this.#createClient = options.createClient;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  async listen(channel: string, onNotify: OnNotify): Promise<() => Promise<void>> {
    if (!/^[a-z][a-z0-9_]{0,62}$/.test(channel)) {
      throw fail("NAME_INVALID", {
        message: `The channel "${channel}" does not match [a-z][a-z0-9_]{0,62}.`,
        remedy: "Use a short lower-case word.",
      });
    }
    const listeners = this.#channels.get(channel) ?? new Set();
    const isFirst = listeners.size === 0;
    listeners.add(onNotify);
    this.#channels.set(channel, listeners);
    try {
      const client = await this.#connected();
      if (isFirst) await this.#sendListen(client, channel);
    } catch (error) {
      listeners.delete(onNotify);
      throw translateDatabaseError(error);
    }
    // Without UNLISTEN: on the one session of the embedded database it would silence the channel for other clients too.
    return async () => void listeners.delete(onNotify);
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("closing"));
    this.#channels.clear();
    const client = await this.#client?.catch(() => undefined);
    this.#client = undefined;
    await client?.end().catch(() => {});
  }

  #connected(): Promise<pg.Client> {
    this.#client ??= this.#connect().catch((error: unknown) => {
      this.#client = undefined;
      throw translateDatabaseError(error);
    });
    return this.#client;
  }

  async #connect(): Promise<pg.Client> {
    const client = this.#createClient();
    client.on("notification", ({ channel, payload }) => {
      for (const onNotify of this.#channels.get(channel) ?? []) onNotify(payload ?? "");
    });
    client.on("error", (error) => this.#logger.warn({ error: error.message }, "The listening connection was lost"));
    await client.connect();
    client.once("end", () => void this.#reconnect());
    return client;
  }

  /** One after the other: the driver's connections take one statement at a time. */
  #sendListen(client: pg.Client, channel: string): Promise<void> {
    const sending = this.#sending.then(async () => void (await client.query(`LISTEN ${channel}`)));
    this.#sending = sending.catch(() => {});
    return sending;
  }

  async #reconnect(): Promise<void> {
    this.#client = undefined;
    for (
      let pauseMs = FIRST_PAUSE_MS;
      !this.#closing.signal.aborted;
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
    ) {
      try {
        await this.#clock.sleep(pauseMs, this.#closing.signal);
        if (this.#channels.size === 0) return;
        const client = await this.#connected();
        for (const channel of this.#channels.keys()) await this.#sendListen(client, channel);
        return;
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        this.#logger.debug({ error: (error as Error).message }, "Listening again failed; another try follows");
      }
    }
  }
}
