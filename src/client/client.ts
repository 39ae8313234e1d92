/**
 * The typed client of the HTTP API. Methods are named for what they do; paths, types and answers come from `server/contract.ts`.
 *
 * @example
 * const client = createClient({ url: "http://127.0.0.1:4400" });
 * const { decision, score } = await client.predict("purchases", { age: 41, job: "services" });
 */
import type {
  AlertsQuery,
  AuditQuery,
  Api,
  ApprovalBody,
  DecisionsQuery,
  ExamplesQuery,
  Json,
  LabelBody,
  Page,
  PageQuery,
  MultivariateQuery,
  DriftWindowQuery,
  PerformanceQuery,
  PredictManyAnswer,
  PredictOneAnswer,
  QuarantineQuery,
  SlicesQuery,
  OutcomesBody,
  RolloutAction,
  RunBody,
  RunsQuery,
  TokenBody,
  TriggerEventBody,
} from "../server/contract.ts";
import { feedbackMethods } from "./feedback.ts";
import { labelingMethods } from "./labeling.ts";
import { reviewMethods } from "./reviews.ts";
import { download, type RequestBody, type RequestOptions, send, type Transport } from "./request.ts";
import { streamEvents, type StreamItem, type StreamOptions } from "./stream.ts";

export interface ClientOptions {
  /** Default `http://127.0.0.1:4400`. */
  readonly url?: string;
  /** `rt_…`; needed beyond loopback. */
  readonly token?: string;
  /** Per attempt, in ms. Default 30,000. */
  readonly timeoutMs?: number;
  /** After the first attempt. Default 3. */
  readonly retries?: number;
  readonly fetch?: typeof globalThis.fetch;
}

export type Row = Readonly<Record<string, Json>>;
export interface PredictOptions {
  readonly trace?: boolean;
  readonly version?: string;
  readonly log?: boolean;
}
export interface UploadOptions extends ExamplesQuery {
  readonly contentType: string;
  readonly idempotencyKey?: string | null;
}
type Query = NonNullable<RequestOptions["query"]>;

export const DEFAULT_URL = "http://127.0.0.1:4400";
const part = encodeURIComponent;

export type RetrainClient = ReturnType<typeof createClient>;

export function createClient(options: ClientOptions = {}) {
  const transport: Transport = {
    baseUrl: (options.url ?? DEFAULT_URL).replace(/\/+$/, ""),
    token: options.token,
    timeoutMs: options.timeoutMs ?? 30_000,
    retries: options.retries ?? 3,
    fetch: options.fetch ?? globalThis.fetch,
  };
  const get = <K extends keyof Api>(path: string, query?: object) =>
    send<Api[K]>(transport, { method: "GET", path, ...(query === undefined ? {} : { query: query as Query }) });
  const post = <K extends keyof Api>(path: string, json: unknown, more: Partial<RequestOptions> = {}) =>
    send<Api[K]>(transport, { method: "POST", path, json, ...more });
  return {
    url: transport.baseUrl,
    ...readers(get),
    ...writers(post),
    ...predictions(transport),
    ...labelingMethods(get, post),
    ...feedbackMethods(get, post),
    ...reviewMethods(get, post),
    /** Sends a body of rows as it is: CSV, NDJSON, JSON or Parquet, a string, bytes or a stream. */
    upload: (model: string, body: RequestBody, { contentType, idempotencyKey, ...query }: UploadOptions) =>
      send<Api["POST /models/:model/examples"]>(transport, {
        method: "POST",
        path: `/models/${part(model)}/examples`,
        query: query as Query,
        body,
        contentType,
        timeoutMs: 0,
        ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      }),
    /** A version as one signed file. */
    exportVersion: (model: string, version: string, query: { readonly format?: string } = {}) =>
      download(transport, `/models/${part(model)}/versions/${part(version)}/export`, query),
    /** @param format `onnx` for a model of any origin, else an exported version */
    importVersion: (model: string, archive: Uint8Array<ArrayBuffer>, format: "retrain" | "onnx" = "retrain") =>
      send<Api["POST /models/:model/imports"]>(transport, {
        method: "POST",
        path: `/models/${part(model)}/imports`,
        body: archive,
        contentType: format === "onnx" ? "application/onnx" : "application/x-tar",
        idempotencyKey: null,
        timeoutMs: 0,
      }),
    revokeToken: (id: string) =>
      send<Api["DELETE /tokens/:id"]>(transport, { method: "DELETE", path: `/tokens/${part(id)}` }),
    stream: (streamOptions?: StreamOptions): AsyncGenerator<StreamItem> => streamEvents(transport, streamOptions),
    /** Any route, for what has no method of its own. */
    request: <T>(request: RequestOptions) => send<T>(transport, request),
  };
}

