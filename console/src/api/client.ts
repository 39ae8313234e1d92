/**
 * Asking the server. Every path and the type of its answer come from `Api` in the HTTP contract, so a changed route is a compile
 * error here. The token lives in sessionStorage: it ends with the tab and no other tab reads it.
 */
import type {
  AdjudicateBody,
  AlertsQuery,
  AnswerBody,
  Api,
  AuditQuery,
  ApprovalBody,
  CompareQuery,
  BuildBody,
  ClaimBody,
  DecisionsQuery,
  DriftFeatureQuery,
  MultivariateQuery,
  DriftWindowQuery,
  FeedbackQuery,
  FeedbackSummaryQuery,
  LabelsBody,
  PageQuery,
  PerformanceQuery,
  PredictBody,
  PredictQuery,
  Problem,
  QuarantineIds,
  QuarantineQuery,
  ReasonBody,
  RolloutBody,
  RunBody,
  RunsQuery,
  SlicesQuery,
  TasksQuery,
  TraceQuery,
  UndoBody,
} from "../../../src/server/contract.ts";

export type Route = keyof Api;
export type ReadRoute = Extract<Route, `GET ${string}`>;
export type WriteRoute = Exclude<Route, ReadRoute>;

type Names<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | Names<Rest>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;
export type Params<K extends Route> = { readonly [N in Names<K>]: string };

interface Queries {
  readonly "GET /models/:model/performance": PerformanceQuery;
  readonly "GET /models/:model/drift": DriftWindowQuery;
  readonly "GET /models/:model/drift/feature": DriftFeatureQuery;
  readonly "GET /models/:model/drift/multivariate": MultivariateQuery;
  readonly "GET /models/:model/slices": SlicesQuery;
  readonly "GET /models/:model/compare": CompareQuery;
  readonly "GET /models/:model/quarantine": QuarantineQuery;
  readonly "GET /models/:model/batches": PageQuery;
  readonly "GET /models/:model/runs": RunsQuery;
  readonly "GET /models/:model/rollouts": PageQuery;
  readonly "GET /runs": RunsQuery;
  readonly "GET /runs/:id/trace": TraceQuery;
  readonly "GET /decisions": DecisionsQuery;
  readonly "GET /alerts": AlertsQuery;
  readonly "GET /audit": AuditQuery;
  readonly "GET /models/:model/tasks": TasksQuery;
  readonly "GET /models/:model/feedback": FeedbackQuery;
  readonly "GET /models/:model/feedback/summary": FeedbackSummaryQuery;
  readonly "POST /models/:model/predict": PredictQuery;
}
/** `undefined` values are left out of the address. */
type Loose<Q> = { readonly [K in keyof Q]?: Q[K] | undefined };
export type Query<K extends Route> = K extends keyof Queries ? Loose<Queries[K]> : Readonly<Record<string, never>>;

interface Bodies {
  readonly "POST /models/:model/tasks/build": BuildBody;
  readonly "POST /models/:model/tasks/claim": ClaimBody;
  readonly "POST /models/:model/tasks/:id/answer": AnswerBody;
  readonly "POST /models/:model/tasks/:id/adjudicate": AdjudicateBody;
  readonly "POST /models/:model/tasks/undo": UndoBody;
  readonly "POST /models/:model/predict": PredictBody;
  readonly "POST /models/:model/labels": LabelsBody;
  readonly "POST /models/:model/runs": RunBody;
  readonly "POST /models/:model/quarantine/replay": QuarantineIds;
  readonly "POST /models/:model/quarantine/drop": QuarantineIds;
  readonly "POST /models/:model/versions/:version/promote": ReasonBody;
  readonly "POST /models/:model/rollback": ReasonBody;
  readonly "POST /models/:model/rollouts": RolloutBody;
  readonly "POST /models/:model/rollouts/:action": ReasonBody;
  readonly "POST /models/:model/versions/:version/approvals": ApprovalBody;
  readonly "POST /alerts/:id/resolve": Partial<ReasonBody>;
}
export type Body<K extends Route> = K extends keyof Bodies ? Bodies[K] : Readonly<Record<string, never>>;

/** A refusal of the server, or none at all (`UNREACHABLE`). */
export class ApiError extends Error {
  readonly problem: Pick<Problem, "status" | "code" | "detail" | "hint"> & { readonly requestId?: string };

  constructor(problem: ApiError["problem"]) {
    super(problem.detail);
    this.name = "ApiError";
    this.problem = problem;
  }
}

const TOKEN_KEY = "retrain-token";

export function savedToken(): string | null {
  try {
    return sessionStorage.getItem(TOKEN_KEY);
  } catch {
    return null;
  }
}

export function saveToken(token: string): void {
  try {
    sessionStorage.setItem(TOKEN_KEY, token);
  } catch {
    // Storage may be switched off; the token is asked for again after a reload then.
  }
}

export function authorization(): Readonly<Record<string, string>> {
  const token = savedToken();
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

export function pathOf<K extends Route>(route: K, params: Params<K>, query: Query<K> | undefined): string {
  const values = params as Readonly<Record<string, string>>;
  const path = (route.split(" ")[1] ?? "").replace(/:(\w+)/g, (_, name: string) =>
    encodeURIComponent(values[name] ?? ""),
  );
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined) search.set(name, String(value));
  const text = search.toString();
  return `/api/v1${path}${text === "" ? "" : `?${text}`}`;
}

/** @throws ApiError */
export async function read<K extends ReadRoute>(
  route: K,
  params: Params<K>,
  query?: Query<K>,
  signal?: AbortSignal,
): Promise<Api[K]> {
  return (await ask("GET", pathOf(route, params, query), signal === undefined ? {} : { signal })) as Api[K];
}

/** A POST carries an idempotency key, so that a repeated send is done once. @throws ApiError */
export async function write<K extends WriteRoute>(
  route: K,
  params: Params<K>,
  body: Body<K>,
  query?: Query<K>,
): Promise<Api[K]> {
  const method = route.split(" ")[0] ?? "POST";
  const headers = { "content-type": "application/json", "idempotency-key": randomKey() };
  return (await ask(method, pathOf(route, params, query), { headers, body: JSON.stringify(body) })) as Api[K];
}

interface Asking {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

async function ask(method: string, path: string, init: Asking): Promise<unknown> {
  const answer = await reach(path, { ...init, method, headers: { ...authorization(), ...init.headers } });
  if (answer.ok) return answer.status === 204 ? null : await answer.json();
  throw await refusal(answer);
}

export async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError({
      status: 0,
      code: "UNREACHABLE",
      detail: "The server does not answer.",
      hint: "Is `retrain start` still running? This page tries again by itself.",
    });
  }
}

export async function refusal(answer: Response): Promise<ApiError> {
  const problem = (await answer.json().catch(() => null)) as Problem | null;
  if (problem !== null && typeof problem.code === "string") return new ApiError(problem);
  return new ApiError({
    status: answer.status,
    code: "NO_PROBLEM",
    detail: `The server answered ${answer.status} without saying why.`,
    hint: "Look into the server's log.",
  });
}

/** `crypto.randomUUID` exists on https and loopback only; this works everywhere. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `console-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
