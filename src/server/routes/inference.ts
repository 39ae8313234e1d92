/**
 * Open Inference Protocol v2 (REST) with its repository and binary extensions, below `/v2`: clients made for KServe, Triton or
 * MLServer ask without change. `infer` without a version takes the ordinary way of a prediction, so whatever routes and logs
 * those routes and logs these; with a version it is pinned and logged when `parameters.log` says so.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { asRetrainError, fail, plural } from "../../core/index.ts";
import type { PredictedRow } from "../contract.ts";
import { translate, logProblem } from "../problem.ts";
import type { ServerContext } from "../route.ts";
import {
  badTensor,
  type InferRequest,
  outputInfos,
  type OutputTensor,
  outputTensors,
  parseInfer,
  type TensorInfo,
  writeBinary,
} from "../inference-tensors.ts";
import type { PredictAnswer } from "../../loop/contract.ts";
import { pack, unpack } from "../packed-body.ts";
import { BODY_LIMIT_BYTES, PREDICT_RULE, readVariant, VARIANT_HEADER } from "./predict.ts";

const HEADER_LENGTH = "inference-header-content-length";
const DATATYPES = {
  number: "FP64",
  category: "BYTES",
  boolean: "BOOL",
  text: "BYTES",
  vector: "BYTES",
  image: "BYTES",
} as const;

interface Params {
  readonly model: string;
  readonly version?: string;
}

export async function addInferenceRoutes(root: FastifyInstance, context: ServerContext): Promise<void> {
  await root.register(async (app) => {
    // Bodies are JSON with bytes behind it, under any content type or none.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: BODY_LIMIT_BYTES }, (request, body, done) => {
      unpack(body as Buffer, request.headers["content-encoding"], BODY_LIMIT_BYTES).then(
        (plain) => done(null, plain),
        done,
      );
    });
    app.setErrorHandler((error, request, reply) => {
      const translated = asRetrainError(translate(error));
      logProblem(context.logger, translated, { id: request.id, method: request.method, url: request.url });
      if (translated.code === "UNAUTHENTICATED") reply.header("www-authenticate", "Bearer");
      const isOurs = translated.code === "INTERNAL";
      const text = isOurs
        ? `The server made a mistake (request ${request.id}).`
        : `${translated.message} ${translated.remedy}`;
      return reply.code(translated.status).send({ error: text, code: translated.code });
    });
    addServerRoutes(app, context);
    addModelRoutes(app, context);
  });
}

const schema = (summary: string) => ({ schema: { summary, tags: ["open inference protocol"] } });

/** Probes carry no token, as /livez and /readyz. */
function addServerRoutes(app: FastifyInstance, context: ServerContext): void {
  app.get("/v2/health/live", schema("The process answers"), async () => ({ live: true }));
  app.get("/v2/health/ready", schema("Ready to answer"), async (_request, reply) => {
    const ready = context.loop.ready().ready && !context.isDraining();
    // The protocol says "4xx = false", where /readyz says 503.
    return reply.code(ready ? 200 : 400).send({ ready });
  });
  const metadata = async () => ({
    name: "retrain",
    version: context.version,
    extensions: ["binary_tensor_data", "model_repository"],
  });
  app.get("/v2", schema("Name, version and extensions"), metadata);
  app.get("/v2/", { schema: { ...schema("Name, version and extensions").schema, hide: true } }, metadata);
}

