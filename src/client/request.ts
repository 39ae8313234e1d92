/**
 * One request with retries. A POST carries an Idempotency-Key that stays the same over its retries, so that a lost answer never
 * does the work twice. Retried are: no answer at all, 429, 502, 503, 504, and 409 for a key whose first request is under way.
 */
import { errorOf, type RetrainApiError, unreachable } from "./errors.ts";

export interface Transport {
  readonly baseUrl: string;
  readonly token: string | undefined;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly fetch: typeof globalThis.fetch;
}

/** What fetch takes as a body: text, bytes, a form, a stream. */
export type RequestBody = NonNullable<RequestInit["body"]>;

export interface RequestOptions {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly json?: unknown;
  readonly body?: RequestBody;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  /** Default: a fresh UUID for POST. `null`: none, for large streamed bodies and predictions. */
  readonly idempotencyKey?: string | null;
  /** 0: no limit. */
  readonly timeoutMs?: number;
}

const RETRIED = new Set([429, 502, 503, 504]);
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5000;

export function urlOf(transport: Transport, path: string, query: RequestOptions["query"] = {}): string {
  const url = new URL(`${transport.baseUrl}/api/v1${path}`);
  for (const [key, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(key, String(value));
  return url.href;
}

export function headersOf(transport: Transport): Record<string, string> {
  return transport.token === undefined ? {} : { authorization: `Bearer ${transport.token}` };
}

export async function send<T>(transport: Transport, options: RequestOptions): Promise<T> {
  const init = requestInit(transport, options);
  // A stream can be read once: it must not be sent again.
  const isRepeatable = !(options.body instanceof ReadableStream) && (options.method !== "POST" || hasKey(init));
  for (let attempt = 0; ; attempt++) {
    const outcome = await attemptOnce<T>(transport, options, init);
    if ("value" in outcome) return outcome.value;
    const isFinal = !isRepeatable || !outcome.retry || attempt >= transport.retries || options.signal?.aborted === true;
    if (isFinal) throw outcome.error;
    await wait(outcome.afterMs ?? backoffMs(attempt), options.signal);
  }
}

/** The bytes of a file the API offers; errors are problems as everywhere. */
export async function download(
  transport: Transport,
  path: string,
  query?: RequestOptions["query"],
): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await transport.fetch(urlOf(transport, path, query), { headers: headersOf(transport) });
  } catch (cause) {
    throw unreachable(transport.baseUrl, cause);
  }
  if (!response.ok) throw await errorOf(response);
  return new Uint8Array(await response.arrayBuffer());
}

function requestInit(transport: Transport, options: RequestOptions): RequestInit & { headers: Record<string, string> } {
  const headers = headersOf(transport);
  headers["accept"] = "application/json";
  if (options.method === "POST" && options.idempotencyKey !== null) {
    headers["idempotency-key"] = options.idempotencyKey ?? freshKey();
  }
  if (options.body !== undefined) {
    if (options.contentType !== undefined) headers["content-type"] = options.contentType;
    return { method: options.method, headers, body: options.body, ...streamed(options.body) };
  }
  if (options.method !== "POST") return { method: options.method, headers };
  headers["content-type"] = "application/json";
  return { method: "POST", headers, body: JSON.stringify(options.json ?? {}) };
}

const hasKey = (init: { headers: Record<string, string> }) => init.headers["idempotency-key"] !== undefined;
/** Node demands the word for a body that is a stream. */
const streamed = (body: RequestBody) => (body instanceof ReadableStream ? { duplex: "half" as const } : {});

type Outcome<T> =
  | { readonly value: T }
  | { readonly error: RetrainApiError; readonly retry: boolean; readonly afterMs?: number };

async function attemptOnce<T>(transport: Transport, options: RequestOptions, init: RequestInit): Promise<Outcome<T>> {
  const url = urlOf(transport, options.path, options.query);
  const timeoutMs = options.timeoutMs ?? transport.timeoutMs;
  const signals = [options.signal, timeoutMs > 0 ? AbortSignal.timeout(timeoutMs) : undefined].filter(
    (signal) => signal !== undefined,
  );
  let response: Response;
  try {
    response = await transport.fetch(url, {
      ...init,
      ...(signals.length > 0 ? { signal: AbortSignal.any(signals) } : {}),
    });
    if (response.ok) return { value: (await response.json()) as T };
  } catch (cause) {
    return { error: unreachable(transport.baseUrl, cause), retry: options.signal?.aborted !== true };
  }
  const error = await errorOf(response);
  const retry = RETRIED.has(response.status) || error.code === "IDEMPOTENCY_IN_FLIGHT";
  const afterSeconds = Number(response.headers.get("retry-after"));
  return afterSeconds > 0 ? { error, retry, afterMs: afterSeconds * 1000 } : { error, retry };
}

/** Exponential with jitter, so that many clients do not return at once. */
function backoffMs(attempt: number): number {
  const full = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS << Math.min(attempt, 16));
  return full / 2 + (full / 2) * unitRandom();
}

function randomWords(count: number): Uint32Array {
  return globalThis.crypto.getRandomValues(new Uint32Array(count));
}

function unitRandom(): number {
  return (randomWords(1)[0] as number) / 4_294_967_296;
}

function freshKey(): string {
  return [...randomWords(4)].map((word) => word.toString(16).padStart(8, "0")).join("");
}

function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    signal?.addEventListener("abort", done, { once: true });
  });
}
