/** Data drift of a model: one window in full, and one feature over time. */
import type { FastifyInstance } from "fastify";
import type { DriftReference } from "../../monitor/index.ts";
import { DRIFT_REFERENCES } from "../../monitor/index.ts";
import { addRoute, digits, modelName, numberOf, object, oneOf, type ServerContext, text } from "../route.ts";
import { defined } from "./models.ts";

const WINDOW = { reference: oneOf(...DRIFT_REFERENCES), from: digits, to: digits };
type WindowText = Partial<Record<"from" | "to", string>> & { readonly reference?: DriftReference };

const windowOf = ({ reference, from, to }: WindowText) =>
  defined({ reference, from: numberOf(from), to: numberOf(to) });

export function addDriftRoutes(app: FastifyInstance, context: ServerContext): void {
  const params = object({ model: modelName }, ["model"]);
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/drift",
    summary: "Inputs, answers and labels of a window against a reference, and a heatmap of the windows before",
    tag: "models",
    access: { role: "viewer" },
    params,
    query: object(WINDOW),
    answer: "DriftView",
    handler: async (request) => {
      const { model } = request.params as { model: string };
      return context.loop.drift({ model, ...windowOf(request.query as WindowText) });
    },
  });
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/drift/multivariate",
    summary:
      "Rows of a window against rows the champion learned from, as wholes: domain classifier and reconstruction error",
    tag: "models",
    access: { role: "viewer" },
    params,
    query: object({ from: digits, to: digits }),
    answer: "MultivariateView",
    handler: async (request) => {
      const { model } = request.params as { model: string };
      return context.loop.multivariateDrift({ model, ...windowOf(request.query as WindowText) });
    },
  });
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/drift/feature",
    summary: "One feature: both distributions, every distance, and its windows over time",
    tag: "models",
    access: { role: "viewer" },
    params,
    query: object({ ...WINDOW, feature: text(200) }, ["feature"]),
    answer: "DriftFeatureView",
    handler: async (request) => {
      const { model } = request.params as { model: string };
      const query = request.query as WindowText & { readonly feature: string };
      return context.loop.driftOf({ model, feature: query.feature, ...windowOf(query) });
    },
  });
}
