/** What triggers and monitors say of a model. */
import type { FastifyInstance } from "fastify";
import { addRoute, digits, modelName, numberOf, object, type ServerContext, text, versionName } from "../route.ts";
import { checkMetric, defined } from "./models.ts";

export function addMonitorRoutes(app: FastifyInstance, context: ServerContext): void {
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
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/slices",
    summary: "Realised performance of mature examples by slice, with label coverage",
    tag: "models",
    access: { role: "viewer" },
    params: object({ model: modelName }, ["model"]),
    query: object({ metric: text(64), version: versionName, from: digits, to: digits }),
    answer: "SlicePerformance",
    handler: async (request) => {
      const { model } = request.params as { model: string };
      const query = request.query as Partial<Record<"metric" | "version" | "from" | "to", string>>;
      const { metric, version } = query;
      if (metric !== undefined) checkMetric(context.loop.model(model), metric);
      return context.loop.slices({
        model,
        ...defined({ metric, version, from: numberOf(query.from), to: numberOf(query.to) }),
      });
    },
  });
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/diagnosis",
    summary: "What moved, what it costs, where it hurts most, since when",
    tag: "models",
    access: { role: "viewer" },
    params: object({ model: modelName }, ["model"]),
    answer: "Diagnosis",
    handler: async (request) => context.loop.diagnose((request.params as { model: string }).model),
  });
}
