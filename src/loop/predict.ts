/**
 * The prediction path: check, score, log, answer. It touches no database before the answer is computed; the answer waits for its
 * log commit up to `logWait`, and says whether it was logged. An answer that was not logged carries no prediction id.
 */
import {
  fail,
  refusedRowsOf,
  type Features,
  plural,
  type PredictionEvent,
  RetrainError,
  uuidV7,
  type Variant,
} from "../core/index.ts";
import { compileRowValidator, type RowValidator } from "../data/validate.ts";
import type { LiveRoute, LiveVersion } from "../deploy/live-models.ts";
import type { LoadedModel, Prediction, PredictionTrace } from "../model/index.ts";
import { withAggregates } from "./aggregate-state.ts";
import { type LoopContext, modelSpec } from "./context.ts";
import type { PredictAnswer, PredictedRow, PredictRequest } from "./contract.ts";
import { forecastRows } from "./forecast.ts";
import { requireVersion } from "./promote.ts";
import { recommendRows } from "./recommend.ts";
import { type AnsweredRows, askForReview } from "./reviews/ask.ts";
import { type RoutedAnswer, RoutedAnswers } from "./rollouts/routed.ts";

/** Answers whose log write failed, kept for another try; beyond it the oldest is dropped, which the metric shows. */
const RETRY_BUFFER = 10_000;
/** Width of a slot of the log-wait timer, in ms. */
const LATE_SLOT_MS = 5;
/** Rows of one request: more belong in a batch file, and would hold the event loop. */
const MAX_ROWS = 10_000;

type Give<T> = (given: T) => void;
type Refuse = (error: unknown) => void;

export interface PredictionCounts {
  logged: number;
  unlogged: number;
  dropped: number;
}

export class Predictor {
  readonly counts: PredictionCounts = { logged: 0, unlogged: 0, dropped: 0 };
  /** Answers in the log by model. */
  readonly logged = new Map<string, number>();
  readonly routed: RoutedAnswers;
  readonly #context: LoopContext;
  readonly #validators = new Map<string, { schema: unknown; validate: RowValidator }>();
  #slot: { readonly until: number; readonly waiting: ((isLogged: false) => void)[] } | undefined;
  readonly #retry: { model: string; events: PredictionEvent[] }[] = [];

  constructor(context: LoopContext, onTrip: ConstructorParameters<typeof RoutedAnswers>[1] = () => {}) {
    this.#context = context;
    this.routed = new RoutedAnswers(context, onTrip);
  }

  /** @throws MODEL_UNKNOWN, MODEL_NOT_READY, VERSION_UNKNOWN, ROW_INVALID. Cost without the log: about 5 µs a row and feature set. */
  predict(asked: PredictRequest): Promise<PredictAnswer> {
    return new Promise((resolve, reject) => this.answer(asked, resolve, reject));
  }

