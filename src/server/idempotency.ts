/**
 * Idempotency-Key on POST: the first request with a key does the work, a repeat gets the stored answer, the same key with another
 * payload is refused (422), and a repeat while the first is under way is told so (409). Ingest stores its answer in the same
 * transaction as the rows; the other routes store it after their effect, which is itself idempotent where it matters.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { canonicalJson, fail, type Json, type Store, sha256Hex } from "../core/index.ts";

const KEY_PATTERN = /^[\x21-\x7e]{1,255}$/;

export class Idempotency {
  readonly #store: Store;
  readonly #inFlight = new Set<string>();

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * The stored key of a request, or undefined when it has none. The path is part of it, so that one key on two routes is two keys;
   * the body is not: that is what the hash is for.
   * @throws BODY_INVALID for a malformed key
   */
  keyOf(request: FastifyRequest): string | undefined {
    const header = request.raw.headers["idempotency-key"];
    if (header === undefined) return undefined;
    if (typeof header !== "string" || !KEY_PATTERN.test(header)) {
      throw fail("BODY_INVALID", {
        message: "The Idempotency-Key header must be 1 to 255 visible ASCII characters.",
        remedy: "Send a UUID.",
      });
    }
    const path = request.raw.url?.split("?", 1)[0] ?? "";
    return sha256Hex(`${request.raw.method}\n${path}\n${header}`);
  }

  /** Runs `work` unless another request with the key is under way. @throws IDEMPOTENCY_IN_FLIGHT */
  async exclusive<T>(key: string, work: () => Promise<T>): Promise<T> {
    if (this.#inFlight.has(key)) {
      throw fail("IDEMPOTENCY_IN_FLIGHT", {
        message: "A request with this Idempotency-Key is still under way.",
        remedy: "Wait for its answer, or repeat in a moment.",
        retryable: true,
      });
    }
    this.#inFlight.add(key);
    try {
      return await work();
    } finally {
      this.#inFlight.delete(key);
    }
  }

  /** The answer of a POST whose answer is stored after the work. Errors are not stored: a repeat tries again. */
  async answer(request: FastifyRequest, reply: FastifyReply, work: () => Promise<unknown>): Promise<unknown> {
    const key = this.keyOf(request);
    if (key === undefined) return work();
    const hash = sha256Hex(canonicalJson({ query: request.query ?? {}, body: request.body ?? null }));
    return this.keyed({ key, hash }, reply, work);
  }

  /** The same for a body that was hashed by the caller. @throws IDEMPOTENCY_MISMATCH, IDEMPOTENCY_IN_FLIGHT */
  async keyed(
    { key, hash }: { readonly key: string; readonly hash: string },
    reply: FastifyReply,
    work: () => Promise<unknown>,
  ): Promise<unknown> {
    return this.exclusive(key, async () => {
      const stored = await this.#store.settings.idempotent(key);
      if (stored !== undefined) {
        if (stored.hash !== hash) throw mismatch();
        const kept = stored.response as { status: number; body: Json };
        reply.code(kept.status).header("idempotent-replayed", "true");
        return kept.body;
      }
      const body = (await work()) as Json;
      await this.#store.settings.saveIdempotent(key, hash, { status: reply.statusCode, body: body ?? null });
      return body;
    });
  }
}

function mismatch() {
  return fail("IDEMPOTENCY_MISMATCH", {
    message: "This Idempotency-Key was used with another payload.",
    remedy: "Use a new key for a new request.",
  });
}
