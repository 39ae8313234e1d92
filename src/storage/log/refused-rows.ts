/**
 * Which rows of a request the store refuses. The insert takes them as one statement, so its error names none: the request is tried by
 * halves, in transactions that never commit, until the refused rows stand alone.
 */
import { type AppendRequest, fail, type Instant, type RefusedRow, RetrainError } from "../../core/index.ts";
import type { SqlDatabase } from "../sql.ts";
import { insertEvents } from "./append-sql.ts";
import { encodeRequest } from "./block.ts";

/** Each costs some ten trials, for which everybody's rows wait: a request with more of them has another problem than its rows. */
const MOST_REFUSED = 50;

class TrialError extends Error {}

/** Rows that have no text form, which is found before anything is sent. Cost: the encoding again. */
export function unencodableRows(request: AppendRequest): readonly RefusedRow[] {
  const refused: RefusedRow[] = [];
  for (const [index, event] of request.events.entries()) {
    try {
      encodeRequest({ model: request.model, events: [event] });
    } catch (error) {
      if (!(error instanceof RetrainError)) throw error;
      refused.push({ index, code: error.code, message: error.message });
    }
  }
  return refused;
}

/** Empty where every row by itself is welcome, or too many are not. @throws STORE_UNAVAILABLE, STORE_FULL */
export async function rowsRefusedByStore(
  database: SqlDatabase,
  request: AppendRequest,
  receivedAt: Instant,
): Promise<readonly RefusedRow[]> {
  const refused: RefusedRow[] = [];
  const search = async (from: number, to: number): Promise<void> => {
    const message = await refusalOf(database, slice(request, from, to), receivedAt);
    if (message === undefined || refused.length > MOST_REFUSED) return;
    if (to - from === 1) {
      refused.push({ index: from, code: "ROW_INVALID", message });
      return;
    }
    const middle = from + Math.floor((to - from) / 2);
    await search(from, middle);
    await search(middle, to);
  };
  if (request.events.length > 0) await search(0, request.events.length);
  return refused.length > MOST_REFUSED ? [] : refused;
}

function slice(request: AppendRequest, from: number, to: number): AppendRequest {
  const { model, events, knownAt } = request;
  return {
    model,
    events: events.slice(from, to),
    ...(knownAt === undefined ? {} : { knownAt: knownAt.slice(from, to) }),
  };
}

/** What the store says to these rows; undefined where it would take them. */
async function refusalOf(
  database: SqlDatabase,
  request: AppendRequest,
  receivedAt: Instant,
): Promise<string | undefined> {
  try {
    await database.transaction(async (transaction) => {
      await insertEvents(transaction, [encodeRequest(request)], receivedAt);
      throw new TrialError("only tried");
    });
    return undefined;
  } catch (error) {
    if (error instanceof TrialError) return undefined;
    if (error instanceof RetrainError && error.retryable) throw error;
    return error instanceof Error ? error.message : String(error);
  }
}

export function rowsRefused(rows: readonly RefusedRow[], cause: unknown): RetrainError {
  const [first] = rows as readonly [RefusedRow, ...RefusedRow[]];
  return fail("ROW_INVALID", {
    message: `${rows.length === 1 ? "A row" : `${rows.length} rows`} of the request cannot be stored; nothing of it was. Row ${first.index + 1}: ${first.message}`,
    remedy: "Send the request without these rows; details.rows names them.",
    details: { rows: rows as never },
    cause,
  });
}
