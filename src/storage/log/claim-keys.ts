/** Idempotency keys, stored in the transaction of the events they guard. */
import { type AppendResult, fail, type Instant, type Json, type RetrainError } from "../../core/index.ts";
import { bodyOf, parseBody, type Queryable } from "../sql.ts";
import type { EncodedRequest } from "./block.ts";

/** What a request of a batch is answered: its result, or why it alone was refused. */
export type Outcome = AppendResult | RetrainError;

/** Stores the keys of the batch; returns what to answer to a request whose key was used before, and undefined for a new one. */
export async function claimKeys(
  transaction: Queryable,
  batch: readonly EncodedRequest[],
  systemNow: Instant,
): Promise<(Outcome | undefined)[]> {
  const outcomes: (Outcome | undefined)[] = batch.map(() => undefined);
  const first = new Map<string, { hash: string; response: Json }>();
  for (const { request } of batch) {
    const { idempotency } = request;
    if (idempotency && !first.has(idempotency.key)) first.set(idempotency.key, idempotency);
  }
  if (first.size === 0) return outcomes;
  const keys = [...first.keys()].sort();
  const { rows } = await transaction.query(
    `insert into idempotency (key, hash, response, created_at)
     select k, h, r, $4 from unnest($1::text[], $2::text[], string_to_array($3, E'\\n')) as t (k, h, r)
     on conflict (key) do nothing returning key`,
    [
      keys,
      keys.map((key) => first.get(key)?.hash ?? ""),
      keys.map((key) => bodyOf(first.get(key)?.response)).join("\n"),
      systemNow,
    ],
  );
  const fresh = new Set(rows.map((row) => row["key"] as string));
  const known = new Map(first);
  const used = keys.filter((key) => !fresh.has(key));
  if (used.length > 0) {
    const stored = await transaction.query("select key, hash, response from idempotency where key = any ($1::text[])", [
      used,
    ]);
    for (const row of stored.rows) {
      known.set(row["key"] as string, { hash: row["hash"] as string, response: parseBody<Json>(row["response"]) });
    }
  }
  for (let i = 0; i < batch.length; i++) {
    const { idempotency } = (batch[i] as EncodedRequest).request;
    if (!idempotency) continue;
    // The first request with a fresh key writes; a second one in the same batch is already a repetition.
    if (fresh.delete(idempotency.key)) continue;
    const stored = known.get(idempotency.key) as { hash: string; response: Json };
    outcomes[i] =
      stored.hash === idempotency.hash
        ? { receivedAt: responseInstant(stored.response), replayed: stored.response }
        : mismatch();
  }
  return outcomes;
}

/** The first answer's own instant where it told one; 0 otherwise: the caller sends the stored response, not this. */
function responseInstant(response: Json): Instant {
  const instant = typeof response === "object" && response !== null && "receivedAt" in response && response.receivedAt;
  return typeof instant === "number" ? instant : 0;
}

/** The stored key is a hash of the caller's, who would not know it. */
function mismatch(): RetrainError {
  return fail("IDEMPOTENCY_MISMATCH", {
    message: "This Idempotency-Key was used with another payload.",
    remedy: "Use a new key for a new payload; repeat a payload only with its own key.",
  });
}
