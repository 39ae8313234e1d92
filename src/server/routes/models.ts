/** Models: what they are, how they do, what the latest cycle did. */
import type { FastifyInstance } from "fastify";
import type { ModelSpec } from "../../config/spec.ts";
import { fail, type JsonObject, nearestWord } from "../../core/index.ts";
import { metricsFor } from "../../stats/index.ts";
import type { ModelDescription, ModelDetail, ModelList } from "../contract.ts";
import { addRoute, digits, modelName, numberOf, object, type ServerContext, text, versionName } from "../route.ts";

const VIEWER = { role: "viewer" } as const;

export function describeModel(spec: ModelSpec): ModelDescription {
  const { schema } = spec;
  return {
    name: spec.name,
    task: schema.task,
    id: schema.id ?? null,
    time: schema.time ?? null,
    labelColumn: schema.labelColumn,
    labelDelayMs: spec.labelDelayMs,
    features: schema.features.map(({ name, spec: feature }) => ({ name, spec: feature as unknown as JsonObject })),
    label: schema.label as unknown as JsonObject,
    trainer: spec.trainer,
    retrain: spec.retrain as unknown as JsonObject,
    gates: spec.gates as unknown as readonly JsonObject[],
    data: spec.data as unknown as JsonObject,
  };
}

export function addModelRoutes(app: FastifyInstance, context: ServerContext): void {
  const { loop } = context;
  const params = object({ model: modelName }, ["model"]);
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models",
    summary: "All models with their state in words",
    tag: "models",
    access: VIEWER,
    answer: "ModelList",
    handler: async (): Promise<ModelList> => ({ items: await loop.summaries() }),
  });
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model",
    summary: "One model: summary, routing, description",
    tag: "models",
    access: VIEWER,
    params,
    answer: "ModelDetail",
    handler: async (request): Promise<ModelDetail> => {
      const { model } = request.params as { model: string };
      const spec = loop.model(model);
      const [summaries, routing] = await Promise.all([loop.summaries(), loop.store.registry.routing(model)]);
      const summary = summaries.find(({ name }) => name === model);
      if (summary === undefined)
        throw unknownModel(
          model,
          summaries.map(({ name }) => name),
        );
      return { summary, routing, description: describeModel(spec) };
    },
  });
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/status",
    summary: "The latest cycle, one line a step",
    tag: "models",
    access: VIEWER,
    params,
    answer: "StatusTable",
    handler: async (request) => loop.status((request.params as { model: string }).model),
  });
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/performance",
    summary: "Realised performance per time bucket and version",
    tag: "models",
    access: VIEWER,
    params,
    query: object({
      metric: text(64),
      from: digits,
      to: digits,
      bucketMs: { type: "string", pattern: "^[0-9]{1,13}$" },
      version: versionName,
      asOf: digits,
    }),
    answer: "PerformanceSeries",
    handler: async (request) => {
      const { model } = request.params as { model: string };
      const query = request.query as Partial<
        Record<"metric" | "from" | "to" | "bucketMs" | "version" | "asOf", string>
      >;
      const { metric, version } = query;
      if (metric !== undefined) checkMetric(loop.model(model), metric);
      const numbers = {
        from: numberOf(query.from),
        to: numberOf(query.to),
        bucketMs: numberOf(query.bucketMs),
        asOf: numberOf(query.asOf),
      };
      return loop.performance({ model, ...defined({ metric, version, ...numbers }) });
    },
  });
}

export function checkMetric(spec: ModelSpec, metric: string): void {
  const known: readonly string[] = metricsFor(spec.schema.task);
  if (known.includes(metric)) return;
  const nearest = nearestWord(metric, known);
  throw fail("BODY_INVALID", {
    message: `"${metric}" is no metric of the task ${spec.schema.task}. Metrics: ${known.join(", ")}.`,
    remedy: nearest === undefined ? "Use one of them." : `Did you mean "${nearest}"?`,
  });
}

/** Leaves the undefined values out, which exact optional properties demand. */
export function defined<T extends Readonly<Record<string, unknown>>>(
  values: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function unknownModel(model: string, names: readonly string[]) {
  const nearest = nearestWord(model, names);
  return fail("MODEL_UNKNOWN", {
    message: `There is no model ${JSON.stringify(model)}.`,
    remedy: nearest === undefined ? `Models: ${names.join(", ") || "none"}.` : `Did you mean "${nearest}"?`,
  });
}
