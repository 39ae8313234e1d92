/** Errors of the client: what the server said, or that it said nothing. */
import type { JsonObject, Problem } from "../server/contract.ts";

export class RetrainApiError extends Error {
  /** A code of docs/errors.md, `SERVER_UNREACHABLE` when nobody answered, `ANSWER_UNREADABLE` when something else did. */
  readonly code: string;
  /** HTTP status, or 0 when nobody answered. */
  readonly status: number;
  /** How to fix it. */
  readonly hint: string;
  readonly requestId: string | undefined;
  readonly details: JsonObject;

  constructor(problem: Pick<Problem, "code" | "status" | "detail" | "hint"> & Partial<Problem>, cause?: unknown) {
    super(problem.detail, cause === undefined ? undefined : { cause });
    this.name = "RetrainApiError";
    this.code = problem.code;
    this.status = problem.status;
    this.hint = problem.hint;
    this.requestId = problem.requestId;
    this.details = problem.details ?? {};
  }
}

export function unreachable(url: string, cause: unknown): RetrainApiError {
  const why = cause instanceof Error ? describe(cause) : String(cause);
  return new RetrainApiError(
    {
      code: "SERVER_UNREACHABLE",
      status: 0,
      detail: `No server answers at ${url}: ${why}.`,
      hint: "Start one with `retrain start`, or name its address with --url or RETRAIN_URL.",
    },
    cause,
  );
}

/** fetch says "fetch failed" and hides the reason in `cause`. */
function describe(error: Error): string {
  const inner = error.cause;
  if (inner instanceof Error && inner.message !== "") return inner.message;
  const code = (inner as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : error.message;
}

/** The error of an answer that is not 2xx. */
export async function errorOf(response: Response): Promise<RetrainApiError> {
  const text = await response.text().catch(() => "");
  try {
    const problem = JSON.parse(text) as Problem;
    if (typeof problem.code === "string" && typeof problem.detail === "string") return new RetrainApiError(problem);
  } catch {
    // Not ours: a proxy's page, most likely.
  }
  return new RetrainApiError({
    code: "ANSWER_UNREADABLE",
    status: response.status,
    detail: `The server answered ${response.status} without a reason: ${text.slice(0, 200)}`,
    hint: "Is this the address of a retrain server?",
  });
}
