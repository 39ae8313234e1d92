/**
 * Label Studio: tasks and answers as files, and the API of an ML backend below `/label-studio/{model}`, so that a team that labels
 * there goes on doing so: projects get predictions from the live version, and what people answer becomes labels here. The shapes
 * are those of label_studio_ml/api.py; unknown fields of its requests are ignored, because every release adds some.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { fail, RetrainError, TASK_STATES, type TaskState } from "../../core/index.ts";
import { featuresOf, findControl, ownControl, resultOf, type StudioControl } from "../../feedback/label-studio.ts";
import { requireTasks } from "../../loop/labeling/label-studio.ts";
import type { StudioImport } from "../contract.ts";
import { audit } from "./audit.ts";
import { addRoute, modelName, object, oneOf, type RouteSpec, type ServerContext } from "../route.ts";

const MODEL = object({ model: modelName }, ["model"]);
/** Tasks of one prediction request; Label Studio sends batches of some hundred. */
const MOST_TASKS = 1_000;
const BODY_LIMIT_BYTES = 64 * 1024 * 1024;

type Loose = Readonly<Record<string, unknown>>;
const modelOf = (request: FastifyRequest) => (request.params as { model: string }).model;
const bodyOf = (request: FastifyRequest): Loose =>
  typeof request.body === "object" && request.body !== null ? (request.body as Loose) : {};

export function addLabelStudioRoutes(app: FastifyInstance, context: ServerContext): void {
  addFiles(app, context);
  addBackendReads(app, context);
  addBackendWork(app, context);
}

function addFiles(app: FastifyInstance, context: ServerContext): void {
  const { labeling } = context.loop;
  const shared = { tag: "labeling", access: { role: "operator" }, params: MODEL } as const;
  const url = "/api/v1/models/:model/tasks/label-studio";
  addRoute(app, context, {
    ...shared,
    method: "GET",
    url,
    summary: "Tasks in Label Studio's JSON format",
    query: object({ state: oneOf(...TASK_STATES) }),
    answer: "StudioTask[]",
    handler: async (request) => {
      const { state = "open" } = request.query as { state?: TaskState };
      return labeling.exportToStudio(modelOf(request), state);
    },
  });
  addRoute(app, context, {
    ...shared,
    method: "GET",
    url: `${url}/config`,
    summary: "A labeling interface for the model's rows",
    answer: "{ config }",
    handler: async (request) => ({ config: await labeling.studioConfig(modelOf(request)) }),
  });
  addRoute(app, context, {
    ...shared,
    method: "POST",
    url,
    summary: "Answers as Label Studio exports them",
    openApiBody: { description: "A list of tasks with annotations: the JSON export." },
    bodyLimit: BODY_LIMIT_BYTES,
    answer: "StudioImport",
    handler: async (request) => {
      const model = modelOf(request);
      const done = await labeling.importFromStudio(model, requireTasks(request.body));
      const { tasks, labels, refusedCount } = done;
      await audit(context, request, {
        action: "labeling.import",
        subject: model,
        details: { tasks, labels, refusedCount },
      });
      return done;
    },
  });
}

/** Routes of the ML backend: no idempotency keys, tokens also as the password of HTTP Basic. */
function backend(context: ServerContext, role: "viewer" | "labeler" | "operator", spec: Partial<RouteSpec>) {
  return {
    method: "GET",
    tag: "label studio",
    access: { role, basic: true, ...(role === "labeler" ? { scope: "label" as const } : {}) },
    params: MODEL,
    idempotent: false,
    query: { type: "object" },
    ...spec,
  } as RouteSpec;
}

function addBackendReads(app: FastifyInstance, context: ServerContext): void {
  const { loop } = context;
  const live = async (model: string) => (await loop.store.registry.champion(model))?.name ?? "";
  const add = (path: string, summary: string, handler: RouteSpec["handler"], method: "GET" | "POST" = "GET") =>
    addRoute(
      app,
      context,
      backend(context, "viewer", {
        method,
        url: `/label-studio/:model${path}`,
        summary,
        answer: "as Label Studio asks",
        handler,
      }),
    );
  const health = async (request: FastifyRequest) => {
    const model = loop.model(modelOf(request)).name;
    return { status: "UP", model_dir: model, v2: "true", model_class: "retrain", model_version: await live(model) };
  };
  add("", "Whether the model answers", health);
  add("/health", "Whether the model answers", health);
  add("/metrics", "Nothing: see /metrics of the server", async () => ({}));
  add("/is_training", "Whether a run is under way", async (request) => {
    const active = await loop.store.runs.active(loop.model(modelOf(request)).name);
    return { is_training: active !== undefined };
  });
  const versions = async (request: FastifyRequest) => {
    const all = await loop.store.registry.list(loop.model(modelOf(request)).name);
    return { versions: all.map(({ name }) => name) };
  };
  add("/versions", "Names of all versions", versions);
  add("/versions", "Names of all versions", versions, "POST");
  add(
    "/setup",
    "Checks that the labeling interface fits the model",
    async (request) => {
      const { name } = loop.model(modelOf(request));
      const { schema } = bodyOf(request);
      if (typeof schema === "string" && schema.trim() !== "") await fittingControl(context, name, schema);
      return { model_version: await live(name) };
    },
    "POST",
  );
}

