/** The labeling queue: batches, claims, answers, adjudication, statistics; the history of an example's labels. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { fail, type LabelValue, TASK_STATES } from "../../core/index.ts";
import { QUEUE_STRATEGIES } from "../../feedback/spec.ts";
import { hasRole } from "../tokens.ts";
import type {
  AdjudicateBody,
  AnswerBody,
  BuildBody,
  ClaimBody,
  DiscardBody,
  GoldBody,
  RelabelBody,
  ReleaseBody,
  TasksQuery,
  UndoBody,
} from "../contract.ts";
import { page, pageRequest } from "../paging.ts";
import {
  addRoute,
  digits,
  modelName,
  numberOf,
  object,
  oneOf,
  pageQuery,
  recordId,
  type ServerContext,
  text,
} from "../route.ts";
import { defined } from "./models.ts";

const MODEL = object({ model: modelName }, ["model"]);
const TASK = object({ model: modelName, id: recordId }, ["model", "id"]);
const EXAMPLE = object({ model: modelName, id: text(512) }, ["model", "id"]);
const LABELER = { role: "labeler", scope: "label" } as const;
const VALUE = { type: ["string", "number", "boolean"], maxLength: 512 };
const NAME = text(80);
const COMMENT = { type: "string", maxLength: 2000 };
const CLAIM_DEFAULT = 6;

type Params = { readonly model: string; readonly id: string };
const paramsOf = (request: FastifyRequest) => request.params as Params;

/** Who answers: the token's name; operators may act in another's name (shared screens, imports, simulations). */
export function labelerOf(request: FastifyRequest, as: string | undefined): string {
  const { name, role } = request.actor;
  if (as === undefined || as === name) return name;
  if (hasRole(role, "operator")) return as;
  throw fail("FORBIDDEN", {
    message: `${name} may not answer in the name of ${JSON.stringify(as)}.`,
    remedy: "Leave `as` out, or use a token of the role operator.",
  });
}

export function addLabelingRoutes(app: FastifyInstance, context: ServerContext): void {
  addTaskReads(app, context);
  addWork(app, context);
  addCare(app, context);
}

function addTaskReads(app: FastifyInstance, context: ServerContext): void {
  const { labeling } = context.loop;
  const read = { method: "GET", tag: "labeling", access: { role: "labeler" } } as const;
  addRoute(app, context, {
    ...read,
    url: "/api/v1/models/:model/tasks",
    summary: "Labeling tasks, newest first",
    access: { role: "operator" },
    params: MODEL,
    query: object({ ...pageQuery, state: oneOf(...TASK_STATES), batch: recordId }),
    answer: "Page of LabelingTask",
    handler: async (request) => {
      const { state, batch, ...range } = request.query as Omit<TasksQuery, "limit"> & { limit?: string };
      const filter = defined({ state, batchId: batch });
      return page(pageRequest(range), (one) => labeling.tasks(paramsOf(request).model, { ...filter, ...one }));
    },
  });
  addRoute(app, context, {
    ...read,
    url: "/api/v1/models/:model/tasks/stats",
    summary: "Progress, agreement, quality of labelers, performance from fair labels, advice to stop",
    params: MODEL,
    answer: "LabelingStats",
    handler: async (request) => labeling.stats(paramsOf(request).model),
  });
  addRoute(app, context, {
    ...read,
    url: "/api/v1/models/:model/tasks/:id",
    summary: "A task with what people said",
    access: { role: "operator" },
    params: TASK,
    answer: "TaskDetail",
    handler: async (request) => labeling.task(paramsOf(request).model, paramsOf(request).id),
  });
  addRoute(app, context, {
    ...read,
    url: "/api/v1/models/:model/examples/:id/labels",
    summary: "Everything that was ever stated about an example, and what counts",
    params: EXAMPLE,
    query: object({ asOf: digits }),
    answer: "LabelHistory",
    handler: async (request) => {
      const { asOf } = request.query as { asOf?: string };
      return labeling.history(paramsOf(request).model, paramsOf(request).id, numberOf(asOf));
    },
  });
}

