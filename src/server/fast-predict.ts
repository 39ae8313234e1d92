/**
 * The plain prediction request, answered before the router sees it: a POST of one JSON body of stated length to a model's predict
 * route. The router costs a third of such a request (measured in bench/predict.bench.ts), and a prediction needs none of it.
 *
 * It does exactly what the route in `routes/predict.ts` does, by the same functions: Host and Origin check, token, body limit, row
 * check, answer, problem. Everything out of the ordinary (chunked or compressed bodies, other content types, idempotency keys)
 * returns false and goes the ordinary way.
 */
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { parse as parseQuery } from "node:querystring";
import { asRetrainError, type RetrainError } from "../core/index.ts";
import { logProblem, problemOf, translate } from "./problem.ts";
import type { ServerContext } from "./route.ts";
import type { PredictAnswer } from "../loop/contract.ts";
import {
  answerBody,
  answerText,
  BODY_LIMIT_BYTES,
  PREDICT_RULE,
  predictHeaders,
  VARIANT_HEADER,
} from "./routes/predict.ts";

const ROUTE = /^\/api\/v1\/models\/([a-z0-9][a-z0-9._-]{0,63})\/predict(?:\?([^#]*))?$/;
/** A key that would change a prototype, plain or with its letters escaped. */
const SUSPECT = /__proto__|\\u/;
/** Proxies and clients keep connections; a shorter time than theirs makes them send into a closed one. */
const KEEP_ALIVE_MS = 72_000;

export type RequestListener = (request: IncomingMessage, response: ServerResponse) => void;

/** The HTTP server: plain predictions first, everything else to the router. */
export function createFastServer(
  router: RequestListener,
  fast: () => ((...pair: Parameters<RequestListener>) => boolean) | undefined,
): Server {
  const server = createHttpServer((request, response) => {
    if (request.method === "POST" && fast()?.(request, response) === true) return;
    router(request, response);
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  // Long uploads are bounded by their size; headers by Node's own minute.
  server.requestTimeout = 0;
  return server;
}

/** @returns a listener that says whether it took the request */
export function createFastPredict(
  context: ServerContext,
  nextId: () => string,
): (...pair: Parameters<RequestListener>) => boolean {
  return (request, response) => {
    const match = ROUTE.exec(request.url ?? "");
    // While draining the router answers: it tells clients to close their connections.
    if (match === null || !isPlain(request) || context.isDraining()) return false;
    const length = Number(request.headers["content-length"]);
    const call: Call = { context, response, request, model: match[1] as string, query: match[2], nextId };
    try {
      context.access.checkSource(request);
      const actor = context.access.admit(request, PREDICT_RULE);
      if (actor instanceof Promise) {
        // The body waits in the socket meanwhile: a stranger's is never read.
        actor.then(
          () => readBody(call, length),
          (error: unknown) => refuse(call, error),
        );
      } else readBody(call, length);
    } catch (error) {
      refuse(call, error);
    }
    return true;
  };
}

interface Call {
  readonly context: ServerContext;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly model: string;
  readonly query: string | undefined;
  readonly nextId: () => string;
}

function isPlain({ headers }: IncomingMessage): boolean {
  const type = headers["content-type"];
  if (type !== "application/json" && type?.startsWith("application/json;") !== true) return false;
  const length = Number(headers["content-length"]);
  if (!(length > 0 && length <= BODY_LIMIT_BYTES)) return false;
  return (
    headers["idempotency-key"] === undefined &&
    headers[VARIANT_HEADER] === undefined &&
    headers["transfer-encoding"] === undefined &&
    headers["content-encoding"] === undefined &&
    headers.expect === undefined
  );
}

function readBody(call: Call, length: number): void {
  const { request } = call;
  let first: Buffer | undefined;
  let rest: Buffer[] | undefined;
  request.on("data", (chunk: Buffer) => {
    if (first === undefined) first = chunk;
    else if (rest === undefined) rest = [first, chunk];
    else rest.push(chunk);
  });
  request.on("end", () => {
    const body = rest === undefined ? (first ?? Buffer.alloc(0)) : Buffer.concat(rest, length);
    respond(call, body.toString("utf8"));
  });
}

function respond(call: Call, text: string): void {
  const { context, model, response } = call;
  const refused = (error: unknown) => refuse(call, error);
  let body: unknown;
  try {
    body = parseBody(text);
  } catch (error) {
    refused(error);
    return;
  }
  const give = (answer: PredictAnswer) => {
    const sent = answerText(body, answer);
    response.writeHead(200, predictHeaders(sent));
    endAtOnce(response, sent);
  };
  answerBody(context, { model, body, query: queryOf(call.query) }, give, refused);
}

/** Header and body in one write. `end` with a text would hand the socket a second, empty one behind it. */
function endAtOnce(response: ServerResponse, text: string): void {
  const { socket } = response;
  // An answer that waits behind an earlier one of its connection has no socket yet.
  if (socket === null) {
    response.end(text);
    return;
  }
  socket.cork();
  response.write(text);
  socket.uncork();
  response.end();
}

type Query = Readonly<Record<string, string>>;
/** A client sends one query again and again; taking it apart costs as much as the model. */
let lastQuery: { readonly text: string; readonly query: Query } | undefined;

function queryOf(text: string | undefined): Query | undefined {
  if (text === undefined || text === "") return undefined;
  if (lastQuery?.text !== text) lastQuery = { text, query: parseQuery(text) as Query };
  return lastQuery.query;
}

function parseBody(text: string): unknown {
  try {
    return SUSPECT.test(text) ? JSON.parse(text, refusePrototype) : JSON.parse(text);
  } catch (error) {
    throw Object.assign(error as Error, { statusCode: 400 });
  }
}

/** As the router's parser: a key that would change a prototype is a syntax error. */
function refusePrototype(key: string, value: unknown): unknown {
  if (key === "__proto__") throw new SyntaxError("Object contains forbidden prototype property");
  return value;
}

function refuse(call: Call, thrown: unknown): void {
  const { context, request, response } = call;
  const error: RetrainError = asRetrainError(translate(thrown));
  const id = call.nextId();
  logProblem(context.logger, error, { id, method: request.method ?? "", url: request.url ?? "" });
  const text = JSON.stringify(problemOf(error, id));
  response.writeHead(error.status, [
    ...predictHeaders(text, "application/problem+json; charset=utf-8"),
    "x-request-id",
    id,
    ...(error.code === "UNAUTHENTICATED" ? ["www-authenticate", "Bearer"] : []),
    ...(error.status === 503 || error.status === 429 ? ["retry-after", "1"] : []),
  ]);
  response.end(text);
}
