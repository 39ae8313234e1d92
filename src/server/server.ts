/**
 * The HTTP server over a loop. It never opens storage: whoever calls `createServer` has a loop that is ready to start.
 * The order of registration matters: OpenAPI watches routes being added, the console comes last because it answers what is left.
 */
import { existsSync } from "node:fs";
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { join } from "node:path";
import fastifyMultipart from "@fastify/multipart";
import Fastify, { type FastifyInstance } from "fastify";
import { asRetrainError, fail, type Logger, plural, secureBytes, type SystemClock } from "../core/index.ts";
import type { Loop } from "../loop/contract.ts";
import { Access, isLoopback } from "./access.ts";
import { addConsole } from "./console-files.ts";
import { createFastPredict, createFastServer, type RequestListener } from "./fast-predict.ts";
import { Idempotency } from "./idempotency.ts";
import { Metrics } from "./metrics.ts";
import { addOpenApi } from "./openapi.ts";
import { logProblem, problemOf, translate } from "./problem.ts";
import type { ServerContext } from "./route.ts";
import { addAdminRoutes } from "./routes/admin.ts";
import { addAuditRoute } from "./routes/audit.ts";
import { addDecisionRoutes } from "./routes/decisions.ts";
import { addExampleRoutes } from "./routes/examples.ts";
import { addGateRoutes } from "./routes/gates.ts";
import { addHealthRoutes, addReplayRoutes } from "./routes/health.ts";
import { addFeedbackRoutes } from "./routes/feedback.ts";
import { addReviewRoutes } from "./routes/reviews.ts";
import { addLabelStudioRoutes } from "./routes/label-studio.ts";
import { addLabelingRoutes } from "./routes/labeling.ts";
import { addInferenceRoutes } from "./routes/inference.ts";
import { addModelRoutes } from "./routes/models.ts";
import { addDriftRoutes } from "./routes/drift.ts";
import { addMonitorRoutes } from "./routes/monitors.ts";
import { addPredictRoute } from "./routes/predict.ts";
import { addQuarantineRoutes } from "./routes/quarantine.ts";
import { addRunRoutes } from "./routes/runs.ts";
import { addStreamRoute, EventStream } from "./routes/stream.ts";
import { addTransferRoutes } from "./routes/transfer.ts";
import { addRolloutRoutes } from "./routes/rollouts.ts";
import { addVersionRoutes } from "./routes/versions.ts";

export interface ServerOptions {
  readonly loop: Loop;
  readonly systemClock: SystemClock;
  readonly logger: Logger;
  /** Version of the package, shown by `/api/v1/server` and OpenAPI. */
  readonly version?: string;
  /** Built console; absent or missing: `/` answers with a pointer to the API. */
  readonly consoleFolder?: string;
  /** Offers `/api/v1/replay/*`. */
  readonly replay?: boolean;
  /** Asks everybody for a token, also on loopback. Always on beyond loopback. */
  readonly requireTokens?: boolean;
  /** A bootstrap secret of role admin, at least 32 characters. */
  readonly adminSecret?: string;
}

export interface Server {
  /** Every route, for the test that asks each of them without a token. */
  readonly routes: readonly { readonly method: string; readonly url: string }[];
  readonly app: FastifyInstance;
  /** @throws BIND_REFUSED beyond loopback without a token, PORT_IN_USE */
  listen(address: { host: string; port: number }): Promise<{ readonly url: string; readonly port: number }>;
  /** Readiness goes away, requests under way are answered, streams end, the port closes. */
  close(): Promise<void>;
}

/** Endings of the files a console build is made of. */
const BUILD_FILE = /\.(?:js|css|map|svg|png|ico|json|txt|html|woff2?)$/;
/** Longer JSON bodies belong in NDJSON, which is streamed. */
const JSON_LIMIT_BYTES = 16 * 1024 * 1024;
const SECURITY_HEADERS = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
} as const;
const API_POLICY = "default-src 'none'; frame-ancestors 'none'";

