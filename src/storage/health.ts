/** Whether the database answers. Kept by both back-ends: a failed query tells it down, an answered one tells it up. */
import { asRetrainError, fail, type RetrainError } from "../core/index.ts";

export type DatabaseHealth = { readonly state: "up" } | { readonly state: "down"; readonly reason: string };

type Listener = (health: DatabaseHealth) => void;

export class HealthMonitor {
  #current: DatabaseHealth = { state: "up" };
  readonly #listeners = new Set<Listener>();

  get current(): DatabaseHealth {
    return this.#current;
  }

  /** Returns the function that removes the listener. Called on every change of state, not on a repeated reason. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  down(reason: string): void {
    const changed = this.#current.state === "up";
    this.#current = { state: "down", reason };
    if (changed) this.#tell();
  }

  up(): void {
    if (this.#current.state === "up") return;
    this.#current = { state: "up" };
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener(this.#current);
  }
}

const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT",
]);

/** SQLSTATE classes after which the server, not the statement, is at fault: connection, shutdown, too many connections. */
function isServerState(code: string): boolean {
  return code.startsWith("08") || code.startsWith("57P") || code === "53300" || code === "58030";
}

/** Texts of the driver's own errors, which carry no code. */
const DRIVER_TEXTS =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|Query read timeout|Connection ended)/;

export function isUnavailable(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === "string" && (UNREACHABLE.has(code) || code === "STORE_UNAVAILABLE" || isServerState(code))) {
    return true;
  }
  return typeof message === "string" && DRIVER_TEXTS.test(message);
}

export function unavailable(reason: string, cause?: unknown): RetrainError {
  return fail("STORE_UNAVAILABLE", {
    message: `The database cannot answer: ${reason}. The statement was not acknowledged.`,
    remedy:
      "Retry in a moment; if it lasts, look at the log of the store, the free disk space and the server's address.",
    retryable: true,
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * A driver's error as ours where it concerns the store itself: `STORE_UNAVAILABLE`, `STORE_FULL`. Errors of a statement
 * (SQLSTATE in `error.code`, such as 23505) pass unchanged, because only the caller knows what they mean.
 */
export function translateDatabaseError(error: unknown): Error {
  if (error instanceof Error && error.name === "RetrainError") return error;
  if (isUnavailable(error)) return unavailable((error as Error).message, error);
  if ((error as { code?: unknown }).code === "53100") {
    return fail("STORE_FULL", {
      message: `The disk of the database is full: ${(error as Error).message}.`,
      remedy: "Free space on the disk that holds the data directory; writing goes on by itself.",
      retryable: true,
      cause: error,
    });
  }
  return error instanceof Error ? error : asRetrainError(error);
}
