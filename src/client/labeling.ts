/** The labeling queue, for programs. */
import type {
  AdjudicateBody,
  AnswerBody,
  Api,
  BuildBody,
  DiscardBody,
  GoldBody,
  RelabelBody,
  TaskState,
  TasksQuery,
} from "../server/contract.ts";
import type { RequestOptions } from "./request.ts";

type Get = <K extends keyof Api>(path: string, query?: object) => Promise<Api[K]>;
type Post = <K extends keyof Api>(path: string, json: unknown, more?: Partial<RequestOptions>) => Promise<Api[K]>;

const part = encodeURIComponent;

export function labelingMethods(get: Get, post: Post) {
  const at = (model: string, path: string) => `/models/${part(model)}/tasks${path}`;
  /** Choosing a batch scores the whole pool: it may take longer than other requests. */
  const slow = { timeoutMs: 0 };
  return {
    tasks: (model: string, query: TasksQuery = {}) => get<"GET /models/:model/tasks">(at(model, ""), query),
    task: (model: string, id: string) => get<"GET /models/:model/tasks/:id">(at(model, `/${part(id)}`)),
    labelingStats: (model: string) => get<"GET /models/:model/tasks/stats">(at(model, "/stats")),
    /** @param query `asOf`: only what was known at this instant */
    labelHistory: (model: string, exampleId: string, query: { readonly asOf?: number } = {}) =>
      get<"GET /models/:model/examples/:id/labels">(`/models/${part(model)}/examples/${part(exampleId)}/labels`, query),
    buildTasks: (model: string, body: BuildBody = {}) =>
      post<"POST /models/:model/tasks/build">(at(model, "/build"), body, slow),
    claimTasks: (model: string, count?: number, as?: string, only?: "reviews") =>
      post<"POST /models/:model/tasks/claim">(at(model, "/claim"), { count, as, only }),
    releaseTasks: (model: string, ids?: readonly string[], as?: string) =>
      post<"POST /models/:model/tasks/release">(at(model, "/release"), { ids, as }),
    answerTask: (model: string, id: string, body: AnswerBody) =>
      post<"POST /models/:model/tasks/:id/answer">(at(model, `/${part(id)}/answer`), body),
    undoAnswer: (model: string, annotationId?: string, as?: string) =>
      post<"POST /models/:model/tasks/undo">(at(model, "/undo"), { annotationId, as }),
    adjudicateTask: (model: string, id: string, body: AdjudicateBody) =>
      post<"POST /models/:model/tasks/:id/adjudicate">(at(model, `/${part(id)}/adjudicate`), body),
    /** For an example that has no answer. */
    discardTask: (model: string, id: string, body: DiscardBody = {}) =>
      post<"POST /models/:model/tasks/:id/discard">(at(model, `/${part(id)}/discard`), body),
    drawLearningCurve: (model: string) => post<"POST /models/:model/tasks/curve">(at(model, "/curve"), {}, slow),
    /** Tasks in Label Studio's JSON format. */
    exportToStudio: (model: string, state: TaskState = "open") =>
      get<"GET /models/:model/tasks/label-studio">(at(model, "/label-studio"), { state }),
    studioConfig: (model: string) =>
      get<"GET /models/:model/tasks/label-studio/config">(at(model, "/label-studio/config")),
    /** Answers as Label Studio exports them. */
    importFromStudio: (model: string, tasks: unknown) =>
      post<"POST /models/:model/tasks/label-studio">(at(model, "/label-studio"), tasks, slow),
    addGoldTasks: (model: string, items: GoldBody["items"]) =>
      post<"POST /models/:model/tasks/gold">(at(model, "/gold"), { items }),
    relabel: (model: string, body: RelabelBody) =>
      post<"POST /models/:model/tasks/relabel">(at(model, "/relabel"), body),
  };
}
