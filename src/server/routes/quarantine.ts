/** Quarantined rows and batches: what was refused, why, and trying it again after a fix. */
import type { FastifyInstance } from "fastify";
import type { QuarantinedRow } from "../../core/index.ts";
import { requireWaiting } from "../../loop/quarantine.ts";
import type { QuarantineDropAnswer, QuarantineIds, QuarantineReplayAnswer } from "../contract.ts";
import { page, pageRequest } from "../paging.ts";
import { addRoute, modelName, object, oneOf, pageQuery, recordId, type ServerContext } from "../route.ts";
import { audit } from "./audit.ts";
import { defined } from "./models.ts";

const MODEL = object({ model: modelName }, ["model"]);
const IDS = object({ ids: { type: "array", items: recordId, minItems: 1, maxItems: 10_000 } });
/** Rows dropped at a time, so that a large quarantine is not one huge statement. */
const DROP_PAGE = 1000;

interface ListQuery {
  readonly state?: QuarantinedRow["state"];
  readonly limit?: string;
  readonly cursor?: string;
}

export function addQuarantineRoutes(app: FastifyInstance, context: ServerContext): void {
  const { loop } = context;
  const modelOf = (params: unknown) => loop.model((params as { model: string }).model).name;
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/quarantine",
    summary: "Refused rows with their reasons, newest first",
    tag: "data",
    access: { role: "viewer" },
    params: MODEL,
    query: object({ ...pageQuery, state: oneOf("waiting", "replayed", "dropped") }),
    answer: "Page of QuarantinedRow",
    handler: async (request) => {
      const model = modelOf(request.params);
      const query = request.query as ListQuery;
      const { state } = query;
      return page(pageRequest(query), (range) =>
        loop.store.quarantine.list({ model, ...defined({ state }), ...range }),
      );
    },
  });
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/batches",
    summary: "Deliveries of rows, newest first",
    tag: "data",
    access: { role: "viewer" },
    params: MODEL,
    query: object(pageQuery),
    answer: "Page of BatchRecord",
    handler: async (request) => {
      const model = modelOf(request.params);
      return page(pageRequest(request.query as ListQuery), (range) =>
        loop.store.quarantine.batches({ model, ...range }),
      );
    },
  });
  addRoute(app, context, {
    method: "POST",
    url: "/api/v1/models/:model/quarantine/replay",
    summary: "Try refused rows again, after the schema or the rule was corrected",
    tag: "data",
    access: { role: "operator" },
    params: MODEL,
    body: IDS,
    answer: "QuarantineReplayAnswer",
    handler: async (request): Promise<QuarantineReplayAnswer> => {
      const model = modelOf(request.params);
      const done = await loop.replayQuarantine(model, (request.body as QuarantineIds).ids);
      await audit(context, request, { action: "quarantine.replay", subject: model, details: { ...done } });
      return done;
    },
  });
  addRoute(app, context, {
    method: "POST",
    url: "/api/v1/models/:model/quarantine/drop",
    summary: "Give refused rows up; they stay listed as dropped",
    tag: "data",
    access: { role: "operator" },
    params: MODEL,
    body: IDS,
    answer: "QuarantineDropAnswer",
    handler: async (request): Promise<QuarantineDropAnswer> => {
      const model = modelOf(request.params);
      const wanted = (request.body as QuarantineIds).ids;
      const ids = await idsToDrop(context, model, wanted);
      requireWaiting(
        model,
        wanted,
        ids.map((id) => ({ id })),
      );
      for (let i = 0; i < ids.length; i += DROP_PAGE) {
        await loop.store.quarantine.mark(ids.slice(i, i + DROP_PAGE), "dropped");
      }
      await audit(context, request, {
        action: "quarantine.drop",
        subject: model,
        details: { dropped: ids.length },
      });
      return { dropped: ids.length };
    },
  });
}

/** Only rows of this model that wait: an id of another model must not be reachable through this route. */
async function idsToDrop(context: ServerContext, model: string, ids: readonly string[] | undefined) {
  const wanted = ids === undefined ? undefined : new Set(ids);
  const found: string[] = [];
  let before: string | undefined;
  for (;;) {
    const range = { model, state: "waiting" as const, limit: DROP_PAGE, ...defined({ before }) };
    const rows = await context.loop.store.quarantine.list(range);
    for (const { id } of rows) if (wanted === undefined || wanted.has(id)) found.push(id);
    before = rows.at(-1)?.id;
    if (rows.length < DROP_PAGE) return found;
  }
}
