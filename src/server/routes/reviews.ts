/** Review before release: applications poll or wait by prediction id; people decide here or on the labeling page. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { fail, plural, TASK_STATES } from "../../core/index.ts";
import type { ReviewDecisionBody, ReviewsQuery } from "../contract.ts";
import { page, pageRequest } from "../paging.ts";
import { addRoute, modelName, object, oneOf, pageQuery, type ServerContext, text } from "../route.ts";
import { defined } from "./models.ts";

const MODEL = object({ model: modelName }, ["model"]);
const ONE = object({ model: modelName, predictionId: text(128) }, ["model", "predictionId"]);
/** Proxies cut silent requests after a minute. */
const LONGEST_WAIT_S = 60;

type Params = { readonly model: string; readonly predictionId: string };
const paramsOf = (request: FastifyRequest) => request.params as Params;

export function addReviewRoutes(app: FastifyInstance, context: ServerContext): void {
  const { reviews } = context.loop;
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/reviews",
    summary: "Uncertain answers and what became of them, newest first",
    tag: "reviews",
    access: { role: "viewer" },
    params: MODEL,
    query: object({ ...pageQuery, state: oneOf(...TASK_STATES) }),
    answer: "Page of ReviewRecord",
    handler: async (request) => {
      const { state, ...range } = request.query as Omit<ReviewsQuery, "limit"> & { limit?: string };
      return page(pageRequest(range), (one) =>
        reviews.list(paramsOf(request).model, { ...defined({ state }), ...one }),
      );
    },
  });
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/reviews/:predictionId",
    summary: "Where the review of an answer stands; with ?wait= once it is decided",
    tag: "reviews",
    // Whoever asked for the prediction fetches it.
    access: { role: "labeler", scope: "predict" },
    params: ONE,
    query: object({ wait: { type: "string", pattern: "^[0-9]{1,2}$" } }),
    answer: "ReviewRecord",
    handler: async (request, reply) => {
      const { model, predictionId } = paramsOf(request);
      const seconds = Number((request.query as { wait?: string }).wait ?? 0);
      if (seconds > LONGEST_WAIT_S) {
        throw fail("BODY_INVALID", {
          message: `wait is ${plural(seconds, "second")}; it may be 0 to ${LONGEST_WAIT_S}.`,
          remedy: "Ask again when it is over.",
        });
      }
      // A server that drains answers at once, and nobody waits for a caller who left.
      return reviews.wait(model, predictionId, seconds * 1000, () => context.isDraining() || reply.raw.destroyed);
    },
  });
  addRoute(app, context, {
    method: "POST",
    url: "/api/v1/models/:model/reviews/:predictionId/decide",
    summary: "Approve an uncertain answer, correct it, or give none",
    tag: "reviews",
    access: { role: "labeler", scope: "label" },
    params: ONE,
    body: object(
      {
        action: oneOf("approve", "correct", "withhold"),
        value: { type: ["string", "number", "boolean"], maxLength: 512 },
        comment: { type: "string", maxLength: 2000 },
      },
      ["action"],
    ),
    answer: "ReviewRecord",
    handler: async (request) => {
      const { model, predictionId } = paramsOf(request);
      return reviews.decide(model, predictionId, {
        ...(request.body as ReviewDecisionBody),
        actor: request.actor.name,
      });
    },
  });
}