  /** As `predict`, told by a call of one of the two, neither of which may throw. */
  answer(asked: PredictRequest, give: Give<PredictAnswer>, refuse: Refuse): void {
    try {
      if (!this.#answerAtOnce(asked, give, refuse)) this.#answer(asked).then(give, refuse);
    } catch (error) {
      refuse(error);
    }
  }

  /**
   * The request most servers live on: rows for the live version of a model that runs in this process, with nothing to wait for
   * but the log. Anything else is left, which false says. A promise each step would cost more than the model.
   */
  #answerAtOnce(request: PredictRequest, give: Give<PredictAnswer>, refuse: Refuse): boolean {
    const { live: models, routing, worldClock } = this.#context;
    const spec = modelSpec(this.#context, request.model);
    const live = models.champion(request.model);
    const route = models.route(request.model);
    if (live === undefined || request.version !== undefined || worldClock.kind === "virtual") return false;
    const { forecaster, recommender, remote } = live.model;
    if (forecaster !== undefined || recommender !== undefined || remote !== undefined) return false;
    if (spec.schema.aggregates !== undefined || spec.review !== undefined || routing.fresh() !== undefined)
      return false;
    const { version } = live;
    const log = (scored: Scored) =>
      this.#logged(request, route, scored, ({ rows }) => give({ model: request.model, version, predictions: rows }));
    if (route === undefined || !isRouted(route)) log(this.#scoredHere(request, live));
    else {
      const scored = this.#scoreRouted(request, { champion: live, route });
      if (scored instanceof Promise) scored.then(log).catch(refuse);
      else log(scored);
    }
    return true;
  }

  /**
   * Gives the answers on once the log has them, or has not taken them in time. Without a log entry they carry no prediction id.
   * @param give must not throw
   */
  #logged(request: PredictRequest, route: LiveRoute | undefined, scored: Scored, give: Give<AnsweredRows>): void {
    const { model, version, log = version === undefined } = request;
    const { rows, events } = scored;
    if (!log) {
      give({ rows: rows.map(unlogged), events, logged: false });
      return;
    }
    let isSettled = false;
    this.#log(model, events, (logged) => {
      if (isSettled) return;
      isSettled = true;
      this.counts[logged ? "logged" : "unlogged"] += events.length;
      if (logged && route !== undefined) this.routed.mirror(model, route, events);
      give({ rows: logged ? rows : rows.map(unlogged), events, logged });
    });
  }

  async #answer(asked: PredictRequest): Promise<PredictAnswer> {
    const isStateful = modelSpec(this.#context, asked.model).schema.aggregates !== undefined;
    const { request, sequences }: Awaited<ReturnType<typeof withAggregates>> = isStateful
      ? await withAggregates(this.#context, asked)
      : { request: asked };
    const looking = this.#context.routing.fresh();
    if (looking !== undefined) await looking;
    const live =
      request.version === undefined
        ? this.#champion(request.model)
        : await this.#pinned(request.model, request.version);
    const route = request.version === undefined ? this.#context.live.route(request.model) : undefined;
    const answered =
      live.model.forecaster !== undefined
        ? await forecastRows(this.#context, request, live)
        : live.model.recommender !== undefined
          ? await recommendRows(this.#context, request, live)
          : await this.#scored(request, live, route);
    const scored =
      sequences === undefined
        ? answered
        : {
            ...answered,
            events: answered.events.map((event, i) => ({ ...event, stateSequence: sequences[i] as number })),
          };
    const given = await new Promise<AnsweredRows>((resolve) => this.#logged(request, route, scored, resolve));
    if (this.#context.worldClock.kind === "virtual") await this.routed.settled();
    return this.#released(request, live, given);
  }

  async #released({ model }: PredictRequest, { version }: LiveVersion, answered: AnsweredRows): Promise<PredictAnswer> {
    const spec = modelSpec(this.#context, model);
    const predictions = spec.review === undefined ? answered.rows : await askForReview(this.#context, spec, answered);
    return { model, version, predictions };
  }

  /** Tries the answers again whose log write failed. */
  async retryUnlogged(): Promise<void> {
    while (this.#retry.length > 0) {
      const waiting = this.#retry[0] as { model: string; events: PredictionEvent[] };
      try {
        await this.#context.store.log.append(waiting);
        this.#retry.shift();
      } catch (error) {
        const refused = refusedRowsOf(error);
        if (refused === undefined) throw error;
        // Answers that can never be stored must not hold up the others for ever.
        this.counts.dropped += refused.length;
        const reasons = refused.map(({ message }) => message);
        this.#context.logger.error({ model: waiting.model, reasons }, "answers cannot be logged and are given up");
        const indexes = new Set(refused.map(({ index }) => index));
        this.#retry[0] = { ...waiting, events: waiting.events.filter((_, index) => !indexes.has(index)) };
      }
    }
  }

  #champion(model: string): LiveVersion {
    const live = this.#context.live.champion(model);
    if (live !== undefined) return live;
    throw fail("MODEL_NOT_READY", {
      message: `Model ${model} has no live version yet.`,
      remedy: `Send labelled rows and wait for the first run, or put a held candidate live by hand: "retrain versions ${model}" lists them, "retrain promote" does it.`,
    });
  }

  async #pinned(model: string, version: string): Promise<LiveVersion> {
    const champion = this.#context.live.champion(model);
    if (champion?.version === version) return champion;
    return this.#context.live.load(await requireVersion(this.#context, model, version));
  }

  #validator(model: string): RowValidator {
    const { schema } = modelSpec(this.#context, model);
    const known = this.#validators.get(model);
    if (known?.schema === schema) return known.validate;
    const validate = compileRowValidator(schema);
    this.#validators.set(model, { schema, validate });
    return validate;
  }

  async #scored(request: PredictRequest, live: LiveVersion, route: LiveRoute | undefined): Promise<Scored> {
    if (route !== undefined && isRouted(route)) return this.#scoreRouted(request, { champion: live, route });
    const { remote } = live.model;
    if (remote === undefined) return this.#scoredHere(request, live);
    const now = this.#context.worldClock.now();
    const rows = this.#checked(request, now);
    // A model in a process of its own answers all rows at once.
    const answers = await remote.predictRows(rows.map(({ checked }) => checked.features));
    const scored: Scored = { rows: [], events: [] };
    rows.forEach(({ checked, predictionId }, i) => {
      addRow(scored, { request, live, checked, answer: answers[i] as Prediction, predictionId, now });
    });
    return scored;
  }

  /** By a model in this process. */
  #scoredHere(request: PredictRequest, live: LiveVersion): Scored {
    const now = this.#context.worldClock.now();
    const scored: Scored = { rows: [], events: [] };
    for (const { checked, predictionId } of this.#checked(request, now)) {
      const answer = live.model.predictRow(checked.features);
      addRow(scored, { request, live, checked, answer, predictionId, now });
    }
    return scored;
  }

  /** The same while a rollout is open: each row is answered by the version its unit is assigned to. At once where no row waits. */
  #scoreRouted(
    request: PredictRequest,
    at: { readonly champion: LiveVersion; readonly route: LiveRoute },
  ): Scored | Promise<Scored> {
    const now = this.#context.worldClock.now();
    const checked = this.#checked(request, now);
    const asked = checked.map(({ checked: { features, unit }, predictionId }) =>
      this.routed.answer(
        { model: request.model, ...at },
        {
          features,
          key: unit ?? predictionId,
          ...(request.variant === undefined ? {} : { forced: request.variant }),
        },
      ),
    );
    const others = [at.route.challenger, at.route.watch?.fallback];
    const score = (answers: readonly RoutedAnswer[]): Scored => {
      const scored: Scored = { rows: [], events: [] };
      answers.forEach(({ answer, version, variant }, i) => {
        const other = others.find((one) => one?.version === version);
        addRow(scored, {
          request,
          live: other ?? at.champion,
          ...(checked[i] as CheckedWithId),
          answer,
          now,
          ...(variant === undefined ? {} : { variant }),
          isOther: other !== undefined,
        });
      });
      return scored;
    };
    const settled = asked.filter((answer): answer is RoutedAnswer => !(answer instanceof Promise));
    if (settled.length === asked.length) return score(settled);
    return Promise.all(asked.map((answer) => Promise.resolve(answer))).then(score);
  }

  /** The rows one by one, checked. All are checked before the first is answered. */
  #checked(request: PredictRequest, now: number): CheckedWithId[] {
    checkRowCount(request.rows.length);
    const validate = this.#validator(request.model);
    return request.rows.map((row, i) => {
      const checked = validate(row, { forPrediction: true });
      if (!checked.ok) throw rowInvalid(request.model, i, request.rows.length, checked.reasons);
      return { checked, predictionId: uuidV7(now) };
    });
  }

  /** Settles with false when the log did not answer in time; the events go on by themselves or into the retry buffer. May settle twice. */
  #log(model: string, events: PredictionEvent[], settle: (isLogged: boolean) => void): void {
    const { store, worldClock } = this.#context;
    store.log.submit(
      { model, events },
      () => {
        // Also what came too late for its answer.
        this.logged.set(model, (this.logged.get(model) ?? 0) + events.length);
        settle(true);
      },
      (error) => {
        if (!(error instanceof RetrainError))
          this.#context.logger.error({ model, error: String(error) }, "the log refused predictions");
        this.#keepForRetry(model, events);
        settle(false);
      },
    );
    // On a virtual clock there is no hurry, and an answer that depends on the machine's speed would not replay.
    if (worldClock.kind !== "virtual") this.#answerLate(settle);
  }

  /** Calls with false after the log's time, give or take a slot. Requests of one slot share a timer: one each costs more than the model. */
  #answerLate(settle: (isLogged: false) => void): void {
    const { systemClock, spec } = this.#context;
    const now = systemClock.monotonicMs();
    if (this.#slot === undefined || now >= this.#slot.until) {
      const waiting: ((isLogged: false) => void)[] = [];
      this.#slot = { until: now + LATE_SLOT_MS, waiting };
      void systemClock.sleep(spec.server.logWaitMs + LATE_SLOT_MS).then(() => {
        for (const late of waiting) late(false);
      });
    }
    this.#slot.waiting.push(settle);
  }

  #keepForRetry(model: string, events: PredictionEvent[]): void {
    this.#retry.push({ model, events });
    while (this.#retry.length > RETRY_BUFFER) {
      this.counts.dropped += this.#retry.shift()?.events.length ?? 0;
    }
  }
}