type Get = <K extends keyof Api>(path: string, query?: object) => Promise<Api[K]>;
type Post = <K extends keyof Api>(path: string, json: unknown, more?: Partial<RequestOptions>) => Promise<Api[K]>;

function readers(get: Get) {
  return {
    server: () => get<"GET /server">("/server"),
    models: () => get<"GET /models">("/models"),
    model: (model: string) => get<"GET /models/:model">(`/models/${part(model)}`),
    status: (model: string) => get<"GET /models/:model/status">(`/models/${part(model)}/status`),
    drift: (model: string, query: DriftWindowQuery = {}) =>
      get<"GET /models/:model/drift">(`/models/${part(model)}/drift`, query),
    /** Rows compared as wholes: what no feature alone can show. */
    multivariateDrift: (model: string, query: MultivariateQuery = {}) =>
      get<"GET /models/:model/drift/multivariate">(`/models/${part(model)}/drift/multivariate`, query),
    performance: (model: string, query: PerformanceQuery = {}) =>
      get<"GET /models/:model/performance">(`/models/${part(model)}/performance`, query),
    slices: (model: string, query: SlicesQuery = {}) =>
      get<"GET /models/:model/slices">(`/models/${part(model)}/slices`, query),
    /** What moved, what it costs, where it hurts, since when. */
    diagnosis: (model: string) => get<"GET /models/:model/diagnosis">(`/models/${part(model)}/diagnosis`),
    /** Why it does (not) retrain. */
    triggers: (model: string) => get<"GET /models/:model/triggers">(`/models/${part(model)}/triggers`),
    quarantine: (model: string, query: QuarantineQuery = {}) =>
      get<"GET /models/:model/quarantine">(`/models/${part(model)}/quarantine`, query),
    batches: (model: string, query: PageQuery = {}) =>
      get<"GET /models/:model/batches">(`/models/${part(model)}/batches`, query),
    /** Of one model, or of all. */
    runs: (model?: string, query: RunsQuery = {}) =>
      get<"GET /runs">(model === undefined ? "/runs" : `/models/${part(model)}/runs`, query),
    run: (id: string) => get<"GET /runs/:id">(`/runs/${part(id)}`),
    trace: (id: string, afterEpoch?: number) => get<"GET /runs/:id/trace">(`/runs/${part(id)}/trace`, { afterEpoch }),
    evaluation: (id: string) => get<"GET /runs/:id/evaluation">(`/runs/${part(id)}/evaluation`),
    versions: (model: string) => get<"GET /models/:model/versions">(`/models/${part(model)}/versions`),
    version: (model: string, version: string) =>
      get<"GET /models/:model/versions/:version">(`/models/${part(model)}/versions/${part(version)}`),
    /** What a rollback would do now. */
    rollbackPlan: (model: string) => get<"GET /models/:model/rollback">(`/models/${part(model)}/rollback`),
    /** What a version looks at, most important feature first. */
    importance: (model: string, version: string) =>
      get<"GET /models/:model/versions/:version/importance">(
        `/models/${part(model)}/versions/${part(version)}/importance`,
      ),
    /** Scores both on the rows neither was trained on; takes seconds. */
    compare: (model: string, a: string, b: string, metric?: string) =>
      get<"GET /models/:model/compare">(`/models/${part(model)}/compare`, { a, b, metric }),
    approvals: (model: string, version: string) =>
      get<"GET /models/:model/versions/:version/approvals">(
        `/models/${part(model)}/versions/${part(version)}/approvals`,
      ),
    decisions: (query: DecisionsQuery = {}) => get<"GET /decisions">("/decisions", query),
    alerts: (query: AlertsQuery = {}) => get<"GET /alerts">("/alerts", query),
    exportKey: () => get<"GET /export-key">("/export-key"),
    config: () => get<"GET /config">("/config"),
    sources: () => get<"GET /sources">("/sources"),
    /** Newest first. */
    rollouts: (model: string, query: PageQuery = {}) =>
      get<"GET /models/:model/rollouts">(`/models/${part(model)}/rollouts`, query),
    /** What the next rollout would take. */
    rolloutPlan: (model: string) => get<"GET /models/:model/rollouts/plan">(`/models/${part(model)}/rollouts/plan`),
    /** A rollout with the evidence of each of its phases. */
    experiment: (id: string) => get<"GET /experiments/:id">(`/experiments/${part(id)}`),
    tokens: () => get<"GET /tokens">("/tokens"),
    audit: (query: AuditQuery = {}) => get<"GET /audit">("/audit", query),
  };
}