function addBackendWork(app: FastifyInstance, context: ServerContext): void {
  const { loop } = context;
  const add = (path: string, role: "labeler" | "operator", summary: string, handler: RouteSpec["handler"]) =>
    addRoute(
      app,
      context,
      backend(context, role, {
        method: "POST",
        url: `/label-studio/:model${path}`,
        summary,
        bodyLimit: BODY_LIMIT_BYTES,
        answer: "as Label Studio asks",
        handler,
      }),
    );
  add("/predict", "labeler", "Predictions for tasks", async (request) =>
    predictTasks(context, modelOf(request), bodyOf(request)),
  );
  add("/train", "operator", "Takes the annotations and starts a run", async (request, reply) => {
    const body = bodyOf(request);
    const model = loop.model(modelOf(request)).name;
    const imported = await loop.labeling.importFromStudio(model, requireTasks(request.body), projectOf(body));
    if (imported.tasks === 0) {
      throw fail("BODY_INVALID", { message: "No annotations found.", remedy: "Annotate some tasks, then train." });
    }
    const { run } = await loop.requestRun(model, { reason: "Label Studio asked for it", actor: request.actor.name });
    reply.code(201);
    return { job: run.id, imported };
  });
  add("/webhook", "labeler", "What happened in a project", async (request, reply) => {
    reply.code(201);
    return webhook(context, modelOf(request), bodyOf(request), request.actor.name);
  });
}

/** A project's name, as far as requests tell it: `"2.1629208174"`, `2`, or the project itself. */
function projectOf({ project }: Loose): string {
  if (typeof project === "object" && project !== null) return projectOf({ project: (project as Loose)["id"] });
  return typeof project === "string" || typeof project === "number" ? (String(project).split(".", 1)[0] ?? "") : "";
}

async function webhook(
  context: ServerContext,
  model: string,
  body: Loose,
  actor: string,
): Promise<{ readonly action: string; readonly imported?: StudioImport; readonly job?: string }> {
  const { loop } = context;
  const { name } = loop.model(model);
  const action = typeof body["action"] === "string" ? body["action"] : "";
  if (action === "START_TRAINING") {
    const { run } = await loop.requestRun(name, { reason: "Label Studio asked for it", actor });
    return { action, job: run.id };
  }
  if (!/^ANNOTATIONS?_(CREATED|UPDATED)$/.test(action)) return { action };
  const tasks = annotatedTasks(body);
  return { action, imported: await loop.labeling.importFromStudio(name, tasks, projectOf(body)) };
}

/** One annotation of one task, or several of several. A task that is only a number tells nothing of its row. */
function annotatedTasks(body: Loose): readonly unknown[] {
  const annotations = Array.isArray(body["annotations"]) ? body["annotations"] : [body["annotation"]];
  const tasks = Array.isArray(body["tasks"]) ? body["tasks"] : [body["task"]];
  return annotations.map((annotation: Loose | undefined) => {
    const task = tasks.find((one: Loose | undefined) => tasks.length === 1 || one?.["id"] === annotation?.["task"]) as
      | Loose
      | undefined;
    const id = task?.["id"] ?? annotation?.["task"];
    return { id, data: task?.["data"], annotations: annotation === undefined ? [] : [annotation] };
  });
}

async function predictTasks(context: ServerContext, model: string, body: Loose): Promise<unknown> {
  const { loop } = context;
  const { schema, name } = loop.model(model);
  const { tasks, label_config: config } = body;
  if (!Array.isArray(tasks) || tasks.length > MOST_TASKS) {
    throw fail("BODY_INVALID", {
      message: Array.isArray(tasks)
        ? `${tasks.length} tasks are more than ${MOST_TASKS}.`
        : "The body has no list of tasks.",
      remedy: 'Send {"tasks": [{ "data": … }], "label_config": … }.',
    });
  }
  const control =
    typeof config === "string" && config.trim() !== ""
      ? await fittingControl(context, name, config)
      : ownControl(schema);
  let version = (await loop.store.registry.champion(name))?.name ?? "";
  const results: object[] = [];
  for (const task of tasks as Loose[]) {
    const data = (task?.["data"] ?? {}) as Loose;
    const row = featuresOf(schema, { data }) ?? {};
    try {
      // People's screens are no use of the model: these answers are not logged.
      const answer = await loop.predict({ model: name, rows: [row], log: false });
      const [predicted] = answer.predictions;
      version = answer.version;
      const { decision = null, probabilities } = predicted ?? {};
      const result = decision === null ? undefined : resultOf(decision, control);
      const score = probabilities === undefined ? {} : { score: Math.max(...Object.values(probabilities)) };
      results.push({ model_version: version, ...score, result: result === undefined ? [] : [result] });
    } catch (error) {
      // One row that does not fit must not cost the others their answers.
      if (!(error instanceof RetrainError) || error.code !== "ROW_INVALID") throw error;
      results.push({ model_version: version, result: [], error: error.message });
    }
  }
  return { results, model_version: version };
}

/** @throws BODY_INVALID where the interface has no control, or no choice for an answer of the model */
async function fittingControl(context: ServerContext, model: string, config: string): Promise<StudioControl> {
  const { schema } = context.loop.model(model);
  const control = findControl(config);
  const wanted = schema.task === "regression" ? ["number", "rating"] : ["choices"];
  const own = await context.loop.labeling.studioConfig(model);
  const remedy = `Use this interface, or one with the same choices: ${own.replaceAll(/\s+/g, " ")}`;
  if (control === undefined || !wanted.includes(control.type)) {
    const message = `The labeling interface has no ${wanted.join(" or ")} to answer a ${schema.task} model with.`;
    throw fail("BODY_INVALID", { message, remedy });
  }
  const answers = schema.task === "binary" ? [false, true] : [];
  const missing = answers.find((value) => resultOf(value, control) === undefined);
  if (missing === undefined) return control;
  const message = `The labeling interface has no choice for ${String(missing)}; it offers ${control.choices.join(", ")}.`;
  throw fail("BODY_INVALID", { message, remedy });
}