/**
 * Loads what the framework loads only when an app is made and its first schema compiled, which takes longer than everything of ours
 * there. For whoever has to wait for something else first.
 */
export async function loadServer(): Promise<void> {
  const app = createApp(() => "", createHttpServer);
  await app.register(fastifyMultipart);
  await addOpenApi(app, "");
  await app.ready();
  await app.close();
}

export async function createServer(options: ServerOptions): Promise<Server> {
  const { loop, systemClock, logger } = options;
  const state = { draining: false, requireTokens: options.requireTokens ?? false };
  const access = createAccess(options, state);
  const metrics = new Metrics(loop);
  const stream = new EventStream(Buffer.from(secureBytes(4)).toString("hex"));
  const context: ServerContext = {
    loop,
    systemClock,
    logger,
    access,
    idempotency: new Idempotency(loop.store),
    metrics,
    replay: options.replay ?? false,
    version: options.version ?? "0.0.0",
    isDraining: () => state.draining,
  };
  const nextId = requestIds();
  // Filled once the routes are there: until then every request takes the router.
  const built: { fast?: ReturnType<typeof createFastPredict> } = {};
  const app = createApp(nextId, (router) => createFastServer(router, () => built.fast));
  const routes: { method: string; url: string }[] = [];
  app.addHook("onRoute", (route) => {
    for (const method of [route.method].flat()) routes.push({ method, url: route.url });
  });
  await addEverything(app, context, stream, options.consoleFolder);
  const unsubscribe = loop.subscribe((event) => {
    metrics.observeEvent(event);
    stream.publish(event);
  });
  await app.ready();
  built.fast = createFastPredict(context, nextId);
  return {
    routes,
    app,
    listen: (address) => listen(app, access, state, address),
    close: async () => {
      state.draining = true;
      unsubscribe();
      stream.close();
      await app.close();
    },
  };
}

function createAccess(options: ServerOptions, state: { readonly requireTokens: boolean }): Access {
  const { loop, systemClock, logger, adminSecret } = options;
  if (adminSecret !== undefined && adminSecret.length < 32) {
    throw fail("CONFIG_INVALID", {
      message: `The admin token has ${plural(adminSecret.length, "character")}; a guessable one is worse than none.`,
      remedy: "Use at least 32 random characters.",
    });
  }
  return new Access({
    store: loop.store,
    systemClock,
    logger,
    allowedHosts: loop.spec.server.allowedHosts,
    requireTokens: () => state.requireTokens,
    ...(adminSecret === undefined ? {} : { adminSecret }),
  });
}

/** Unique over processes by their beginning, within one by counting: an id of its own per request costs more than the check of its row. */
function requestIds(): () => string {
  const process = Buffer.from(secureBytes(6)).toString("hex");
  let count = 0;
  return () => `${process}-${(++count).toString(36)}`;
}

function createApp(nextId: () => string, serverFactory: (router: RequestListener) => HttpServer): FastifyInstance {
  const app = Fastify({
    logger: false,
    bodyLimit: JSON_LIMIT_BYTES,
    forceCloseConnections: "idle",
    return503OnClosing: false,
    genReqId: nextId,
    serverFactory,
    routerOptions: { maxParamLength: 128, ignoreTrailingSlash: false },
    ajv: {
      customOptions: {
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
        allErrors: true,
        verbose: true,
        strict: false,
      },
    },
  });
  // Answers are our own records; a compiled serializer would drop fields it does not know.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  const json = app.getDefaultJsonParser("error", "error");
  app.addContentTypeParser("application/cloudevents+json", { parseAs: "string" }, json);
  app.decorateRequest("actor", null as never);
  return app;
}