/** What a person does all day. */
function addWork(app: FastifyInstance, context: ServerContext): void {
  const { labeling } = context.loop;
  const work = { method: "POST", tag: "labeling", access: LABELER, params: MODEL } as const;
  addRoute(app, context, {
    ...work,
    url: "/api/v1/models/:model/tasks/claim",
    summary: "Lease tasks to oneself; those already held come first",
    // Asking again is how a lease is renewed: a stored answer would be stale.
    idempotent: false,
    body: object({ count: { type: "integer", minimum: 1, maximum: 50 }, only: oneOf("reviews"), as: NAME }),
    answer: "LabelingSession",
    handler: async (request) => {
      const { count = CLAIM_DEFAULT, only, as } = request.body as ClaimBody;
      return labeling.claim(paramsOf(request).model, labelerOf(request, as), count, only);
    },
  });
  addRoute(app, context, {
    ...work,
    url: "/api/v1/models/:model/tasks/release",
    summary: "Give leased tasks back",
    body: object({ ids: { type: "array", items: recordId, maxItems: 100 }, as: NAME }),
    answer: "{ released }",
    handler: async (request) => {
      const { ids, as } = request.body as ReleaseBody;
      return { released: await labeling.release(paramsOf(request).model, labelerOf(request, as), ids) };
    },
  });
  addRoute(app, context, {
    ...work,
    url: "/api/v1/models/:model/tasks/:id/answer",
    summary: "Answer, skip or flag a leased task",
    // The store itself knows a repeated answer.
    idempotent: false,
    params: TASK,
    body: object({
      kind: oneOf("answer", "skip", "flag"),
      value: VALUE,
      comment: COMMENT,
      durationMs: { type: "number", minimum: 0, maximum: 86_400_000 },
      as: NAME,
    }),
    answer: "Answered",
    handler: async (request) => {
      const { kind = "answer", as, ...rest } = request.body as AnswerBody;
      const { model, id } = paramsOf(request);
      return labeling.answer(model, { ...rest, kind, taskId: id, labeler: labelerOf(request, as) });
    },
  });
  addRoute(app, context, {
    ...work,
    url: "/api/v1/models/:model/tasks/undo",
    summary: "Take one's last answer back, or the one named",
    body: object({ annotationId: recordId, as: NAME }),
    answer: "UndoAnswer",
    handler: async (request) => {
      const { annotationId, as } = request.body as UndoBody;
      return labeling.undo(paramsOf(request).model, labelerOf(request, as), annotationId);
    },
  });
}

/** What those do who care for the queue. */
function addCare(app: FastifyInstance, context: ServerContext): void {
  const { labeling } = context.loop;
  const care = { method: "POST", tag: "labeling", access: { role: "operator" }, params: MODEL } as const;
  addRoute(app, context, {
    ...care,
    url: "/api/v1/models/:model/tasks/build",
    summary: "Choose a batch of examples to ask about, now",
    body: object({
      count: { type: "integer", minimum: 1, maximum: 10_000 },
      strategy: oneOf(...QUEUE_STRATEGIES),
    }),
    answer: "LabelingBatch",
    handler: async (request) =>
      labeling.build(paramsOf(request).model, { ...(request.body as BuildBody), actor: request.actor.name }),
  });
  addRoute(app, context, {
    ...care,
    url: "/api/v1/models/:model/tasks/curve",
    summary: "Draw the learning curve: the trainer on growing parts of the labels",
    body: object({}),
    answer: "LearningCurve",
    handler: async (request) => labeling.drawCurve(paramsOf(request).model),
  });
  addRoute(app, context, {
    ...care,
    url: "/api/v1/models/:model/tasks/:id/adjudicate",
    summary: "Decide a task people disagree on",
    params: TASK,
    body: object({ value: VALUE, comment: COMMENT }, ["value"]),
    answer: "Answered",
    handler: async (request) => {
      const { model, id } = paramsOf(request);
      const body = request.body as AdjudicateBody;
      return labeling.adjudicate(model, { ...body, taskId: id, actor: request.actor.name });
    },
  });
  addRoute(app, context, {
    ...care,
    url: "/api/v1/models/:model/tasks/:id/discard",
    summary: "Give up a task that has no answer; nobody is asked about its example again",
    params: TASK,
    body: object({ comment: COMMENT }),
    answer: "{ discarded }",
    handler: async (request) => {
      const { model, id } = paramsOf(request);
      await labeling.discard(model, { ...(request.body as DiscardBody), taskId: id, actor: request.actor.name });
      return { discarded: true };
    },
  });
  addRoute(app, context, {
    ...care,
    url: "/api/v1/models/:model/tasks/gold",
    summary: "Add questions whose answer is known",
    body: object(
      {
        items: {
          type: "array",
          minItems: 1,
          maxItems: 1000,
          items: object({ exampleId: text(512), value: VALUE }, ["exampleId", "value"]),
        },
      },
      ["items"],
    ),
    answer: "{ added }",
    handler: async (request) =>
      labeling.addGold(paramsOf(request).model, (request.body as GoldBody).items, request.actor.name),
  });
  addRoute(app, context, {
    ...care,
    url: "/api/v1/models/:model/tasks/relabel",
    summary: "Overrule settled answers that share something; counts only unless dryRun is false",
    body: object(
      {
        labeler: NAME,
        batchId: recordId,
        value: VALUE,
        since: { type: "integer" },
        to: { type: ["string", "number", "boolean", "null"], maxLength: 512 },
        reason: text(500),
        dryRun: { type: "boolean" },
      },
      ["to", "reason"],
    ),
    answer: "{ matched, changed }",
    handler: async (request) => {
      const { dryRun = true, ...body } = request.body as RelabelBody & { to: LabelValue | null };
      return labeling.relabel(paramsOf(request).model, { ...body, dryRun, actor: request.actor.name });
    },
  });
}
