/** `/openapi.json`, made from the same schemas the router checks with. */
import fastifySwagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";
import { ERROR_CODES } from "../core/index.ts";

export const PROBLEM_SCHEMA = {
  $id: "Problem",
  type: "object",
  required: ["type", "title", "status", "code", "detail", "hint", "requestId"],
  properties: {
    type: { type: "string", description: "urn:retrain:error:<code>" },
    title: { type: "string" },
    status: { type: "integer" },
    code: { type: "string", enum: Object.keys(ERROR_CODES) },
    detail: { type: "string", description: "What happened, with the value and its place" },
    hint: { type: "string", description: "How to fix it" },
    requestId: { type: "string" },
    details: { type: "object" },
  },
};

/** Must be registered before the routes. */
export async function addOpenApi(app: FastifyInstance, version: string): Promise<void> {
  app.addSchema(PROBLEM_SCHEMA);
  await app.register(fastifySwagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Retrain",
        version,
        description: "Continuous training: collect, monitor, retrain, evaluate, roll out.",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      components: {
        securitySchemes: { token: { type: "http", scheme: "bearer", description: "Needed beyond loopback" } },
      },
      security: [{ token: [] }],
    },
    refResolver: {
      buildLocalReference: (schema, _base, _fragment, i) =>
        typeof schema.$id === "string" ? schema.$id : `schema-${i}`,
    },
  });
  let text: string | undefined;
  // The one schema that the framework compiles at the start: with it comes the compiler that the other routes use later.
  const schema = { summary: "This description", tags: ["health"], querystring: { type: "object" } };
  app.get("/openapi.json", { schema }, async (_request, reply) => {
    text ??= JSON.stringify(app.swagger());
    return reply.type("application/json; charset=utf-8").send(text);
  });
}
