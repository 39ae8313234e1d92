/**
 * Statements that belong to one session. The embedded database has one session for all connections, and a pool hands a
 * server's sessions round, so a SET, a session-wide advisory lock, a temporary table or a LISTEN would reach strangers or
 * be lost. They are refused on both back-ends, so that the embedded one never meets them first in production.
 */
import { fail, type RetrainError } from "../core/index.ts";

const RULES: readonly { readonly pattern: RegExp; readonly what: string; readonly remedy: string }[] = [
  {
    pattern: /^\s*set\s+(?!local\b|transaction\b|constraints\b)/i,
    what: "SET without LOCAL",
    remedy: "Write SET LOCAL inside a transaction.",
  },
  {
    pattern: /\bpg_(try_)?advisory_lock(_shared)?\s*\(/i,
    what: "a session advisory lock",
    remedy: "Use pg_advisory_xact_lock inside a transaction, or a row with a lease.",
  },
  {
    pattern: /^\s*create\s+(?:(?:global|local)\s+)?temp(?:orary)?\s/i,
    what: "a temporary table",
    remedy: "Use a WITH query, or an ordinary table with a run id.",
  },
  {
    pattern: /^\s*(un)?listen\s/i,
    what: "LISTEN on a pooled connection",
    remedy: "Use database.listen(channel, ...).",
  },
  {
    pattern: /^\s*(prepare|deallocate|discard)\s/i,
    what: "a prepared statement by name",
    remedy: "Send the statement with its parameters.",
  },
  {
    pattern: /^\s*(begin|start\s+transaction|commit|rollback(?!\s+to)|end|abort)\b/i,
    what: "transaction control on a pooled connection",
    remedy: "Use database.transaction(fn), which also watches the time it stays open.",
  },
];

/** Only the beginning of a long statement is looked at: rules apply to how a statement starts or to short calls. */
const LOOKED_AT = 2_000;

/** The error to throw for a statement that one shared session cannot keep apart, or undefined. */
export function refusedStatement(text: string): RetrainError | undefined {
  const beginning = text.length > LOOKED_AT ? text.slice(0, LOOKED_AT) : text;
  for (const rule of RULES) {
    if (!rule.pattern.test(beginning)) continue;
    return fail("STATEMENT_REFUSED", {
      message: `The statement "${beginning.trim().slice(0, 80)}" is ${rule.what}, which connections of one pool cannot keep apart.`,
      remedy: rule.remedy,
    });
  }
  return undefined;
}
