/**
 * Recommendations: a request names a user and gets a slate, solved from what the log says of it as of now (fold-in), without what
 * it took already. Later interactions are the answer: each judges the slate its user had been shown, or what the champion would
 * have shown.
 */
import type { ModelSpec } from "../config/spec.ts";
import {
  fail,
  type Instant,
  type LoggedEvent,
  type ObservationEvent,
  type PredictionEvent,
  uuidV7,
} from "../core/index.ts";
import type { RecommendSchema } from "../data/index.ts";
import type { LiveVersion } from "../deploy/live-models.ts";
import type { Recommender, Taste } from "../learn/index.ts";
import type { RecommendModel } from "../model/index.ts";
import { type LoopContext, modelSpec } from "./context.ts";
import type { PredictedRow, PredictRequest } from "./contract.ts";
import { type InteractionState, interactionState, strengthOf, type UserState, userOf } from "./interaction-state.ts";

/** Users of one request: more belong in a batch, and would hold the event loop. */
const MAX_USERS = 1_000;
const MAX_SLATE = 100;
const MAX_CANDIDATES = 10_000;

interface Question {
  readonly user: string;
  readonly k: number;
  readonly candidates?: readonly string[];
}

/** Sessions by model in memory, with the items folded in so far. */
const sessions = new WeakMap<
  RecommendModel,
  { readonly session: Recommender; state?: InteractionState; read: number }
>();

/** @throws ROW_INVALID. Cost a user: fold-in (about 5 µs) and items × factors. */
export async function recommendRows(
  context: LoopContext,
  request: PredictRequest,
  live: LiveVersion,
): Promise<{ rows: PredictedRow[]; events: PredictionEvent[] }> {
  const spec = modelSpec(context, request.model);
  const schema = spec.schema.recommend as RecommendSchema;
  if (request.rows.length < 1 || request.rows.length > MAX_USERS)
    throw fail("BODY_INVALID", {
      message: `A request for slates holds 1 to ${MAX_USERS} users; this one holds ${request.rows.length}.`,
      remedy: "Split the users over several requests.",
    });
  const questions = request.rows.map((row, i) => readQuestion(schema, row, i));
  const state = await interactionState(context, spec);
  const session = sessionOf(live, state);
  const now = context.worldClock.now();
  const rows: PredictedRow[] = [];
  const events: PredictionEvent[] = [];
  for (const question of questions) {
    const { slate, vector, seen } = answer(session, state, question);
    const items = slate.map(({ index, score }) => ({ item: session.items[index] as string, score }));
    const predictionId = uuidV7(now);
    const decision = items[0]?.item ?? "";
    rows.push({
      predictionId,
      exampleId: predictionId,
      logged: true,
      decision,
      recommend: {
        user: question.user,
        items,
        by: vector === undefined ? "popularity" : "taste",
        seen,
        foldedIn: slate.filter(({ index }) => index >= session.trainedItems).length,
      },
    });
    events.push({
      kind: "prediction",
      predictionId,
      exampleId: predictionId,
      at: now,
      version: live.version,
      features: { [schema.user]: question.user, [schema.item]: null },
      scores: items.map(({ score }) => score),
      decision,
      slate: items.map(({ item }) => item),
      stateSequence: state.changes.length,
      origin: "live",
    });
  }
  return { rows, events };
}

function answer(session: Recommender, state: InteractionState, { user, k, candidates }: Question) {
  const own = userOf(state, user);
  const seen = new Set<number>();
  for (const item of own?.taken.keys() ?? []) {
    const index = session.indexOf(item);
    if (index !== undefined) seen.add(index);
  }
  const vector = session.userVector(tasteOf(session, own, Number.POSITIVE_INFINITY));
  const chosen = candidates?.flatMap((item) => session.indexOf(item) ?? []);
  const slate = session.rank({
    vector,
    k,
    isExcluded: (index) => seen.has(index),
    ...(chosen === undefined ? {} : { candidates: chosen }),
  });
  return { slate, vector, seen: seen.size };
}

/** What a user had taken before an instant, as far as the version knows the items. */
function tasteOf(session: Recommender, user: UserState | undefined, before: Instant, limit = Infinity): Taste {
  const items: number[] = [];
  const strengths: number[] = [];
  for (const [item, { strength, firstAt }] of user?.taken ?? []) {
    const index = firstAt < before ? session.indexOf(item) : undefined;
    if (index === undefined || index >= limit) continue;
    items.push(index);
    strengths.push(strength);
  }
  return { items, strengths };
}