/** An answer that was not logged has no prediction id: a label for it would find nothing. */
function unlogged({ predictionId: _, ...row }: PredictedRow): PredictedRow {
  return { ...row, logged: false };
}

function traceOf(model: LoadedModel, features: Features, answer: Prediction): PredictionTrace {
  return model.remote === undefined ? model.trace(features) : model.remote.trace(features, answer);
}

type CheckedRow = Extract<ReturnType<RowValidator>, { readonly ok: true }>;
interface CheckedWithId {
  readonly checked: CheckedRow;
  readonly predictionId: string;
}
interface Scored {
  readonly rows: PredictedRow[];
  readonly events: PredictionEvent[];
}
interface AnsweredRow {
  readonly request: PredictRequest;
  readonly live: { readonly version: string; readonly model: LoadedModel };
  readonly checked: CheckedRow;
  readonly answer: Prediction;
  readonly predictionId: string;
  readonly now: number;
  readonly variant?: Variant;
  /** Another version answered than the champion. */
  readonly isOther?: boolean;
}

/** More than one version may answer. */
const isRouted = ({ plan, watch }: LiveRoute) => plan !== null || watch !== undefined;

function addRow(scored: Scored, one: AnsweredRow): void {
  const { request, live, checked, answer, predictionId, now, variant, isOther = false } = one;
  const { model, version } = live;
  const { features, unit } = checked;
  const exampleId = checked.id ?? predictionId;
  let row = plainRow(model, { predictionId, exampleId }, answer);
  // What few answers have is put into a copy: spreads within a literal make the engine copy key by key.
  if (request.trace === true) row = { ...row, trace: traceOf(model, features, answer) };
  if (variant !== undefined || request.variant !== undefined || isOther) row = { ...row, version };
  if (variant !== undefined) row = { ...row, variant };
  scored.rows.push(row);
  const { scores, decision } = answer;
  const at = checked.at ?? now;
  let event: PredictionEvent = {
    kind: "prediction",
    predictionId,
    exampleId,
    at,
    version,
    features,
    scores,
    decision,
    origin: "live",
  };
  if (unit !== undefined) event = { ...event, unit };
  if (model.classes.length > 2) event = { ...event, classes: model.classes };
  if (variant !== undefined) event = { ...event, variant };
  scored.events.push(event);
}

