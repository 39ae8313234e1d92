/**
 * What both engines do with a step's function, its result and its error, so that a workflow cannot tell them apart: results
 * are JSON, errors survive storage as RetrainErrors, and a step that failed for a passing reason is tried again.
 */
import {
  asRetrainError,
  ERROR_CODES,
  type ErrorCode,
  fail,
  type Json,
  type JsonObject,
  RetrainError,
  type StepControl,
  type SystemClock,
} from "../core/index.ts";

/** First wait before a step is tried again, ms; doubled each time. A restarting database is back within a few of them. */
const RETRY_WAIT_MS = 200;
const MAX_RETRY_WAIT_MS = 10_000;

export interface StepAttempts {
  readonly run: (control: StepControl) => Promise<Json>;
  readonly maxAttempts: number;
  readonly signal: AbortSignal;
  readonly systemClock: SystemClock;
}

/** Runs the function until it succeeds, fails for good, or the attempts are used up. @returns a plain JSON copy of its result */
export async function attemptStep(step: StepAttempts): Promise<Json> {
  for (let attempt = 1; ; attempt++) {
    try {
      return plainJson(await step.run({ attempt, signal: step.signal }));
    } catch (error) {
      if (attempt >= step.maxAttempts || step.signal.aborted || !mayPass(error)) throw error;
      const wait = Math.min(MAX_RETRY_WAIT_MS, RETRY_WAIT_MS * 2 ** (attempt - 1));
      await step.systemClock.sleep(wait, step.signal);
    }
  }
}

/** Whether trying again can help: a refused value (4xx) stays refused. */
function mayPass(error: unknown): boolean {
  return !(error instanceof RetrainError) || error.retryable || error.status >= 500;
}

/** The value as it would come back from storage. @throws NUMBER_NOT_FINITE instead of JSON's silent null */
export function plainJson(value: Json | undefined): Json {
  const text = JSON.stringify(value ?? null, (key, inner: unknown) => {
    if (typeof inner === "number" && !Number.isFinite(inner)) {
      throw fail("NUMBER_NOT_FINITE", {
        message: `A step returned ${inner} in "${key}"; step results are stored as JSON, which has no such number.`,
        remedy: "Return null where a value is missing.",
      });
    }
    return inner;
  });
  return JSON.parse(text) as Json;
}

/** What is stored of an error. */
export interface StoredError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
  readonly details: JsonObject;
}

/** The error as JSON text with code, message, remedy and details: `WorkflowStatus.error`. */
export function errorText(error: unknown): string {
  const { code, message, remedy, details } = revivedError(error);
  return JSON.stringify({ code, message, remedy, details } satisfies StoredError);
}

/** An error that came back from storage, with its class again; a foreign one becomes INTERNAL. */
export function revivedError(error: unknown): RetrainError {
  if (error instanceof RetrainError) return error;
  const stored = error as Partial<StoredError> & { retryable?: boolean };
  if (typeof stored?.code !== "string" || !Object.hasOwn(ERROR_CODES, stored.code)) return asRetrainError(error);
  return new RetrainError(stored.code, {
    message: String(stored.message),
    remedy: String(stored.remedy ?? ""),
    details: stored.details ?? {},
    retryable: stored.retryable === true,
  });
}
