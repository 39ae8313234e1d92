/**
 * Errors as problem+json (RFC 9457). Foreign errors of Fastify are translated here, once, so every answer that is not 2xx has
 * the same shape, a stable code and a hint. A mistake of ours (INTERNAL) tells the caller nothing but the request id.
 */
import { ERROR_CODES, type ErrorCode, fail, type Logger, nearestWord, RetrainError } from "../core/index.ts";
import type { Problem } from "./contract.ts";

interface ForeignError {
  readonly code?: string;
  readonly message: string;
  readonly statusCode?: number;
  readonly validation?: readonly {
    readonly keyword: string;
    readonly instancePath: string;
    readonly message?: string;
    readonly params: Readonly<Record<string, unknown>>;
    readonly parentSchema?: { readonly properties?: Readonly<Record<string, unknown>> };
  }[];
  readonly validationContext?: string;
}

const UNREADABLE_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: "BODY_TOO_LARGE",
  FST_REQ_FILE_TOO_LARGE: "BODY_TOO_LARGE",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "FORMAT_UNSUPPORTED",
  FST_INVALID_MULTIPART_CONTENT_TYPE: "FORMAT_UNSUPPORTED",
  FST_ERR_CTP_INVALID_JSON_BODY: "BODY_INVALID",
  FST_ERR_CTP_EMPTY_JSON_BODY: "BODY_INVALID",
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: "BODY_INVALID",
  FST_ERR_BAD_URL: "NOT_FOUND",
  FST_ERR_MAX_PARAM_LENGTH: "NOT_FOUND",
};

const REMEDIES: Partial<Record<ErrorCode, string>> = {
  BODY_TOO_LARGE: "Send fewer rows per request, or send NDJSON or CSV without an Idempotency-Key: those are streamed.",
  FORMAT_UNSUPPORTED:
    "Send application/json, application/x-ndjson, text/csv, application/vnd.apache.parquet or one file as multipart/form-data, where the route takes it.",
  BODY_INVALID: "Send a JSON body that fits the route; /openapi.json describes it.",
  NOT_FOUND: "See /openapi.json for the routes.",
};

/** Any thrown thing as a RetrainError whose message may be shown to the caller. */
export function translate(error: unknown): RetrainError {
  if (error instanceof RetrainError) return error;
  const foreign = error as ForeignError;
  if (Array.isArray(foreign?.validation)) return validationFailure(foreign);
  const known = typeof foreign?.code === "string" ? UNREADABLE_CODES[foreign.code] : undefined;
  const isSyntax = error instanceof SyntaxError && foreign.statusCode === 400;
  const code: ErrorCode = known ?? (isSyntax ? "BODY_INVALID" : "INTERNAL");
  if (code === "INTERNAL" && foreign?.statusCode !== undefined && foreign.statusCode < 500) {
    return fail("BODY_INVALID", { message: foreign.message, remedy: REMEDIES.BODY_INVALID ?? "", cause: error });
  }
  return fail(code, {
    message: code === "INTERNAL" ? "The server made a mistake." : `${ERROR_CODES[code].meaning} ${foreign.message}.`,
    remedy: REMEDIES[code] ?? "Look for the request id in the server's log, and report it if it repeats.",
    cause: error,
  });
}

function validationFailure(foreign: ForeignError): RetrainError {
  const where = foreign.validationContext ?? "body";
  const found = (foreign.validation ?? []).slice(0, 5);
  const messages = found.map((item) => {
    const place = `${where}${item.instancePath}`;
    if (item.keyword === "additionalProperties") {
      return `${place} has an unknown key ${JSON.stringify(item.params["additionalProperty"])}.`;
    }
    const allowed = item.params["allowedValues"];
    const list = Array.isArray(allowed) ? `: ${allowed.join(", ")}` : "";
    return `${place} ${item.message ?? "is not valid"}${list}.`;
  });
  const unknown = found.find((item) => item.keyword === "additionalProperties");
  const keys = Object.keys(unknown?.parentSchema?.properties ?? {});
  const nearest = unknown ? nearestWord(String(unknown.params["additionalProperty"]), keys) : undefined;
  return fail("BODY_INVALID", {
    message: messages.join(" "),
    remedy:
      nearest === undefined
        ? "Correct the fields named above; /openapi.json lists them."
        : `Did you mean "${nearest}"?`,
  });
}

export function problemOf(error: RetrainError, requestId: string): Problem {
  const info = ERROR_CODES[error.code];
  const isOurs = error.code === "INTERNAL";
  return {
    type: `urn:retrain:error:${error.code}`,
    title: info.meaning,
    status: info.status,
    code: error.code,
    detail: isOurs ? "The server made a mistake; its log has the details." : error.message,
    hint: isOurs ? `Look for request ${requestId} in the server's log, and report it if it repeats.` : error.remedy,
    requestId,
    ...(Object.keys(error.details).length === 0 ? {} : { details: error.details }),
  };
}

/** Writes what the answer left out: the cause of our own mistakes, never of the caller's. */
export function logProblem(logger: Logger, error: RetrainError, request: { id: string; method: string; url: string }) {
  if (error.status < 500) return;
  const cause = error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : "";
  const path = request.url.split("?", 1)[0] ?? "";
  logger.error(
    { requestId: request.id, method: request.method, path, code: error.code, cause },
    `request failed: ${error.message}`,
  );
}