function addModelRoutes(app: FastifyInstance, context: ServerContext): void {
  const admit = {
    onRequest: async (request: FastifyRequest) => {
      request.actor = await context.access.admit(request.raw, PREDICT_RULE);
    },
  };
  for (const at of ["/v2/models/:model", "/v2/models/:model/versions/:version"]) {
    const which = at.endsWith(":version") ? "of one version" : "of the model";
    app.get(at, { ...admit, ...schema(`Inputs and outputs ${which}`) }, async (request) =>
      modelMetadata(context, request.params as Params),
    );
    app.get(`${at}/ready`, { ...admit, ...schema(`Readiness ${which}`) }, async (request, reply) => {
      const params = request.params as Params;
      const ready = await isReady(context, params);
      return reply.code(ready ? 200 : 400).send({ name: params.model, ready });
    });
    app.post(`${at}/infer`, { ...admit, ...schema(`Predict with tensors ${which}`) }, async (request, reply) =>
      infer(context, request, reply),
    );
  }
  app.post("/v2/repository/index", { ...admit, ...schema("All versions with their state") }, async (request) =>
    repositoryIndex(context, request.body),
  );
  app.post(
    "/v2/repository/models/:model/load",
    { ...admit, ...schema("Whether a model is loaded") },
    async (request) => {
      const { model } = request.params as Params;
      if (await isReady(context, { model })) return {};
      throw fail("MODEL_NOT_READY", {
        message: `Model ${model} has no live version to load.`,
        remedy: "Versions are loaded when they are promoted; promote one with `retrain promote`.",
      });
    },
  );
  app.post(
    "/v2/repository/models/:model/unload",
    { ...admit, ...schema("Refused: models stay loaded") },
    async (request) => {
      const { model } = request.params as Params;
      context.loop.model(model);
      throw fail("CONFLICT", {
        message: `Model ${model} is served as long as the configuration names it; it is not unloaded by request.`,
        remedy: "Remove it from the configuration.",
      });
    },
  );
}

/** `3` is `v3`: some clients insist on numbers. */
const versionName = (version: string) => (/^[1-9]\d{0,8}$/.test(version) ? `v${version}` : version);

async function findVersion(context: ServerContext, { model, version }: Params) {
  const { registry } = context.loop.store;
  context.loop.model(model);
  if (version === undefined) return registry.champion(model);
  const found = await registry.get(model, versionName(version));
  if (found !== undefined) return found;
  throw fail("VERSION_UNKNOWN", {
    message: `Model ${model} has no version ${JSON.stringify(version.slice(0, 40))}.`,
    remedy: "POST /v2/repository/index lists them.",
  });
}

async function isReady(context: ServerContext, params: Params): Promise<boolean> {
  const found = await findVersion(context, params);
  return found !== undefined && context.loop.ready().ready && !context.isDraining();
}

function inputInfos(context: ServerContext, model: string): readonly TensorInfo[] {
  const { features, recommend, unit } = context.loop.model(model).schema;
  // A question for a slate names a user; the item is the answer.
  const asked = features
    .filter(({ name }) => name !== recommend?.item)
    .map(({ name, spec }) => ({ name, datatype: DATATYPES[spec.kind], shape: [-1] }));
  // Who asks decides who answers while a rollout is open. It may be left out; the protocol has no word for that.
  if (unit === undefined || features.some(({ name }) => name === unit)) return asked;
  return [...asked, { name: unit, datatype: DATATYPES.text, shape: [-1] }];
}

async function modelMetadata(context: ServerContext, params: Params) {
  const { model } = params;
  const spec = context.loop.model(model);
  await findVersion(context, params);
  const versions = await context.loop.store.registry.list(model);
  const { label, task } = spec.schema;
  const classes = label.kind === "category" ? (label.categories?.length ?? -1) : 2;
  return {
    name: model,
    versions: versions.toSorted((a, b) => a.number - b.number).map(({ name }) => name),
    platform: `retrain_${spec.trainer.name}`,
    inputs: inputInfos(context, model),
    outputs: outputInfos(task, classes),
  };
}

async function repositoryIndex(context: ServerContext, body: unknown) {
  const onlyReady = readsReady(body);
  const lists = await Promise.all(
    context.loop.spec.models.map(async ({ name }) => {
      const versions = await context.loop.store.registry.list(name);
      if (versions.length === 0) return [{ name, state: "UNAVAILABLE", reason: "no version yet" }];
      return versions.map((version) => ({
        name,
        version: version.name,
        state: version.role === "champion" || version.role === "challenger" ? "READY" : "UNAVAILABLE",
        reason: version.role ?? version.state,
      }));
    }),
  );
  return lists.flat().filter(({ state }) => !onlyReady || state === "READY");
}

function readsReady(body: unknown): boolean {
  if (!(body instanceof Buffer) || body.length === 0) return false;
  try {
    return (JSON.parse(body.toString("utf8")) as { ready?: unknown } | null)?.ready === true;
  } catch {
    throw badTensor("The body is no JSON object.");
  }
}

