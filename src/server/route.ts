/** How every route is declared: method, path, who may ask, what it takes. One table of them feeds the router, OpenAPI and the tests. */
import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  FastifySchema,
  FastifySchemaCompiler,
  RouteOptions,
} from "fastify";
import type { Logger, SystemClock } from "../core/index.ts";
import type { Loop } from "../loop/contract.ts";
import type { Access, AccessRule, Actor } from "./access.ts";
import type { Idempotency } from "./idempotency.ts";
import type { Metrics } from "./metrics.ts";

export interface ServerContext {
  readonly loop: Loop;
  readonly systemClock: SystemClock;
  readonly logger: Logger;
  readonly access: Access;
  readonly idempotency: Idempotency;
  readonly metrics: Metrics;
  readonly replay: boolean;
  readonly version: string;
  isDraining(): boolean;
}

declare module "fastify" {
  interface FastifyRequest {
    actor: Actor;
  }
}

/** A JSON Schema; kept loose because ajv and OpenAPI read it, not the compiler. */
export type Schema = Readonly<Record<string, unknown>>;

export interface RouteSpec {
  readonly method: "GET" | "POST" | "DELETE";
  readonly url: string;
  readonly summary: string;
  readonly tag: string;
  readonly access: AccessRule;
  readonly params?: Schema;
  readonly query?: Schema;
  readonly body?: Schema;
  /** What is checked as the body, where headers belong to it. */
  readonly readBody?: (request: FastifyRequest) => unknown;
  /** Describes a body that is not checked by a schema of the route. */
  readonly openApiBody?: Schema;
  /** What the answer is, in words and by the name of its type in the contract. */
  readonly answer: string;
  readonly bodyLimit?: number;
  /** Wraps the handler so that a repeated Idempotency-Key gets the first answer. Default: true for POST. */
  readonly idempotent?: boolean;
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
}

const ERROR_ANSWER = {
  description: "Problem (RFC 9457): code, detail, hint and requestId.",
  content: { "application/problem+json": { schema: { $ref: "Problem#" } } },
};

export function addRoute(app: FastifyInstance, context: ServerContext, spec: RouteSpec): void {
  const isIdempotent = spec.idempotent ?? spec.method === "POST";
  const handler = isIdempotent
    ? (request: FastifyRequest, reply: FastifyReply) =>
        context.idempotency.answer(request, reply, () => spec.handler(request, reply))
    : spec.handler;
  const options: RouteOptions = {
    method: spec.method,
    url: spec.url,
    validatorCompiler: compiledWhenUsed(app),
    schema: {
      summary: spec.summary,
      tags: [spec.tag],
      ...(spec.params === undefined ? {} : { params: spec.params }),
      ...(spec.query === undefined ? { querystring: object({}) } : { querystring: spec.query }),
      ...(spec.body === undefined ? {} : { body: spec.body }),
      ...(spec.openApiBody === undefined ? {} : { description: String(spec.openApiBody["description"]) }),
      response: { "2xx": { description: spec.answer }, default: ERROR_ANSWER },
    },
    ...(spec.bodyLimit === undefined ? {} : { bodyLimit: spec.bodyLimit }),
    onRequest: async (request) => {
      request.actor = await context.access.admit(request.raw, spec.access);
    },
    // A POST whose body is optional may have none at all.
    preValidation: (request, _reply, done) => {
      if (spec.body !== undefined && request.body === undefined) request.body = {};
      if (spec.readBody !== undefined) request.body = spec.readBody(request);
      done();
    },
    onResponse: (_request, reply, done) => {
      context.metrics.observeRequest(spec.method, spec.url, reply.statusCode, reply.elapsedTime);
      done();
    },
    handler,
  };
  app.route(options);
}

/** Checks of a route are compiled at its first request: those of all routes take a quarter of a second, which a restart would wait for. */
function compiledWhenUsed(app: FastifyInstance): FastifySchemaCompiler<FastifySchema> {
  return (part) => {
    let check: ReturnType<FastifySchemaCompiler<FastifySchema>> | undefined;
    const validate: ReturnType<FastifySchemaCompiler<FastifySchema>> = (value: unknown) => {
      check ??= (app.validatorCompiler as FastifySchemaCompiler<FastifySchema>)(part);
      const result = check(value);
      validate.errors = check.errors ?? null;
      return result;
    };
    return validate;
  };
}

// -- schema words --------------------------------------------------------------------------------------------------------------

/** A closed object: a key it does not list is refused. */
export function object(properties: Schema, required: readonly string[] = []): Schema {
  return { type: "object", properties, required, additionalProperties: false };
}
export const text = (maxLength: number, more: Schema = {}): Schema => ({
  type: "string",
  minLength: 1,
  maxLength,
  ...more,
});
export const oneOf = (...values: readonly string[]): Schema => ({ type: "string", enum: values });
/** Query values are text; these are numbers written as text. */
export const digits: Schema = { type: "string", pattern: "^-?[0-9]{1,16}$" };
export const modelName: Schema = { type: "string", pattern: "^[a-z0-9][a-z0-9._-]{0,63}$" };
export const versionName: Schema = { type: "string", pattern: "^v[0-9]{1,9}$" };
export const recordId: Schema = { type: "string", pattern: "^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$" };
export const pageQuery: Schema = { limit: { type: "string", pattern: "^[0-9]{1,3}$" }, cursor: recordId };

export function numberOf(value: string | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}
