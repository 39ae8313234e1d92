/** Decisions and alerts: what was judged, who should know. And events that triggers wait for. */
import type { FastifyInstance } from "fastify";
import { type AlertRecord, type DecisionRecord, fail, type JsonObject } from "../../core/index.ts";
import type { TriggerEventAnswer } from "../contract.ts";
import { page, pageRequest } from "../paging.ts";
import { addRoute, modelName, object, oneOf, pageQuery, recordId, type ServerContext, text } from "../route.ts";
import { CLOUD_EVENT, type CloudEvent, ownEvent, readEventBody } from "../cloud-event.ts";
import { audit } from "./audit.ts";
import { defined } from "./models.ts";

const KINDS = ["trigger", "guard", "gate", "rollout", "assessment", "monitor", "promotion", "review"] as const;
interface ListQuery {
  readonly model?: string;
  readonly limit?: string;
  readonly cursor?: string;
}

export function addDecisionRoutes(app: FastifyInstance, context: ServerContext): void {
  const { loop } = context;
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/decisions",
    summary: "Automatic judgements with their evidence, newest first",
    tag: "decisions",
    access: { role: "viewer" },
    query: object({ ...pageQuery, model: modelName, kind: oneOf(...KINDS), runId: recordId }),
    answer: "Page of DecisionRecord",
    handler: async (request) => {
      const query = request.query as ListQuery & { kind?: DecisionRecord["kind"]; runId?: string };
      const filter = defined({ model: query.model, kind: query.kind, runId: query.runId });
      if (query.model !== undefined) loop.model(query.model);
      return page(pageRequest(query), (range) => loop.store.decisions.list({ ...filter, ...range }));
    },
  });
  addAlertRoutes(app, context);
  addEventRoute(app, context);
}

function addAlertRoutes(app: FastifyInstance, context: ServerContext): void {
  const { alerts, settings } = context.loop.store;
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/alerts",
    summary: "Alerts, newest first",
    tag: "alerts",
    access: { role: "viewer" },
    query: object({ ...pageQuery, model: modelName, state: oneOf("open", "resolved") }),
    answer: "Page of AlertRecord",
    handler: async (request) => {
      const query = request.query as ListQuery & { state?: "open" | "resolved" };
      const filter = defined({ model: query.model, state: query.state });
      return page(pageRequest(query), (range) => alerts.list({ ...filter, ...range }));
    },
  });
  addRoute(app, context, {
    method: "POST",
    url: "/api/v1/alerts/:id/resolve",
    summary: "Mark an alert as dealt with",
    tag: "alerts",
    access: { role: "operator" },
    params: object({ id: recordId }, ["id"]),
    body: object({ reason: text(500) }),
    answer: "AlertRecord",
    handler: async (request): Promise<AlertRecord> => {
      const { id } = request.params as { id: string };
      const open = await findOpenAlert(context, id);
      const reason = (request.body as { reason?: string } | undefined)?.reason ?? "resolved by hand";
      const at = context.loop.worldClock.now();
      const actor = request.actor.name;
      const resolved = await alerts.resolve(open.key, at, `${reason} (${actor})`);
      const details = { reason, ...(open.model === null ? {} : { model: open.model }) };
      await settings.audit({ at, actor, action: "alert.resolve", subject: open.key, details });
      return resolved ?? { ...open, state: "resolved" };
    },
  });
}

/** Open alerts are few (one per key), so walking them is cheaper than an index by id. */
async function findOpenAlert(context: ServerContext, id: string): Promise<AlertRecord> {
  let before: string | undefined;
  for (;;) {
    const found = await context.loop.store.alerts.list({ state: "open", limit: 500, ...defined({ before }) });
    const alert = found.find((candidate) => candidate.id === id);
    if (alert !== undefined) return alert;
    before = found.at(-1)?.id;
    if (found.length < 500) break;
  }
  throw fail("NOT_FOUND", {
    message: `There is no open alert ${JSON.stringify(id)}.`,
    remedy: "GET /api/v1/alerts?state=open lists them.",
  });
}

const OWN_EVENT = object({ name: text(128), model: modelName, details: { type: "object" } }, ["name"]);

function addEventRoute(app: FastifyInstance, context: ServerContext): void {
  addRoute(app, context, {
    method: "POST",
    url: "/api/v1/events",
    summary: "Raise a named event that triggers wait for; CloudEvents 1.0 too, structured and binary",
    tag: "events",
    access: { role: "operator" },
    body: {
      if: { type: "object", required: ["specversion"] },
      // A word of JSON Schema, not a promise.
      // oxlint-disable-next-line unicorn/no-thenable
      then: CLOUD_EVENT,
      else: OWN_EVENT,
    },
    readBody: ({ headers, body }) => readEventBody(headers, body),
    answer: "TriggerEventAnswer",
    handler: async (request, reply): Promise<TriggerEventAnswer> => {
      const body = request.body as CloudEvent | { name: string; model?: string; details?: JsonObject };
      const event =
        "specversion" in body
          ? ownEvent(
              body,
              context.loop.spec.models.map(({ name }) => name),
            )
          : { name: body.name, model: body.model, details: body.details ?? {} };
      const raised = await context.loop.raiseEvent(event.name, event.model, event.details);
      const about = event.model === undefined ? {} : { model: event.model };
      await audit(context, request, {
        action: "event.raise",
        subject: event.name,
        details: { ...about, models: [...raised.models] },
      });
      reply.code(202);
      return raised;
    },
  });
}
