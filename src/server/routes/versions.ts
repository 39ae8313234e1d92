/** Versions: listing, promoting, rolling back, reproducing. */
import type { FastifyInstance } from "fastify";
import { fail, nearestWord, type VersionRecord } from "../../core/index.ts";
import type { ReproduceAnswer } from "../contract.ts";
import { audit } from "./audit.ts";
import { addRoute, modelName, object, type ServerContext, text, versionName } from "../route.ts";

const VERSION = object({ model: modelName, version: versionName }, ["model", "version"]);
const REASON = object({ reason: text(500) }, ["reason"]);

interface VersionParams {
  readonly model: string;
  readonly version: string;
}

async function requireVersion(context: ServerContext, { model, version }: VersionParams): Promise<VersionRecord> {
  const { loop } = context;
  loop.model(model);
  const found = await loop.store.registry.get(model, version);
  if (found !== undefined) return found;
  const names = (await loop.store.registry.list(model)).map(({ name }) => name);
  const nearest = nearestWord(version, names);
  throw fail("VERSION_UNKNOWN", {
    message: `Model ${model} has no version ${version}. Versions: ${names.join(", ") || "none yet"}.`,
    remedy: nearest === undefined ? `\`retrain versions ${model}\` lists them.` : `Did you mean ${nearest}?`,
  });
}

export function addVersionRoutes(app: FastifyInstance, context: ServerContext): void {
  const { loop } = context;
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/versions",
    summary: "Versions of a model, newest first",
    tag: "versions",
    access: { role: "viewer" },
    params: object({ model: modelName }, ["model"]),
    answer: "VersionRecord list",
    handler: async (request) => {
      const { model } = request.params as { model: string };
      loop.model(model);
      const items = await loop.store.registry.list(model);
      return { items: items.toSorted((a, b) => b.number - a.number) };
    },
  });
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/versions/:version",
    summary: "One version",
    tag: "versions",
    access: { role: "viewer" },
    params: VERSION,
    answer: "VersionRecord",
    handler: async (request) => requireVersion(context, request.params as VersionParams),
  });
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/versions/:version/importance",
    summary: "What a version looks at: shares of gain and splits, coefficients, change of its answers",
    tag: "versions",
    access: { role: "viewer" },
    params: VERSION,
    answer: "VersionImportance",
    handler: async (request) => {
      const { model, name } = await requireVersion(context, request.params as VersionParams);
      return loop.importance(model, name);
    },
  });
  addVersionActions(app, context);
}

function addVersionActions(app: FastifyInstance, context: ServerContext): void {
  const { loop } = context;
  addRoute(app, context, {
    method: "POST",
    url: "/api/v1/models/:model/versions/:version/promote",
    summary: "Make a version the champion by hand",
    tag: "versions",
    access: { role: "operator" },
    params: VERSION,
    body: REASON,
    answer: "Routing",
    handler: async (request) => {
      const version = await requireVersion(context, request.params as VersionParams);
      const { reason } = request.body as { reason: string };
      return loop.promote(version.model, version.name, request.actor.name, reason);
    },
  });
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/rollback",
    summary: "Which version a rollback would go back to",
    tag: "versions",
    access: { role: "viewer" },
    params: object({ model: modelName }, ["model"]),
    answer: "RollbackPlan",
    handler: async (request) => loop.rollbackPlan((request.params as { model: string }).model),
  });
  addRoute(app, context, {
    method: "POST",
    url: "/api/v1/models/:model/rollback",
    summary: "Go back to the version that was live before",
    tag: "versions",
    access: { role: "operator" },
    params: object({ model: modelName }, ["model"]),
    body: REASON,
    answer: "Routing",
    handler: async (request) => {
      const { model } = request.params as { model: string };
      loop.model(model);
      return loop.rollback(model, request.actor.name, (request.body as { reason: string }).reason);
    },
  });
  addRoute(app, context, {
    method: "POST",
    url: "/api/v1/models/:model/versions/:version/reproduce",
    summary: "Retrain from the manifest and compare hashes",
    tag: "versions",
    access: { role: "operator" },
    params: VERSION,
    body: object({}),
    answer: "ReproduceAnswer",
    handler: async (request): Promise<ReproduceAnswer> => {
      const version = await requireVersion(context, request.params as VersionParams);
      const answer = await loop.reproduce(version.model, version.name);
      await audit(context, request, {
        action: "version.reproduce",
        subject: `${version.model}/${version.name}`,
        details: { equal: answer.equal },
      });
      return answer;
    },
  });
}