/** The champion's session with every item folded in that events have told of since it was trained. */
function sessionOf(live: LiveVersion, state: InteractionState): Recommender {
  const model = live.model.recommender as RecommendModel;
  const remembered = sessions.get(model);
  // A state begun afresh, by another definition, is read from its start.
  const known =
    remembered?.state === state ? remembered : { session: remembered?.session ?? model.open(), state, read: 0 };
  sessions.set(model, known);
  const { session } = known;
  if (!session.foldsItems) return session;
  const changed = new Set(state.changes.slice(known.read));
  known.read = state.changes.length;
  for (const item of changed) {
    const index = session.indexOf(item);
    if (index !== undefined && index < session.trainedItems) continue;
    const users = (state.items.get(item)?.takers ?? []).flatMap((name) => {
      const user = userOf(state, name);
      const strength = user?.taken.get(item)?.strength ?? 0;
      // From trained items alone, so that the order in which new items came decides nothing.
      const vector =
        strength > 0
          ? session.userVector(tasteOf(session, user, Number.POSITIVE_INFINITY, session.trainedItems))
          : undefined;
      return vector === undefined ? [] : [{ vector, strength }];
    });
    if (users.length > 0) session.foldItem(item, users);
  }
  return session;
}

function invalid(index: number, message: string, remedy: string) {
  return fail("ROW_INVALID", { message: `Row ${index + 1}: ${message}`, remedy, details: { row: index } });
}

/** `{ <user>, k?, candidates? }`. */
function readQuestion(schema: RecommendSchema, row: Readonly<Record<string, unknown>>, index: number): Question {
  const known = [schema.user, "k", "candidates"];
  const unknown = Object.keys(row).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw invalid(index, `a request for a slate has no field "${unknown}".`, `Fields: ${known.join(", ")}.`);
  const user = row[schema.user];
  if (typeof user !== "string" || user === "")
    throw invalid(index, `"${schema.user}" names no user.`, `Send {"${schema.user}": "…"}, as text.`);
  const { k = schema.k, candidates } = row;
  if (typeof k !== "number" || !Number.isInteger(k) || k < 1 || k > MAX_SLATE)
    throw invalid(index, `"k" is ${JSON.stringify(k)}.`, `Ask for 1 to ${MAX_SLATE} items.`);
  if (candidates === undefined) return { user, k };
  const isList = Array.isArray(candidates) && candidates.length >= 1 && candidates.length <= MAX_CANDIDATES;
  if (!isList || candidates.some((item) => typeof item !== "string"))
    throw invalid(index, '"candidates" is no list of items.', `Send 1 to ${MAX_CANDIDATES} item names as text.`);
  return { user, k, candidates: [...new Set(candidates as readonly string[])] };
}

/**
 * What a new interaction says of the slate before it: the newest one its user was shown within the outcome window, else what the
 * champion would have shown. Repeated and rejecting interactions judge nothing: no slate offers what its user has, and an item
 * that was left out may well be disliked.
 */
export async function judgedInteractions(
  context: LoopContext,
  spec: ModelSpec,
  champion: LiveVersion,
  observations: readonly LoggedEvent<ObservationEvent>[],
): Promise<PredictionEvent[]> {
  const schema = spec.schema.recommend as RecommendSchema;
  const state = await interactionState(context, spec);
  const session = sessionOf(champion, state);
  return observations.flatMap((observation): PredictionEvent[] => {
    const name = observation.features[schema.user];
    const item = observation.features[schema.item];
    if (typeof name !== "string" || typeof item !== "string" || !(strengthOf(observation.label) > 0)) return [];
    const user = userOf(state, name);
    const first = user?.taken.get(item)?.firstAt;
    if (first !== undefined && first < observation.at) return [];
    const shown = user?.slates.findLast(
      ({ at }) => at <= observation.at && at >= observation.at - schema.outcomeWindowMs,
    );
    const place =
      shown === undefined
        ? placeBefore(session, { user, item, at: observation.at, k: schema.k })
        : shown.items.indexOf(item) + 1;
    return [
      {
        kind: "prediction",
        predictionId: uuidV7(context.worldClock.now()),
        exampleId: observation.exampleId,
        at: observation.at,
        version: shown?.version ?? champion.version,
        features: observation.features,
        scores: [place],
        decision: place,
        stateSequence: state.changes.length,
        origin: "system",
      },
    ];
  });
}

/** The item's place among the trained items, from what its user had taken before. */
function placeBefore(
  session: Recommender,
  question: {
    readonly user: UserState | undefined;
    readonly item: string;
    readonly at: Instant;
    readonly k: number;
  },
): number {
  const { user, item, at, k } = question;
  const index = session.indexOf(item);
  if (index === undefined || index >= session.trainedItems) return 0;
  const taste = tasteOf(session, user, at, session.trainedItems);
  const seen = new Set(Array.from(taste.items));
  return session.placeOf(index, {
    vector: session.userVector(taste),
    k,
    isExcluded: (other) => seen.has(other) || other >= session.trainedItems,
  });
}