function writers(post: Post) {
  return {
    /** Rows as JSON; large deliveries are better sent with `upload` as NDJSON. */
    ingest: (model: string, rows: readonly Row[], query: ExamplesQuery = {}, more: Partial<RequestOptions> = {}) =>
      post<"POST /models/:model/examples">(
        `/models/${part(model)}/examples`,
        { rows },
        { query: query as Query, ...more },
      ),
    label: (model: string, labels: LabelBody | readonly LabelBody[]) =>
      post<"POST /models/:model/labels">(`/models/${part(model)}/labels`, "label" in labels ? labels : { labels }),
    replayQuarantine: (model: string, ids?: readonly string[]) =>
      post<"POST /models/:model/quarantine/replay">(`/models/${part(model)}/quarantine/replay`, { ids }),
    dropQuarantine: (model: string, ids?: readonly string[]) =>
      post<"POST /models/:model/quarantine/drop">(`/models/${part(model)}/quarantine/drop`, { ids }),
    startRun: (model: string, body: RunBody = {}) =>
      post<"POST /models/:model/runs">(`/models/${part(model)}/runs`, body),
    cancelRun: (id: string) => post<"POST /runs/:id/cancel">(`/runs/${part(id)}/cancel`, {}),
    promote: (model: string, version: string, reason: string) =>
      post<"POST /models/:model/versions/:version/promote">(
        `/models/${part(model)}/versions/${part(version)}/promote`,
        { reason },
      ),
    approve: (model: string, version: string, body: ApprovalBody) =>
      post<"POST /models/:model/versions/:version/approvals">(
        `/models/${part(model)}/versions/${part(version)}/approvals`,
        body,
      ),
    rollback: (model: string, reason: string) =>
      post<"POST /models/:model/rollback">(`/models/${part(model)}/rollback`, { reason }),
    /** `replay`: the shadow stage answers logged requests of so long ago at once, such as "7d". */
    startRollout: (model: string, version: string, options: { readonly replay?: string } = {}) =>
      post<"POST /models/:model/rollouts">(`/models/${part(model)}/rollouts`, { version, ...options }),
    changeRollout: (model: string, action: RolloutAction, reason: string) =>
      post<"POST /models/:model/rollouts/:action">(`/models/${part(model)}/rollouts/${action}`, { reason }),
    outcomes: (model: string, outcomes: OutcomesBody["outcomes"]) =>
      post<"POST /models/:model/outcomes">(`/models/${part(model)}/outcomes`, { outcomes }),
    reproduce: (model: string, version: string) =>
      post<"POST /models/:model/versions/:version/reproduce">(
        `/models/${part(model)}/versions/${part(version)}/reproduce`,
        {},
        { timeoutMs: 0 },
      ),
    raiseEvent: (event: TriggerEventBody) => post<"POST /events">("/events", event),
    resolveAlert: (id: string, reason?: string) =>
      post<"POST /alerts/:id/resolve">(`/alerts/${part(id)}/resolve`, { reason }),
    createToken: (body: TokenBody) => post<"POST /tokens">("/tokens", body, { idempotencyKey: null }),
    /** Replay mode: moves the clock, and waits for the runs on the way. */
    advance: (to: number) =>
      post<"POST /replay/advance">("/replay/advance", { to }, { idempotencyKey: null, timeoutMs: 0 }),
    replaySpeed: (speed: number) => post<"POST /replay/speed">("/replay/speed", { speed }, { idempotencyKey: null }),
  };
}

/** Predictions carry no idempotency key: each is an event of its own, and storing its answer would cost more than making it. */
function predictions(transport: Transport) {
  const ask = <T>(model: string, json: unknown, options: PredictOptions) => {
    const flag = (value: boolean | undefined) => (value === undefined ? undefined : value ? 1 : 0);
    const query = { trace: flag(options.trace), version: options.version, log: flag(options.log) };
    const path = `/models/${part(model)}/predict`;
    return send<T>(transport, { method: "POST", path, json, query, idempotencyKey: null });
  };
  return {
    predict: (model: string, row: Row, options: PredictOptions = {}) => ask<PredictOneAnswer>(model, row, options),
    /** Of a forecast: the coming periods of a series, asked by `{ <series>, steps?, until?, future? }`. */
    forecast: (model: string, question: Row, options: PredictOptions = {}) =>
      ask<PredictManyAnswer>(model, question, options),
    /** Of a recommender: a slate for a user, asked by `{ <user>, k?, candidates? }`. */
    recommend: (model: string, question: Row, options: PredictOptions = {}) =>
      ask<PredictOneAnswer>(model, question, options),
    predictMany: (model: string, rows: readonly Row[], options: PredictOptions = {}) =>
      ask<PredictManyAnswer>(model, { rows }, options),
  };
}

/** All items of a paged list, page by page. */
export async function* pages<T>(read: (query: PageQuery) => Promise<Page<T>>): AsyncGenerator<T> {
  let cursor: string | undefined;
  do {
    const page: Page<T> = await read(cursor === undefined ? {} : { cursor });
    yield* page.items;
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}
