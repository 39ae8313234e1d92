/**
 * The fold of profiles: reads observations and predictions after its cursor and adds them to the counts of their hours, over
 * the model's grid. Inputs are counted by where they came from (asked in production, or collected), answers by version. The grid
 * comes with the first champion; another one is counted from the beginning of the log beside the old, which answers until it
 * has caught up.
 */
import type { ModelSpec } from "../config/spec.ts";
import {
  DAY_MS,
  HOUR_MS,
  type Instant,
  type Json,
  type LoggedEvent,
  type ObservationEvent,
  type PredictionEvent,
  type ProfileDelta,
} from "../core/index.ts";
import {
  coversGrid,
  countColumn,
  countFrame,
  encodeCounts,
  type FeatureGrid,
  frameOfGrid,
  gridId,
  layoutOf,
  type ReferenceColumn,
  type ReferenceProfile,
  sparseOf,
} from "../data/index.ts";
import { inTurn, type LoopContext } from "./context.ts";
import { referenceOf } from "./profile-reference.ts";

/** Events a fold takes at once: bounds its memory and the length of its transaction. */
const FOLD_BATCH = 5_000;
/** The same on a live clock, where requests wait while a batch is counted: some ten milliseconds of the event loop. */
const LIVE_FOLD_BATCH = 1_000;
/** Batches of one live tick: a backlog of a new grid is counted over many ticks, each shorter than a second or two. */
const LIVE_BATCHES = 100;
/** Days are kept as hours for this long. */
const HOURS_KEPT_MS = 14 * DAY_MS;
/** Deltas of an hour are summed once it is this old; later events add new deltas. */
const HOUR_SETTLED_MS = 6 * HOUR_MS;

export interface ProfileState {
  /** Grid that answers questions. */
  readonly active: string | null;
  /** Grid being counted, to take its place. */
  readonly building: string | null;
}

const stateKey = (model: string) => `profiles:${model}`;

export async function profileState(context: LoopContext, model: string): Promise<ProfileState> {
  const stored = (await context.store.settings.get(stateKey(model))) as ProfileState | undefined;
  return stored ?? { active: null, building: null };
}

export interface NamedGrid {
  readonly id: string;
  readonly grid: readonly FeatureGrid[];
}

export async function activeGrid(context: LoopContext, model: string): Promise<NamedGrid | undefined> {
  return gridNamed(context, model, (await profileState(context, model)).active);
}

/** A grid's content is its name: what was read once is right for ever. */
const grids = new WeakMap<LoopContext, Map<string, NamedGrid>>();
/** Active and building grids of some models. */
const GRIDS_KEPT = 64;

async function gridNamed(context: LoopContext, model: string, id: string | null): Promise<NamedGrid | undefined> {
  if (id === null) return undefined;
  const cache = grids.get(context) ?? new Map<string, NamedGrid>();
  grids.set(context, cache);
  const known = cache.get(id);
  if (known !== undefined) return known;
  const body = await context.store.profiles.grid(model, id);
  if (body === undefined) return undefined;
  const named = { id, grid: body as unknown as readonly FeatureGrid[] };
  if (cache.size >= GRIDS_KEPT) cache.clear();
  cache.set(id, named);
  return named;
}

/** Begins to count over another grid; the present one answers until then. */
export async function buildGrid(context: LoopContext, model: string, grid: readonly FeatureGrid[]): Promise<void> {
  const state = await profileState(context, model);
  const id = gridId(grid);
  if (state.building === id || state.active === id) return;
  await context.store.profiles.saveGrid(model, id, grid as unknown as Json);
  await context.store.settings.set(stateKey(model), { active: state.active, building: id });
}

/** What was compared last, by the grid of a reference: both are kept, and asked about every tick. */
const compared = new WeakMap<
  readonly FeatureGrid[],
  { readonly to: readonly FeatureGrid[]; readonly covers: boolean }
>();

function covers(to: readonly FeatureGrid[], from: readonly FeatureGrid[]): boolean {
  const known = compared.get(from);
  if (known?.to === to) return known.covers;
  const found = { to, covers: coversGrid(to, from) };
  compared.set(from, found);
  return found.covers;
}

/** Counts everything committed so far (live: at most 100,000 events a call). @returns true when nothing is left. */
export async function advanceProfiles(context: LoopContext, spec: ModelSpec): Promise<boolean> {
  const model = spec.name;
  const champion = await context.store.registry.champion(model);
  if (champion === undefined) return true;
  const reference = await referenceOf(context, champion);
  let state = await profileState(context, model);
  const active = await gridNamed(context, model, state.active);
  let building = await gridNamed(context, model, state.building);
  if (active === undefined || !covers(active.grid, reference.grid)) {
    if (building === undefined || !covers(building.grid, reference.grid)) {
      await buildGrid(context, model, reference.grid);
      state = await profileState(context, model);
      building = await gridNamed(context, model, state.building);
    }
  }
  const budget = { batches: context.worldClock.kind === "virtual" ? Number.POSITIVE_INFINITY : LIVE_BATCHES };
  if (active !== undefined) await advanceGrid(context, spec, { ...active, reference, budget });
  if (building === undefined) return budget.batches > 0;
  const isDone = await advanceGrid(context, spec, { ...building, reference, budget });
  if (!isDone) return false;
  await context.store.settings.set(stateKey(model), { active: building.id, building: null });
  await context.store.profiles.keepGrids(model, [building.id]);
  return true;
}

