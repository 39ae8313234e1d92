/** `/openapi.json`, made from the same schemas the router checks with. */
import fastifySwagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";
import { ERROR_CODES } from "../core/index.ts";
import { ANSWER_SCHEMAS, TYPE_SCHEMAS } from "./answer-schemas.ts";

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

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}
interface Operation {
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: unknown }>>;
}

/** Where the routes of the contract are mounted; `Api` names them from here on. */
const BASE = "/api/v1";

/** The description with the schema of every answer of the contract; what is no JSON of the contract stays described by words. */
function withAnswers(description: Description): Description {
  const types = Object.entries(TYPE_SCHEMAS).map(([name, schema]) => [name, JSON.parse(schema) as unknown]);
  const operationOf = (path: string, method: string, operation: Operation): Operation => {
    const route = `${method.toUpperCase()} ${path.slice(BASE.length).replaceAll(/\{(\w+)\}/g, ":$1")}`;
    const schema = path.startsWith(`${BASE}/`) ? ANSWER_SCHEMAS[route] : undefined;
    const answered = operation.responses["2XX"];
    if (schema === undefined || answered === undefined) return operation;
    const content = { "application/json": { schema: JSON.parse(schema) as unknown } };
    return { ...operation, responses: { ...operation.responses, "2XX": { ...answered, content } } };
  };
  const paths = Object.entries(description.paths).map(([path, operations]) => {
    const entries = Object.entries(operations);
    return [path, Object.fromEntries(entries.map(([method, one]) => [method, operationOf(path, method, one)]))];
  });
  const schemas = { ...Object.fromEntries(types), ...description.components.schemas };
  return { ...description, paths: Object.fromEntries(paths), components: { ...description.components, schemas } };
}

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
    text ??= JSON.stringify(withAnswers(app.swagger() as unknown as Description));
    return reply.type("application/json; charset=utf-8").send(text);
  });
}
