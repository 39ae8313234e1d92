/** Ingest: observations and labels, as JSON, NDJSON, CSV, Parquet, or one uploaded file. Rows are refused one by one, never the delivery. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { checkName, fail, LABEL_PRECEDENCE, type LabelSource } from "../../core/index.ts";
import type { IngestRequest, IngestResult } from "../../loop/contract.ts";
import type { AccessRule } from "../access.ts";
import { openBody } from "../body-rows.ts";
import { addRoute, modelName, object, oneOf, type ServerContext, text } from "../route.ts";
import { defined } from "./models.ts";

const MODEL = object({ model: modelName }, ["model"]);
const ROWS_BODY = {
  description:
    "One row, an array of rows, {rows: […]} or {labels: […]}; or a body of text/csv, application/x-ndjson, application/vnd.apache.parquet.",
};
const LABEL_SOURCE = oneOf(...LABEL_PRECEDENCE);
const EXAMPLES_QUERY = object({
  form: oneOf("observation", "label"),
  knownAt: text(64),
  missing: { type: "string", maxLength: 500 },
  origin: text(64),
  labelSource: LABEL_SOURCE,
});
const LABELS_QUERY = object({ knownAt: text(64), origin: text(64), labelSource: LABEL_SOURCE });

interface IngestQuery {
  readonly form?: "observation" | "label";
  readonly knownAt?: string;
  readonly missing?: string;
  readonly origin?: string;
  readonly labelSource?: LabelSource;
}

export function addExampleRoutes(app: FastifyInstance, context: ServerContext): void {
  // In a scope of their own: only these routes take bodies that are not JSON, as streams.
  app.register(async (scope) => {
    // What cannot be read is refused by the handler, which says what can.
    scope.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
    const add = (kind: "examples" | "labels", access: AccessRule, query: object, form: "observation" | "label") =>
      addRoute(scope, context, {
        method: "POST",
        url: `/api/v1/models/:model/${kind}`,
        summary: form === "label" ? "Send labels by example or prediction id" : "Send rows, with or without labels",
        tag: "data",
        access,
        params: MODEL,
        query: query as Readonly<Record<string, unknown>>,
        // Rows are checked by the model's own schema, each for itself.
        openApiBody: ROWS_BODY,
        idempotent: false,
        answer: "IngestAnswer",
        handler: async (request) => ingestBody(context, request, form),
      });
    add("examples", { role: "labeler", scope: "ingest" }, EXAMPLES_QUERY, "observation");
    add("labels", { role: "labeler", scope: "label" }, LABELS_QUERY, "label");
  });
}

async function ingestBody(
  context: ServerContext,
  request: FastifyRequest,
  defaultForm: "observation" | "label",
): Promise<IngestResult> {
  const { loop, idempotency } = context;
  const { model } = request.params as { model: string };
  loop.model(model);
  const query = request.query as IngestQuery;
  const form = query.form ?? defaultForm;
  const { labelSource } = query;
  const origin = query.origin === undefined ? "http" : checkName("Origin", query.origin);
  const missing = query.missing?.split(",").filter((word) => word !== "");
  const options = { model, form, origin, ...defined({ labelSource, missing, knownAt: knownAtOf(query.knownAt) }) };
  const key = idempotency.keyOf(request);
  const run = async () => {
    const { rows, payloadHash } = await openBody(request, { form, hash: key !== undefined });
    const keyed = defined({ idempotencyKey: key, payloadHash });
    return loop.ingest({ ...options, rows, ...keyed } as IngestRequest);
  };
  return key === undefined ? run() : idempotency.exclusive(key, run);
}

function knownAtOf(value: string | undefined): IngestRequest["knownAt"] {
  if (value === undefined) return undefined;
  if (value === "at+labelDelay") return value;
  if (/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(value)) return { column: value };
  throw fail("BODY_INVALID", {
    message: `knownAt is ${JSON.stringify(value)}.`,
    remedy: "Name a column, or write `at+labelDelay` (with the plus sign as %2B).",
  });
}
