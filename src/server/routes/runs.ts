/** Runs: listing, one run with its steps, trace and evaluation, starting and canceling. */
import type { FastifyInstance } from "fastify";
import {
  fail,
  RUN_STATES,
  type RunRecord,
  type RunState,
  TRAINING_STRATEGIES,
  type TrainingStrategy,
} from "../../core/index.ts";
import type { RunStarted, StepsAnswer, TraceAnswer } from "../contract.ts";
import { page, pageRequest } from "../paging.ts";
import {
  addRoute,
  modelName,
  numberOf,
  object,
  oneOf,
  pageQuery,
  recordId,
  type ServerContext,
  text,
} from "../route.ts";
import { defined } from "./models.ts";

const VIEWER = { role: "viewer" } as const;
const OPERATOR = { role: "operator" } as const;
const ID = object({ id: recordId }, ["id"]);

function runStates(list: string | undefined): readonly RunState[] | undefined {
  if (list === undefined) return undefined;
  const states = list.split(",");
  for (const state of states) {
    if ((RUN_STATES as readonly string[]).includes(state)) continue;
    throw fail("BODY_INVALID", {
      message: `"${state.slice(0, 40)}" is not a state of a run.`,
      remedy: `Use one or more of ${RUN_STATES.join(", ")}.`,
    });
  }
  return states as RunState[];
}

export async function requireRun(context: ServerContext, id: string): Promise<RunRecord> {
  const run = await context.loop.store.runs.get(id);
  if (run !== undefined) return run;
  throw fail("RUN_UNKNOWN", {
    message: `There is no run ${JSON.stringify(id)}.`,
    remedy: "`retrain runs` lists them.",
  });
}

export function addRunRoutes(app: FastifyInstance, context: ServerContext): void {
  addRunLists(app, context);
  addRunDetails(app, context);
  addRunActions(app, context);
}

function addRunLists(app: FastifyInstance, context: ServerContext): void {
  const { loop } = context;
  for (const url of ["/api/v1/runs", "/api/v1/models/:model/runs"]) {
    const isOfModel = url.includes(":model");
    addRoute(app, context, {
      method: "GET",
      url,
      summary: isOfModel ? "Runs of a model, newest first" : "Runs of all models, newest first",
      tag: "runs",
      access: VIEWER,
      ...(isOfModel ? { params: object({ model: modelName }, ["model"]) } : {}),
      query: object({ ...pageQuery, state: text(200) }),
      answer: "Page of RunRecord",
      handler: async (request) => {
        const { model } = request.params as { model?: string };
        if (model !== undefined) loop.model(model);
        const query = request.query as { state?: string; limit?: string; cursor?: string };
        const filter = defined({ model, states: runStates(query.state) });
        return page(pageRequest(query), (range) => loop.store.runs.list({ ...filter, ...range }));
      },
    });
  }
}

function addRunDetails(app: FastifyInstance, context: ServerContext): void {
  const { loop } = context;
  const idOf = (params: unknown) => (params as { id: string }).id;
  const read = { method: "GET", tag: "runs", access: VIEWER, params: ID } as const;
  addRoute(app, context, {
    ...read,
    url: "/api/v1/runs/:id",
    summary: "One run with its steps",
    answer: "RunRecord",
    handler: async (request) => requireRun(context, idOf(request.params)),
  });
  addRoute(app, context, {
    ...read,
    url: "/api/v1/runs/:id/steps",
    summary: "The eight steps of a run",
    answer: "StepsAnswer",
    handler: async (request): Promise<StepsAnswer> => ({
      steps: (await requireRun(context, idOf(request.params))).steps,
    }),
  });
  addRoute(app, context, {
    ...read,
    url: "/api/v1/runs/:id/trace",
    summary: "Metrics of the training, epoch by epoch",
    query: object({ afterEpoch: { type: "string", pattern: "^-?[0-9]{1,9}$" } }),
    answer: "TraceAnswer",
    handler: async (request): Promise<TraceAnswer> => {
      const run = await requireRun(context, idOf(request.params));
      const afterEpoch = numberOf((request.query as { afterEpoch?: string }).afterEpoch);
      return { points: await loop.store.runs.trace(run.id, defined({ afterEpoch })) };
    },
  });
  addRoute(app, context, {
    ...read,
    url: "/api/v1/runs/:id/evaluation",
    summary: "What the evaluate step found on the holdout",
    answer: "EvaluationReport",
    handler: async (request) => {
      const run = await requireRun(context, idOf(request.params));
      const report = await loop.evaluation(run.id);
      if (report !== undefined) return report;
      throw fail("NOT_FOUND", {
        message: `Run ${run.id} has no evaluation: it is ${run.state} and has not got that far.`,
        remedy: "Look at its steps.",
      });
    },
  });
}

function addRunActions(app: FastifyInstance, context: ServerContext): void {
  const { loop } = context;
  addRoute(app, context, {
    method: "POST",
    url: "/api/v1/models/:model/runs",
    summary: "Start a run now",
    tag: "runs",
    access: OPERATOR,
    params: object({ model: modelName }, ["model"]),
    body: object({ reason: text(500), strategy: oneOf(...TRAINING_STRATEGIES) }),
    answer: "RunStarted",
    handler: async (request, reply): Promise<RunStarted> => {
      const { model } = request.params as { model: string };
      const body = (request.body ?? {}) as { reason?: string; strategy?: TrainingStrategy };
      const { strategy } = body;
      const actor = request.actor.name;
      const reason = body.reason ?? "asked for by hand";
      const started = await loop.requestRun(model, { reason, actor, ...defined({ strategy }) });
      reply.code(202);
      return started;
    },
  });
  addRoute(app, context, {
    method: "POST",
    url: "/api/v1/runs/:id/cancel",
    summary: "Cancel a run",
    tag: "runs",
    access: OPERATOR,
    params: ID,
    body: object({}),
    answer: "RunRecord",
    handler: async (request) => {
      const run = await requireRun(context, (request.params as { id: string }).id);
      return loop.cancelRun(run.id, request.actor.name);
    },
  });
}
