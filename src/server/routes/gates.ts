/** Two versions side by side, and people's approval; the caller's token says who speaks and of which role. */
import type { FastifyInstance } from "fastify";
import type { ApprovalRecord } from "../../core/index.ts";
import type { ApprovalAnswer, ApprovalBody, ApprovalList, CompareAnswer, CompareQuery } from "../contract.ts";
import { addRoute, modelName, object, oneOf, type ServerContext, text, versionName } from "../route.ts";

const VERSION = object({ model: modelName, version: versionName }, ["model", "version"]);

export function addGateRoutes(app: FastifyInstance, context: ServerContext): void {
  const { loop } = context;
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/compare",
    summary: "Two versions on the held-out rows neither was trained on, differences b minus a",
    tag: "versions",
    access: { role: "viewer" },
    params: object({ model: modelName }, ["model"]),
    query: object({ a: versionName, b: versionName, metric: text(64) }, ["a", "b"]),
    answer: "CompareAnswer",
    handler: async (request): Promise<CompareAnswer> => {
      const { model } = request.params as { model: string };
      return loop.compareVersions(model, request.query as CompareQuery);
    },
  });
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/versions/:version/approvals",
    summary: "What people said of a version, oldest first",
    tag: "versions",
    access: { role: "viewer" },
    params: VERSION,
    answer: "ApprovalList",
    handler: async (request): Promise<ApprovalList> => {
      const { model, version } = request.params as { model: string; version: string };
      loop.model(model);
      return { items: await loop.store.gates.approvals(model, version) };
    },
  });
  addRoute(app, context, {
    method: "POST",
    url: "/api/v1/models/:model/versions/:version/approvals",
    summary: "Approve or refuse a version",
    tag: "versions",
    // The gate says whose word counts; a labeler's may.
    access: { role: "labeler" },
    params: VERSION,
    body: object({ verdict: oneOf("approve", "refuse"), reason: text(500) }, ["reason"]),
    answer: "ApprovalAnswer",
    handler: async (request): Promise<ApprovalAnswer> => {
      const { model, version } = request.params as { model: string; version: string };
      const { verdict = "approve", reason } = request.body as ApprovalBody;
      const { name: person, role } = request.actor;
      return loop.approve({ model, version, verdict: verdict as ApprovalRecord["verdict"], person, role, reason });
    },
  });
}