async function addEverything(
  app: FastifyInstance,
  context: ServerContext,
  stream: EventStream,
  consoleFolder: string | undefined,
): Promise<void> {
  const { access, logger } = context;
  app.addHook("onRequest", (request, _reply, done) => {
    access.checkSource(request.raw);
    done();
  });
  app.addHook("onSend", (request, reply, payload, done) => {
    reply.headers(SECURITY_HEADERS);
    reply.header("x-request-id", request.id);
    if (!reply.hasHeader("content-security-policy")) reply.header("content-security-policy", API_POLICY);
    if (!reply.hasHeader("cache-control")) reply.header("cache-control", "no-store");
    done(null, payload);
  });
  app.setErrorHandler((error, request, reply) => {
    const translated = asRetrainError(translate(error));
    logProblem(logger, translated, { id: request.id, method: request.method, url: request.url });
    if (translated.code === "UNAUTHENTICATED") reply.header("www-authenticate", "Bearer");
    if (translated.status === 429 || translated.status === 503) reply.header("retry-after", "1");
    return reply
      .code(translated.status)
      .type("application/problem+json; charset=utf-8")
      .send(problemOf(translated, request.id));
  });
  await app.register(fastifyMultipart, { limits: { files: 1, fields: 0, parts: 1 } });
  await addOpenApi(app, context.version);
  addHealthRoutes(app, context);
  addPredictRoute(app, context);
  addModelRoutes(app, context);
  addMonitorRoutes(app, context);
  addDriftRoutes(app, context);
  addExampleRoutes(app, context);
  addLabelingRoutes(app, context);
  addLabelStudioRoutes(app, context);
  addFeedbackRoutes(app, context);
  addReviewRoutes(app, context);
  addQuarantineRoutes(app, context);
  addRunRoutes(app, context);
  addRolloutRoutes(app, context);
  addVersionRoutes(app, context);
  addTransferRoutes(app, context);
  addGateRoutes(app, context);
  addDecisionRoutes(app, context);
  addAuditRoute(app, context);
  addAdminRoutes(app, context);
  addReplayRoutes(app, context);
  addStreamRoute(app, context, stream);
  await addInferenceRoutes(app, context);
  await addFallback(app, consoleFolder);
}

async function addFallback(app: FastifyInstance, consoleFolder: string | undefined): Promise<void> {
  const hasConsole = consoleFolder !== undefined && existsSync(join(consoleFolder, "index.html"));
  const sendIndex = hasConsole ? await addConsole(app, consoleFolder) : undefined;
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?", 1)[0] ?? "";
    // Names of models may hold a dot, so only what looks like a file of the build is none of the console's pages.
    const isPage = request.method === "GET" && !path.startsWith("/api/") && !BUILD_FILE.test(path);
    if (isPage && sendIndex !== undefined && (request.headers.accept ?? "").includes("text/html"))
      return sendIndex(reply);
    throw fail("NOT_FOUND", {
      message: `Nothing answers ${request.method} ${JSON.stringify(path.slice(0, 120))}.`,
      remedy: "See /openapi.json for the routes.",
    });
  });
}

async function listen(
  app: FastifyInstance,
  access: Access,
  state: { requireTokens: boolean },
  { host, port }: { host: string; port: number },
): Promise<{ url: string; port: number }> {
  if (!isLoopback(host)) {
    if (!(await access.hasAnyToken())) {
      throw fail("BIND_REFUSED", {
        message: `Listening on ${host} would let anybody on the network in: there is no token yet.`,
        remedy:
          "Start on 127.0.0.1 and make one with `retrain tokens create ops --role admin`, or set RETRAIN_ADMIN_TOKEN to at least 32 random characters.",
      });
    }
    state.requireTokens = true;
  }
  try {
    await app.listen({ host, port });
  } catch (error) {
    if ((error as { code?: string }).code !== "EADDRINUSE") throw error;
    throw fail("PORT_IN_USE", {
      message: `Port ${port} on ${host} is taken.`,
      remedy: "Choose another with --port, or 0 for any free one.",
      cause: error,
    });
  }
  const address = app.server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
  const shown = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return { url: `http://${shown.includes(":") ? `[${shown}]` : shown}:${bound}`, port: bound };
}