interface GridWork extends NamedGrid {
  /** Whose rare categories count as `other`. */
  readonly reference: ReferenceProfile;
  readonly budget: { batches: number };
}

async function advanceGrid(context: LoopContext, spec: ModelSpec, work: GridWork): Promise<boolean> {
  while (work.budget.batches > 0) {
    const isDone = await inTurn(context, () => countBatch(context, spec, work));
    if (isDone) return true;
  }
  return false;
}

/** @returns true when nothing is left */
async function countBatch(context: LoopContext, spec: ModelSpec, work: GridWork): Promise<boolean> {
  const { store } = context;
  const limit = context.worldClock.kind === "virtual" ? FOLD_BATCH : LIVE_FOLD_BATCH;
  const before = await store.profiles.read(spec.name, work.id);
  const batch = await store.log.readAfter(spec.name, before.cursor, { limit, kinds: ["observation", "prediction"] });
  if (batch.events.length === 0) return true;
  work.budget.batches -= 1;
  const oldest = context.worldClock.now() - context.spec.storage.keep.eventsMs;
  const events = batch.events.filter(
    (event): event is LoggedEvent<ObservationEvent | PredictionEvent> =>
      (event.kind === "observation" || event.kind === "prediction") && event.at >= oldest,
  );
  const deltas = [
    ...inputDeltas(work.grid, work.reference.rare, events),
    ...(await scoreDeltas(context, spec.name, events)),
  ];
  await store.profiles.commit(spec.name, work.id, {
    expectedFoldSeq: before.foldSeq,
    cursor: batch.cursor,
    deltas,
  });
  return !batch.more;
}

const hourOf = (at: Instant) => Math.floor(at / HOUR_MS) * HOUR_MS;

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

/**
 * Counts of inputs. Answers the system gave to collected rows repeat those rows, and shadow answers repeat live ones: neither
 * is an input of its own.
 */
export function inputDeltas(
  grid: readonly FeatureGrid[],
  rare: ReferenceProfile["rare"],
  events: readonly (ObservationEvent | PredictionEvent)[],
): ProfileDelta[] {
  const layout = layoutOf(grid);
  const inputs = events.filter((event) => event.kind === "observation" || event.origin === "live");
  return [...groupBy(inputs, (event) => `${event.kind} ${hourOf(event.at)}`).values()].map((group) => {
    const first = group[0] as (typeof group)[number];
    const frame = frameOfGrid(
      grid,
      group.map((event) => event.features),
    );
    const counts = encodeCounts(sparseOf(countFrame(layout, rare, frame)));
    return { scope: first.kind, bucket: hourOf(first.at), counts };
  });
}

/** The scope of a version's answers. */
export const scoreScope = (version: string) => `score:${version}`;

async function scoreDeltas(
  context: LoopContext,
  model: string,
  events: readonly (ObservationEvent | PredictionEvent)[],
): Promise<ProfileDelta[]> {
  const predictions = events.filter((event): event is PredictionEvent => event.kind === "prediction");
  const deltas: ProfileDelta[] = [];
  for (const [version, own] of groupBy(predictions, (event) => event.version)) {
    const record = await context.store.registry.get(model, version);
    // A version whose artifact is gone, by retention, has nobody to compare its scores with.
    const scores = record === undefined ? undefined : await scoresOf(context, record);
    if (scores === undefined) continue;
    for (const group of groupBy(own, (event) => String(hourOf(event.at))).values()) {
      deltas.push({
        scope: scoreScope(version),
        bucket: hourOf((group[0] as PredictionEvent).at),
        counts: encodeCounts(sparseOf(countScores(scores.grid, group))),
      });
    }
  }
  return deltas;
}

async function scoresOf(
  context: LoopContext,
  record: Parameters<typeof referenceOf>[1],
): Promise<ReferenceColumn | undefined> {
  return referenceOf(context, record).then(
    ({ scores }) => scores,
    () => undefined,
  );
}

/** Answers over the grid of their version's scores: p(true), the decided class, or the value. */
export function countScores(grid: FeatureGrid, predictions: readonly PredictionEvent[]): Float64Array {
  const layout = layoutOf([grid]);
  const vector = new Float64Array(layout.size);
  vector[0] = predictions.length;
  const feature = layout.features[0];
  if (feature === undefined) return vector;
  if (grid.kind === "category") {
    const dictionary = [...new Set(predictions.map((event) => String(event.decision)))];
    const code = new Map(dictionary.map((text, i) => [text, i]));
    const codes = Int32Array.from(predictions, (event) => code.get(String(event.decision)) ?? -1);
    countColumn(feature, { kind: "category", name: grid.name, codes, dictionary }, undefined, vector);
    return vector;
  }
  const values = Float32Array.from(
    predictions,
    ({ scores }) => (scores.length === 2 ? scores[1] : scores[0]) as number,
  );
  countColumn(feature, { kind: "number", name: grid.name, values }, undefined, vector);
  return vector;
}

/** Sums old hours and days, and forgets what retention forgets. */
export async function tidyProfiles(context: LoopContext, model: string): Promise<void> {
  const { active } = await profileState(context, model);
  if (active === null) return;
  const now = context.worldClock.now();
  const { profiles } = context.store;
  await profiles.collapse(model, active, {
    hoursBefore: hourOf(now - HOUR_SETTLED_MS),
    daysBefore: Math.floor((now - HOURS_KEPT_MS) / DAY_MS) * DAY_MS,
  });
  await profiles.deleteBefore(model, now - context.spec.storage.keep.eventsMs);
}
