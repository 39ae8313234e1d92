/**
 * The store's pool as the durable-execution library understands it. The library waits through an outage when an error looks like
 * PostgreSQL's own (SQLSTATE class 08 or 53), and otherwise records it as the outcome of the step, which would fail a training
 * run for a database that was away for a second. The store's errors speak our language; here they are translated back.
 */
import type { Pool, PoolClient } from "pg";
import { RetrainError } from "../core/index.ts";

const CONNECTION_FAILURE = "08006";
const DISK_FULL = "53100";

class DatabaseAway extends Error {
  readonly code: string;
  constructor(cause: RetrainError) {
    super(cause.message, { cause });
    this.name = "DatabaseAway";
    this.code = cause.code === "STORE_FULL" ? DISK_FULL : CONNECTION_FAILURE;
  }
}

function toLibrary(error: unknown): unknown {
  return error instanceof RetrainError && error.retryable ? new DatabaseAway(error) : error;
}

/** The store's own error inside what came out of the library. */
export function fromLibrary(error: unknown): unknown {
  return error instanceof DatabaseAway ? error.cause : error;
}

export function retryingPool(pool: Pool): Pool {
  return facade(pool, {
    query: (...args: never[]) => rethrown((pool.query as Call).apply(pool, args)),
    connect: async () => {
      const client = await rethrown(pool.connect());
      return facade(client as PoolClient, {
        query: (...args: never[]) => rethrown((client.query as Call).apply(client, args)),
      });
    },
  });
}

type Call = (...args: never[]) => Promise<unknown>;

async function rethrown<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw toLibrary(error);
  }
}

/** The object with some methods replaced; everything else, setters included, is the object itself. */
function facade<T extends object>(target: T, methods: Readonly<Record<string, unknown>>): T {
  return new Proxy(target, {
    get(object, key) {
      if (typeof key === "string" && Object.hasOwn(methods, key)) return methods[key];
      const value: unknown = Reflect.get(object, key, object);
      return typeof value === "function" ? (value as (...args: unknown[]) => unknown).bind(object) : value;
    },
    set: (object, key, value) => Reflect.set(object, key, value, object),
  });
}