async function infer(context: ServerContext, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const { model, version } = request.params as Params;
  const { systemClock, metrics, loop } = context;
  const startedMs = systemClock.monotonicMs();
  const { task } = loop.model(model).schema;
  const asked = parseInfer(
    request.body instanceof Buffer ? request.body : Buffer.alloc(0),
    request.headers[HEADER_LENGTH] as string | undefined,
  );
  const { log } = asked.parameters;
  const variant = readVariant(request.headers[VARIANT_HEADER]);
  const answer = await loop
    .predict({
      model,
      rows: asked.rows,
      ...(variant === undefined ? {} : { variant }),
      ...(version === undefined ? {} : { version: versionName(version) }),
      ...(typeof log === "boolean" ? { log } : {}),
    })
    .catch((error: unknown) => {
      metrics.observePredictionError(model);
      throw error;
    });
  const [first] = answer.predictions;
  const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
  metrics.observePrediction(model, answer.version, answer.predictions.length, first?.logged ?? false, seconds);
  refuseHeld(model, answer.predictions);
  const classes = Object.keys(first?.probabilities ?? {}).length;
  const tensors = outputTensors(wanted(outputInfos(task, classes), asked), answer.predictions);
  return sendAnswer(request, reply, {
    asked,
    tensors,
    head: {
      model_name: model,
      ...answeredBy(answer),
      ...(asked.id === undefined ? {} : { id: asked.id }),
    },
  });
}

/** The protocol has no word for an answer that is not given yet. */
function refuseHeld(model: string, predictions: readonly PredictedRow[]): void {
  const held = predictions.filter((row) => row.decision === null);
  if (held.length === 0) return;
  const predictionIds = held.slice(0, 20).flatMap((row) => row.predictionId ?? []);
  throw fail("REVIEW_PENDING", {
    message: `${held.length} of ${plural(predictions.length, "answer")} ${held.length === 1 ? "is" : "are"} held: the model is not sure of them, and a person decides.`,
    remedy: `Wait for each at /api/v1/models/${model}/reviews/{predictionId}?wait=30.`,
    details: { predictionIds },
  });
}

function wanted(infos: readonly TensorInfo[], { outputs }: InferRequest): readonly TensorInfo[] {
  if (outputs === undefined) return infos;
  return [...outputs.keys()].map((name) => {
    const found = infos.find((info) => info.name === name);
    if (found !== undefined) return found;
    throw badTensor(
      `There is no output ${JSON.stringify(name.slice(0, 60))}; outputs: ${infos.map((one) => one.name).join(", ")}.`,
    );
  });
}

/** The version that answered; during a rollout rows of one request may have two, which the parameters then name row by row. */
function answeredBy({ version, predictions }: PredictAnswer) {
  const versions = predictions.map((row) => row.version ?? version);
  const variants = predictions.flatMap((row) => row.variant ?? []);
  const isOne = versions.every((one) => one === versions[0]);
  return {
    model_version: isOne ? (versions[0] ?? version) : version,
    parameters: {
      logged: predictions[0]?.logged ?? false,
      ...(isOne ? {} : { versions: versions.join(",") }),
      ...(variants.length === 0 ? {} : { variants: variants.join(",") }),
    },
  };
}

async function sendAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: {
    readonly asked: InferRequest;
    readonly tensors: readonly OutputTensor[];
    readonly head: Readonly<Record<string, unknown>>;
  },
): Promise<unknown> {
  const { asked, tensors, head } = answer;
  const chunks: Buffer[] = [];
  const outputs = tensors.map((tensor) => {
    const { data, ...rest } = tensor;
    if (!(asked.outputs?.get(tensor.name)?.binary ?? asked.binaryByDefault)) return { ...rest, data };
    const bytes = writeBinary(tensor);
    chunks.push(bytes);
    return { ...rest, parameters: { binary_data_size: bytes.length } };
  });
  const json = Buffer.from(JSON.stringify({ ...head, outputs }));
  if (chunks.length === 0) reply.type("application/json; charset=utf-8");
  else reply.type("application/octet-stream").header(HEADER_LENGTH, String(json.length));
  const packed = await pack(Buffer.concat([json, ...chunks]), request.headers["accept-encoding"]);
  if (packed.encoding !== undefined) reply.header("content-encoding", packed.encoding);
  return reply.header("vary", "accept-encoding").send(packed.body);
}
