/** Feedback of users: taken one by one or in bulk, listed, summed by version. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { fail, THUMBS } from "../../core/index.ts";
import type { FeedbackAnswer } from "../../loop/feedback/surface.ts";
import { openBody } from "../body-rows.ts";
import type { FeedbackQuery } from "../contract.ts";
import { page, pageRequest } from "../paging.ts";
import {
  addRoute,
  digits,
  modelName,
  numberOf,
  object,
  oneOf,
  pageQuery,
  type ServerContext,
  text,
  versionName,
} from "../route.ts";

const MODEL = object({ model: modelName }, ["model"]);
const BODY = {
  description:
    "One {predictionId, thumb?, value?, comment?, user?}, an array of them, {feedback: […]}, or a body of application/x-ndjson.",
};

export function addFeedbackRoutes(app: FastifyInstance, context: ServerContext): void {
  const { feedback } = context.loop;
  const modelOf = (request: FastifyRequest) => (request.params as { model: string }).model;
  const shared = { tag: "feedback", params: MODEL } as const;
  app.register(async (scope) => {
    scope.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
    addRoute(scope, context, {
      ...shared,
      method: "POST",
      url: "/api/v1/models/:model/feedback",
      summary: "Say something about answers: a thumb, a corrected value, a comment",
      access: { role: "labeler", scope: "label" },
      openApiBody: BODY,
      // The body may be a stream, whose hash is known once it was read.
      idempotent: false,
      answer: "FeedbackAnswer",
      handler: async (request, reply) => give(context, request, reply, modelOf(request)),
    });
  });
  addRoute(app, context, {
    ...shared,
    method: "GET",
    url: "/api/v1/models/:model/feedback",
    summary: "What users said, newest first",
    access: { role: "viewer" },
    query: object({
      ...pageQuery,
      thumb: oneOf(...THUMBS),
      has: oneOf("value", "comment"),
      predictionId: text(512),
      exampleId: text(512),
      version: versionName,
    }),
    answer: "Page of FeedbackRecord",
    handler: async (request) => {
      const { limit, cursor, ...filter } = request.query as Omit<FeedbackQuery, "limit"> & { limit?: string };
      const range = { ...(limit === undefined ? {} : { limit }), ...(cursor === undefined ? {} : { cursor }) };
      return page(pageRequest(range), (one) => feedback.list({ model: modelOf(request), ...filter, ...one }));
    },
  });
  addRoute(app, context, {
    ...shared,
    method: "GET",
    url: "/api/v1/models/:model/feedback/summary",
    summary: "Thumbs, corrections and comments by version",
    access: { role: "viewer" },
    query: object({ since: digits }),
    answer: "FeedbackSummary",
    handler: async (request) =>
      feedback.summary(modelOf(request), numberOf((request.query as { since?: string }).since)),
  });
}

async function give(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
  model: string,
): Promise<unknown> {
  const { loop, idempotency } = context;
  loop.model(model);
  const isOne = isSingle(request.body);
  const key = idempotency.keyOf(request);
  const { rows, payloadHash } = await openBody(request, { list: "feedback", hash: key !== undefined });
  const work = async () => answerOf(await loop.feedback.give(model, rows, request.actor.name), isOne);
  return key === undefined ? work() : idempotency.keyed({ key, hash: payloadHash as string }, reply, work);
}

function isSingle(body: unknown): boolean {
  if (typeof body !== "object" || body === null || Array.isArray(body) || "pipe" in body) return false;
  return !Array.isArray((body as { feedback?: unknown }).feedback);
}

/** Of many, the bad ones are listed; one alone is a request that failed. */
function answerOf(answer: FeedbackAnswer, isOne: boolean): FeedbackAnswer {
  const [refused] = answer.refused;
  if (!isOne || refused === undefined) return answer;
  const isUnknown = refused.code === "NOT_FOUND";
  throw fail(isUnknown ? "NOT_FOUND" : "ROW_INVALID", {
    message: refused.message,
    remedy: isUnknown
      ? "Send the predictionId the answer carried, to the model that gave it."
      : "Send {predictionId} with thumb, value or comment.",
    details: { code: refused.code },
  });
}
