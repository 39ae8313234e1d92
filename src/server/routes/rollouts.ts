/** Rollouts: looking at them, moving them by hand, and the business outcomes their guardrails read. */
import type { FastifyInstance } from "fastify";
import { parseDuration } from "../../core/index.ts";
import type { OutcomeInput, RolloutAction } from "../../loop/rollouts/contract.ts";
import { page, pageRequest } from "../paging.ts";
import {
  addRoute,
  modelName,
  object,
  oneOf,
  pageQuery,
  recordId,
  type ServerContext,
  text,
  versionName,
} from "../route.ts";

const MODEL = object({ model: modelName }, ["model"]);
const ACTIONS: readonly RolloutAction[] = ["pause", "resume", "abort", "promote", "rollback"];
const OUTCOME = object(
  {
    exampleId: text(256),
    predictionId: text(256),
    name: text(64),
    value: { type: "number" },
    at: { type: "integer", minimum: 0 },
  },
  ["name", "value"],
);

export function addRolloutRoutes(app: FastifyInstance, context: ServerContext): void {
  const { loop } = context;
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/rollouts",
    summary: "Rollouts of a model, newest first",
    tag: "rollouts",
    access: { role: "viewer" },
    params: MODEL,
    query: object(pageQuery),
    answer: "RolloutRecord list",
    handler: async (request) => {
      const { model } = request.params as { model: string };
      return page(pageRequest(request.query as { limit?: string; cursor?: string }), (range) =>
        loop.rollouts({ model, ...range }),
      );
    },
  });
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/rollouts/plan",
    summary: "What the next rollout would take: its stages, and the rows and days its A/B needs",
    tag: "rollouts",
    access: { role: "viewer" },
    params: MODEL,
    answer: "RolloutPlan",
    handler: async (request) => loop.planRollout((request.params as { model: string }).model),
  });
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/experiments/:id",
    summary: "A rollout with the evidence of each phase: comparison, exposure, sample ratio, guardrails, looks, power",
    tag: "rollouts",
    access: { role: "viewer" },
    params: object({ id: recordId }, ["id"]),
    answer: "RolloutDetail",
    handler: async (request) => loop.rollout((request.params as { id: string }).id),
  });
  addRoute(app, context, {
    method: "POST",
    url: "/api/v1/models/:model/rollouts",
    summary: "Put a registered version into the model's stages",
    tag: "rollouts",
    access: { role: "operator" },
    params: MODEL,
    body: object({ version: versionName, replay: text(20) }, ["version"]),
    answer: "Routing",
    handler: async (request) => {
      const { model } = request.params as { model: string };
      const { version, replay } = request.body as { version: string; replay?: string };
      const options = replay === undefined ? {} : { replayMs: parseDuration(replay, "The replay") };
      return loop.startRollout(model, version, request.actor.name, options);
    },
  });
  addRoute(app, context, {
    method: "POST",
    url: "/api/v1/models/:model/rollouts/:action",
    summary: "Pause, resume, abort, promote now, or roll back the open rollout",
    tag: "rollouts",
    access: { role: "operator" },
    params: object({ model: modelName, action: oneOf(...ACTIONS) }, ["model", "action"]),
    body: object({ reason: text(500) }, ["reason"]),
    answer: "RolloutRecord",
    handler: async (request) => {
      const { model, action } = request.params as { model: string; action: RolloutAction };
      return loop.changeRollout(model, action, request.actor.name, (request.body as { reason: string }).reason);
    },
  });
  addRoute(app, context, {
    method: "POST",
    url: "/api/v1/models/:model/outcomes",
    summary: "Business outcomes of predictions, for guardrails",
    tag: "rollouts",
    access: { role: "labeler", scope: "label" },
    params: MODEL,
    body: object({ outcomes: { type: "array", items: OUTCOME, minItems: 1, maxItems: 10_000 } }, ["outcomes"]),
    answer: "{accepted}",
    handler: async (request) => {
      const { model } = request.params as { model: string };
      return loop.recordOutcomes(model, (request.body as { outcomes: readonly OutcomeInput[] }).outcomes);
    },
  });
}
