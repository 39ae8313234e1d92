/** Who did what: every call that changes what runs or who may, whether by hand, by command or by a program. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { JsonObject } from "../../core/index.ts";
import { page, pageRequest } from "../paging.ts";
import { addRoute, digits, modelName, numberOf, object, pageQuery, type ServerContext, text } from "../route.ts";
import { defined } from "./models.ts";

interface AuditText {
  readonly limit?: string;
  readonly cursor?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly model?: string;
  readonly from?: string;
  readonly to?: string;
}

export function addAuditRoute(app: FastifyInstance, context: ServerContext): void {
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/audit",
    summary: "Who did what, newest first",
    tag: "admin",
    access: { role: "admin" },
    query: object({
      ...pageQuery,
      actor: text(128),
      action: text(64, { pattern: "^[a-z-]+(\\.[a-z-]+)?$" }),
      model: modelName,
      from: digits,
      to: digits,
    }),
    answer: "Page of AuditRecord",
    handler: async (request) => {
      const query = request.query as AuditText;
      const { actor, action, model } = query;
      const filter = defined({ actor, action, model, from: numberOf(query.from), to: numberOf(query.to) });
      return page(pageRequest(query), (range) => context.loop.store.settings.auditLog({ ...filter, ...range }));
    },
  });
}

/** Writes down that the caller of a request did something. */
export async function audit(
  context: ServerContext,
  request: FastifyRequest,
  done: { readonly action: string; readonly subject: string; readonly details: JsonObject },
): Promise<void> {
  const at = context.loop.worldClock.now();
  await context.loop.store.settings.audit({ at, actor: request.actor.name, ...done });
}
