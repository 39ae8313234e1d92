/**
 * The predict route. The body is checked by the model's own row check, so it declares no schema; the answer is written straight to
 * the response. Plain requests over a socket do not even get here: `fast-predict.ts` answers them with the functions below.
 */
import type { FastifyInstance } from "fastify";
import { fail, type Variant } from "../../core/index.ts";
import type { PredictAnswer, PredictedRow, PredictRequest } from "../../loop/contract.ts";
import type { AccessRule } from "../access.ts";
import type { ServerContext } from "../route.ts";

export const PREDICT_RULE: AccessRule = { role: "labeler", scope: "predict" };
/** 10,000 rows of 100 columns fit; a larger request belongs in several. */
export const BODY_LIMIT_BYTES = 8 * 1024 * 1024;
/** For tests during a rollout: this variant answers, and the request takes part in no experiment. */
export const VARIANT_HEADER = "x-retrain-variant";
const QUERY_KEYS = new Set(["trace", "version", "log"]);
type Row = Readonly<Record<string, unknown>>;

export function addPredictRoute(app: FastifyInstance, context: ServerContext): void {
  const { access, idempotency } = context;
  app.route({
    method: "POST",
    url: "/api/v1/models/:model/predict",
    bodyLimit: BODY_LIMIT_BYTES,
    schema: {
      summary: "Predict one row, or many as {rows}",
      tags: ["predictions"],
      response: { "2xx": { description: "PredictOneAnswer, or PredictManyAnswer for {rows} and for forecasts" } },
    },
    onRequest: (request, _reply, done) => {
      // Before the body is read: a stranger must not make the server parse megabytes.
      const actor = access.admit(request.raw, PREDICT_RULE);
      if (actor instanceof Promise) {
        actor.then((found) => {
          request.actor = found;
          done();
        }, done);
      } else {
        request.actor = actor;
        done();
      }
    },
    handler: async (request, reply) => {
      requireJson(request.headers["content-type"]);
      const { model } = request.params as { model: string };
      const hasQuery = request.raw.url?.includes("?") === true;
      const query = hasQuery ? (request.query as Readonly<Record<string, string>>) : undefined;
      const forced = readVariant(request.raw.headers[VARIANT_HEADER]);
      const work = () => predictBody(context, { model, body: request.body, query, variant: forced });
      if (request.raw.headers["idempotency-key"] !== undefined) return idempotency.answer(request, reply, work);
      return work();
    },
  });
}

/** @throws FORMAT_UNSUPPORTED; a request without a type has no body, which is told as such */
function requireJson(type: string | undefined): void {
  if (type === undefined || /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) return;
  throw fail("FORMAT_UNSUPPORTED", {
    message: `A prediction takes JSON; this request says ${JSON.stringify(type.slice(0, 60))}.`,
    remedy: 'Send the row as JSON with "content-type: application/json".',
  });
}

export function predictHeaders(text: string, type = "application/json; charset=utf-8"): string[] {
  return [
    "content-type",
    type,
    "content-length",
    String(Buffer.byteLength(text)),
    "cache-control",
    "no-store",
    "x-content-type-options",
    "nosniff",
  ];
}

/** A body and where it was sent. */
export interface AskedBody {
  readonly model: string;
  readonly body: unknown;
  readonly query: Readonly<Record<string, string>> | undefined;
  readonly variant?: Variant | undefined;
}

/**
 * The answer to a body, counted, by a call of one of the two, neither of which may throw.
 * Without promises: on Node 20 each of them costs half a microsecond while anybody in the process uses AsyncLocalStorage.
 */
export function answerBody(
  context: ServerContext,
  { model, body, query, variant }: AskedBody,
  give: (answer: PredictAnswer) => void,
  refuse: (error: unknown) => void,
): void {
  const { systemClock, metrics, loop } = context;
  const startedMs = systemClock.monotonicMs();
  let request: PredictRequest;
  try {
    request = readRequest(model, body, query);
  } catch (error) {
    refuse(error);
    return;
  }
  loop.answer(
    variant === undefined ? request : { ...request, variant },
    (predicted) => {
      const { predictions, version } = predicted;
      const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
      metrics.observePrediction(model, version, predictions.length, predictions[0]?.logged ?? false, seconds);
      give(predicted);
    },
    (error) => {
      // Counted per known model only: an unknown name from outside must not grow the metrics.
      if (loop.spec.models.some(({ name }) => name === model)) metrics.observePredictionError(model);
      refuse(error);
    },
  );
}

