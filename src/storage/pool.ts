/**
 * One database for everything above it: a pg.Pool, whether the server is PostgreSQL (>= 15) or the embedded one in a worker
 * thread. No code above this file asks which. What differs stays in `pglite/`: the pool there is given a stream instead of
 * a socket (see `pglite/hub.ts`).
 */
import type { Kysely } from "kysely";
import pg from "pg";
import { fail, type Logger, type SystemClock, silentLogger } from "../core/index.ts";
import { type DatabaseHealth, HealthMonitor, isUnavailable, translateDatabaseError, unavailable } from "./health.ts";
import { Notifications } from "./notifications.ts";
import type { Backend } from "./backend.ts";
import { embeddedBackend } from "./pglite/embedded.ts";
import { dropPreparedThread } from "./pglite/thread.ts";
import { kyselyOver, type QueryResult, sendOn } from "./session.ts";
import type { Tables } from "./tables.ts";
import { TRANSACTION_LIMITS, type Transaction, type TransactionLimits, Transactions } from "./transaction.ts";

export type { DatabaseHealth } from "./health.ts";
export type { QueryResult } from "./session.ts";
export type { Transaction, TransactionLimits } from "./transaction.ts";

export interface Database {
  readonly kind: "embedded" | "server";
  /**
   * One statement on any connection. int8 comes as number while safe, else bigint; other types as in `session.ts`.
   * @throws TRANSACTION_NESTED inside `transaction()`, STATEMENT_REFUSED, STORE_UNAVAILABLE and STORE_FULL (retryable), or
   * the driver's DatabaseError with its SQLSTATE in `code` (23505, 42P01, ...)
   */
  query<R = Record<string, unknown>>(sql: string, params?: readonly unknown[]): Promise<QueryResult<R>>;
  /** Queries by builder, on the same pool and with the same errors. Its own `transaction()` is refused: use `transaction`. */
  readonly kysely: Kysely<Tables>;
  /**
   * Runs the function between BEGIN and COMMIT on one connection; a throw rolls back.
   * @throws TRANSACTION_NESTED, TRANSACTION_TOO_LONG (idle > 2 s or open > 5 s; names label and call site), and what `query` throws
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>, options?: { readonly label?: string }): Promise<T>;
  /** Calls back for every NOTIFY on the channel ([a-z][a-z0-9_]*); returns the function that stops. News can be lost while the store is down: poll too. */
  listen(channel: string, onNotify: (payload: string) => void): Promise<() => Promise<void>>;
  /** For libraries that want a pg.Pool. Connecting inside `transaction()` throws TRANSACTION_NESTED here too. */
  readonly pool: pg.Pool;
  health(): DatabaseHealth;
  /** To be called from what keeps the event loop busy: replies that have arrived are taken in before its next callback. Cheap. */
  look(): void;
  /** Called on each change between up and down; returns the function that stops it. */
  onHealth(listener: (health: DatabaseHealth) => void): () => void;
  /** Called with the reason each time the database stops answering. */
  onUnavailable(listener: (reason: string) => void): () => void;
  /** Waits for statements under way, then closes; the embedded database writes a checkpoint, so that it reopens fast. */
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** A PostgreSQL server's URL. Without it, `directory` holds the embedded database. */
  readonly url?: string;
  readonly directory?: string;
  readonly systemClock: SystemClock;
  readonly logger?: Logger;
  /** Folder with the cluster template (see `pglite/template.ts`); default: the one the build made, if there is one. */
  readonly template?: string;
  readonly transactionLimits?: TransactionLimits;
  /** Connections of the pool. Default 10; virtual ones for the embedded database. */
  readonly poolSize?: number;
  /** Called when the embedded database opens in its own thread, so that the caller's may be busy until it has. */
  readonly onBegun?: () => void;
}

const POOL_SIZE = 10;
/** Longest wait for a connection to a server, ms: a request should be told "down" before its own client gives up. */
const CONNECT_TIMEOUT_MS = 5_000;
/** How often a server that is down is tried again, ms. */
const PROBE_EVERY_MS = 1_000;
const OLDEST_SERVER = 150_000;

/** Opens the store. @throws DIRECTORY_LOCKED, STORE_NOT_DURABLE, STORE_UNAVAILABLE, DATABASE_UNSUPPORTED, STORE_FULL */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const backend = await openBackend(options);
  const database = new PooledDatabase(backend, options);
  backend.startMaintenance?.((sql) => database.query(sql));
  if (backend.kind === "server") {
    try {
      await checkServerVersion(database);
    } catch (error) {
      await database.close();
      throw error;
    }
  }
  return database;
}

async function openBackend(options: DatabaseOptions): Promise<Backend> {
  const { url, directory, systemClock: clock, logger, template, onBegun } = options;
  if (url !== undefined) {
    await dropPreparedThread();
    return serverBackend(url);
  }
  if (directory !== undefined) return await embeddedBackend({ directory, clock, logger, template, onBegun });
  throw fail("CONFIG_INVALID", {
    message: "The database has neither a URL nor a directory.",
    remedy: "Set DATABASE_URL or the data directory.",
  });
}

function serverBackend(url: string): Backend {
  return {
    kind: "server",
    connection: { connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, keepAlive: true },
    health: new HealthMonitor(),
    healthFromQueries: true,
    close: async () => {},
  };
}

