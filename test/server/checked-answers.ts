/** Compares every JSON answer that a test gets with the schema the description of the API has for its route. */
import type { FastifySchemaCompiler } from "fastify";
import { ANSWER_SCHEMAS, TYPE_SCHEMAS } from "../../src/server/answer-schemas.ts";
import type { Server } from "../../src/server/index.ts";

type Check = ReturnType<FastifySchemaCompiler<object>>;

/** Nothing may be there that the schema does not name: a field without a type is none for a generated client. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  const isOpen = "properties" in inner && typeof inner["properties"] === "object" && !("additionalProperties" in inner);
  return isOpen && inner["type"] === "object" ? { ...inner, additionalProperties: false } : inner;
}

const parse = (text: string) => closed(JSON.parse(text));
const components = {
  schemas: Object.fromEntries(Object.entries(TYPE_SCHEMAS).map(([name, text]) => [name, parse(text)])),
};

const routes = Object.entries(ANSWER_SCHEMAS)
  .map(([route, text]) => {
    const [method = "", path = ""] = route.split(" ");
    const pattern = new RegExp(`^/api/v1${path.replaceAll(/:\w+/g, "[^/]+")}$`);
    return { route, method, pattern, text, parameters: path.split(":").length };
  })
  // A word where another route has a parameter wins, as in the router.
  .sort((left, right) => left.parameters - right.parameters);

/** The routes whose answers were compared so far, for the test that wants to have seen them. */
export const checkedRoutes = new Set<string>();

/** From here on `inject` throws when an answer of the contract does not fit its schema. */
export function checkAnswers({ app }: Server): void {
  const checks = new Map<string, Check>();
  const inject = app.inject.bind(app) as (options: InjectOptions | string) => Promise<InjectAnswer>;
  const checked = async (options: InjectOptions | string): Promise<InjectAnswer> => {
    const answer = await inject(options);
    const method = typeof options === "string" ? "GET" : (options.method ?? "GET").toUpperCase();
    const path = String(typeof options === "string" ? options : options.url).split("?", 1)[0] as string;
    const found = routes.find((one) => one.method === method && one.pattern.test(path));
    const isJson = String(answer.headers["content-type"]).startsWith("application/json");
    if (found === undefined || answer.statusCode >= 300 || !isJson) return answer;
    const compile = app.validatorCompiler as FastifySchemaCompiler<object>;
    const check =
      checks.get(found.route) ??
      compile({ schema: { components, ...(parse(found.text) as object) }, method, url: path });
    checks.set(found.route, check);
    if (check(JSON.parse(answer.body)) !== true) {
      const errors = (check.errors ?? [])
        .slice(0, 5)
        .map((one) => `${one.instancePath} ${one.message} ${JSON.stringify(one.params)}`);
      throw new Error(`The answer of ${found.route} is not what /openapi.json says: ${errors.join("; ")}`);
    }
    checkedRoutes.add(found.route);
    return answer;
  };
  app.inject = checked as unknown as typeof app.inject;
}

interface InjectOptions {
  readonly method?: string;
  readonly url?: unknown;
}
interface InjectAnswer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}