function plainRow(
  { task, classes }: LoadedModel,
  { predictionId, exampleId }: { readonly predictionId: string; readonly exampleId: string },
  { scores, decision }: Prediction,
): PredictedRow {
  if (task === "regression") return { predictionId, exampleId, logged: true, decision, score: scores[0] as number };
  const probabilities: Record<string, number> = {};
  for (let i = 0; i < classes.length; i++) probabilities[String(classes[i])] = scores[i] as number;
  if (task !== "binary") return { predictionId, exampleId, logged: true, decision, probabilities };
  return { predictionId, exampleId, logged: true, decision, score: scores[1] as number, probabilities };
}

function checkRowCount(count: number): void {
  if (count >= 1 && count <= MAX_ROWS) return;
  throw fail("BODY_INVALID", {
    message: `A prediction request holds 1 to ${plural(MAX_ROWS, "row")}; this one holds ${count === 0 ? "none" : plural(count, "row")}.`,
    remedy: count === 0 ? "Put at least one row into `rows`." : "Split the rows over several requests.",
  });
}

function rowInvalid(
  model: string,
  index: number,
  count: number,
  reasons: readonly { message: string; column?: string; code: string }[],
) {
  const where = count === 1 ? "The row" : `Row ${index + 1} of ${count}`;
  return fail("ROW_INVALID", {
    message: `${where} does not fit the schema of model ${model}: ${reasons
      .slice(0, 5)
      .map((reason) => reason.message)
      .join(" ")}`,
    remedy: "Correct the values named above; null stands for a missing feature.",
    details: { row: index, reasons: reasons.slice(0, 20).map((reason) => ({ ...reason })) },
  });
}