async function checkServerVersion(database: Database): Promise<void> {
  const { rows } = await database.query<{ version: number; text: string }>(
    "select current_setting('server_version_num')::int as version, current_setting('server_version') as text",
  );
  const { version, text } = rows[0] as { version: number; text: string };
  const refusal = unsupportedVersion(version, text);
  if (refusal) throw refusal;
}

/** The error to throw for a server too old; `version` as in server_version_num, 150020 for 15.20. */
export function unsupportedVersion(version: number, text: string): Error | undefined {
  if (version >= OLDEST_SERVER) return undefined;
  return fail("DATABASE_UNSUPPORTED", {
    message: `The PostgreSQL server has version ${text}; version 15 or later is needed.`,
    remedy: "Upgrade the server, or leave DATABASE_URL away to use the embedded database.",
  });
}

/** A pg.Pool that refuses to lend a connection to code inside an open transaction. */
class GuardedPool extends pg.Pool {
  readonly #refusal: () => Error | undefined;

  constructor(config: pg.PoolConfig, refusal: () => Error | undefined) {
    super(config);
    this.#refusal = refusal;
    // Errors of idle connections are told by the next query; without a listener they would end the process.
    this.on("error", () => {});
    this.on("connect", (client) => client.on("error", () => {}));
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(
    callback: (error: Error | undefined, client: pg.PoolClient | undefined, done: (release?: unknown) => void) => void,
  ): void;
  override connect(callback?: (...args: never[]) => void): Promise<pg.PoolClient> | void {
    const refusal = this.#refusal();
    if (!refusal) return callback ? super.connect(callback as never) : super.connect();
    if (!callback) return Promise.reject(refusal);
    process.nextTick(callback as (...args: unknown[]) => void, refusal, undefined, () => {});
  }
}

class PooledDatabase implements Database {
  readonly kind: Database["kind"];
  readonly pool: pg.Pool;
  readonly kysely: Kysely<Tables>;
  readonly #backend: Backend;
  readonly #clock: SystemClock;
  readonly #transactions: Transactions;
  readonly #notifications: Notifications;
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;

  constructor(backend: Backend, options: DatabaseOptions) {
    this.kind = backend.kind;
    this.#backend = backend;
    this.#clock = options.systemClock;
    const config = { max: options.poolSize ?? POOL_SIZE, ...backend.connection };
    this.pool = new GuardedPool(config, () => this.#transactions.nested("The pool"));
    this.#transactions = new Transactions({
      connect: () => this.#connect(),
      clock: options.systemClock,
      limits: options.transactionLimits ?? TRANSACTION_LIMITS,
    });
    this.#notifications = new Notifications({
      createClient: () => new pg.Client(backend.connection),
      clock: options.systemClock,
      logger: options.logger ?? silentLogger,
    });
    this.kysely = kyselyOver((text, params) => this.#send(text, params));
    if (backend.healthFromQueries) backend.health.listen((health) => void this.#probe(health));
  }

  async query<R = Record<string, unknown>>(sql: string, params: readonly unknown[] = []): Promise<QueryResult<R>> {
    const result = await this.#send(sql, params);
    return { rows: result.rows as R[], rowCount: result.rowCount ?? 0 };
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>, options?: { readonly label?: string }): Promise<T> {
    const site = new Error("opened here");
    return this.#noting(() => this.#transactions.run(work, options?.label, site));
  }

  listen(channel: string, onNotify: (payload: string) => void): Promise<() => Promise<void>> {
    return this.#notifications.listen(channel, onNotify);
  }

  health(): DatabaseHealth {
    return this.#backend.health.current;
  }

  look(): void {
    this.#backend.look?.();
  }

  onHealth(listener: (health: DatabaseHealth) => void): () => void {
    return this.#backend.health.listen(listener);
  }

  onUnavailable(listener: (reason: string) => void): () => void {
    return this.#backend.health.listen((health) => {
      if (health.state === "down") listener(health.reason);
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort(new Error("closing"));
    this.#backend.beforeClose?.();
    await this.#notifications.close();
    await this.pool.end();
    await this.#backend.close();
  }

  async #connect(): Promise<pg.PoolClient> {
    if (this.#closed) throw unavailable("it was closed");
    try {
      return await this.pool.connect();
    } catch (error) {
      throw translateDatabaseError(error);
    }
  }

  #send(text: string, params: readonly unknown[]): Promise<pg.QueryResult> {
    return this.#noting(async () => {
      const client = await this.#connect();
      let broken: Error | undefined;
      try {
        return await sendOn(client, text, params);
      } catch (error) {
        // A statement's own error leaves the connection usable; dropping it each time would cost a new one per conflict.
        if (isUnavailable(error)) broken = error as Error;
        throw error;
      } finally {
        client.release(broken);
      }
    });
  }

  /** Runs the work and learns from its outcome whether the store answers. */
  async #noting<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#backend.healthFromQueries) return await work();
    try {
      const result = await work();
      this.#backend.health.up();
      return result;
    } catch (error) {
      if (isUnavailable(error) && !this.#closed) this.#backend.health.down((error as Error).message);
      throw error;
    }
  }

  /** Asks a server that went down until it answers, so that health turns to up without traffic. */
  async #probe(health: DatabaseHealth): Promise<void> {
    if (health.state === "up") return;
    while (this.#backend.health.current.state === "down" && !this.#closing.signal.aborted) {
      try {
        await this.#clock.sleep(PROBE_EVERY_MS, this.#closing.signal);
        await this.query("select 1");
      } catch {
        // Still down, or closing: the loop's condition tells which.
      }
    }
  }
}