/** The answer to a body: of one row its prediction, of `{rows}` all of them. */
function predictBody(context: ServerContext, asked: AskedBody): Promise<unknown> {
  return new Promise((resolve, reject) =>
    answerBody(context, asked, (predicted) => resolve(shape(asked.body, predicted)), reject),
  );
}

/** The same as text. Names of models and versions hold nothing that JSON escapes. */
export function answerText(body: unknown, predicted: PredictAnswer): string {
  const first = onlyOne(body, predicted);
  if (first === undefined) return JSON.stringify(predicted);
  // A row that names its version was answered by another than the champion, and that one counts.
  if (first.version !== undefined) return JSON.stringify(shape(body, predicted));
  return `{"model":"${predicted.model}","version":"${predicted.version}",${JSON.stringify(first).slice(1)}`;
}

/** @throws BODY_INVALID */
export function readVariant(header: string | readonly string[] | undefined): Variant | undefined {
  if (header === undefined) return undefined;
  if (header === "champion" || header === "challenger") return header;
  throw fail("BODY_INVALID", {
    message: `The header ${VARIANT_HEADER} is ${JSON.stringify(header).slice(0, 60)}.`,
    remedy: 'Send "champion" or "challenger", or leave it out to be assigned.',
  });
}

function readRequest(
  model: string,
  body: unknown,
  query: Readonly<Record<string, string>> | undefined,
): PredictRequest {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw fail("BODY_INVALID", {
      message: 'The body of a prediction must be one row as a JSON object, or {"rows": […]}.',
      remedy: 'Send {"feature": value, …}.',
    });
  }
  const rows = isMany(body) ? body.rows : [body as Row];
  return query === undefined ? { model, rows } : { model, rows, ...readQuery(query) };
}

/** `{rows: […]}` and nothing else; no feature holds a list, so this cannot be a row. */
function isMany(body: object): body is { readonly rows: readonly Row[] } {
  return Array.isArray((body as { rows?: unknown }).rows);
}

type Asked = Partial<Pick<PredictRequest, "trace" | "version" | "log">>;
/** The fast path hands over the same object for the same text. */
const readQueries = new WeakMap<Readonly<Record<string, string>>, Asked>();

function readQuery(query: Readonly<Record<string, string>>): Asked {
  const known = readQueries.get(query);
  if (known !== undefined) return known;
  const asked = checkQuery(query);
  readQueries.set(query, asked);
  return asked;
}

function checkQuery(query: Readonly<Record<string, string>>): Asked {
  for (const key of Object.keys(query))
    if (!QUERY_KEYS.has(key)) throw badQuery(`has an unknown key "${key.slice(0, 40)}"`);
  const { trace, version, log } = query;
  for (const [key, value] of Object.entries({ trace, log })) {
    if (value !== undefined && value !== "0" && value !== "1") throw badQuery(`has ${key}=${value.slice(0, 40)}`);
  }
  if (version !== undefined && !/^v[0-9]{1,9}$/.test(version)) throw badQuery(`has version=${version.slice(0, 40)}`);
  return {
    ...(trace === undefined ? {} : { trace: trace === "1" }),
    ...(version === undefined ? {} : { version }),
    ...(log === undefined ? {} : { log: log === "1" }),
  };
}

function badQuery(what: string) {
  return fail("BODY_INVALID", { message: `The query ${what}.`, remedy: "Use trace=0|1, log=0|1 and version=v1." });
}

/** The prediction that is the whole answer; undefined where there are several. A forecast answers one question with several periods. */
function onlyOne(body: unknown, { predictions }: PredictAnswer): PredictedRow | undefined {
  const [first] = predictions;
  return first?.forecast !== undefined || isMany(body as object) ? undefined : first;
}

function shape(body: unknown, predicted: PredictAnswer): unknown {
  const first = onlyOne(body, predicted);
  return first === undefined ? predicted : { model: predicted.model, version: predicted.version, ...first };
}
