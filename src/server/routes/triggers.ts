/** Why a model was (not) retrained. */
import type { FastifyInstance } from "fastify";
import { addRoute, modelName, object, type ServerContext } from "../route.ts";

export function addTriggerRoutes(app: FastifyInstance, context: ServerContext): void {
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/triggers",
    summary: "Why it does (not) retrain: every trigger and guard judged on what is known now",
    tag: "models",
    access: { role: "viewer" },
    params: object({ model: modelName }, ["model"]),
    answer: "TriggerExplanation",
    handler: async (request) => context.loop.explainTriggers((request.params as { model: string }).model),
  });
}
