/** Rows of now against rows the champion learned from, as wholes. Computed when somebody asks: it trains small models. */
import { DAY_MS, fail, HOUR_MS, type Instant, type LoggedEvent } from "../core/index.ts";
import { type ExampleRow, frameOfGrid, frameOfSample } from "../data/index.ts";
import { MULTIVARIATE_DEFAULTS, multivariateDrift } from "../monitor/index.ts";
import { type LoopContext, modelSpec } from "./context.ts";
import type { DriftQuery, InputSource, MultivariateView } from "./drift-contract.ts";
import { referenceOf } from "./profile-reference.ts";
import type { TimeRange } from "./profile-view.ts";

/** Where data drift is not watched, and so has no window of its own. */
const WINDOW_MS = 7 * DAY_MS;
const PAGE = 2_000;
/** Pages of newer events that are turned over to reach a window of the past. */
const MAX_PAGES = 25;

type MultivariateQuery = Omit<DriftQuery, "reference">;

/** Computations in progress, so that two people who ask at once wait for one. */
const running = new WeakMap<LoopContext, Map<string, Promise<MultivariateView>>>();

/** @throws MODEL_UNKNOWN, BODY_INVALID */
export async function multivariateView(context: LoopContext, query: MultivariateQuery): Promise<MultivariateView> {
  const spec = modelSpec(context, query.model);
  const to = query.to ?? Math.ceil(context.worldClock.now() / HOUR_MS) * HOUR_MS;
  const from = query.from ?? to - (spec.monitors.dataDrift?.windowMs ?? WINDOW_MS);
  if (!(from < to)) {
    throw fail("BODY_INVALID", {
      message: `The window begins at ${from} and ends at ${to}.`,
      remedy: "Give a `from` before `to`, in milliseconds since 1970.",
    });
  }
  const known = running.get(context) ?? new Map<string, Promise<MultivariateView>>();
  running.set(context, known);
  const key = `${query.model} ${from} ${to}`;
  const pending = known.get(key) ?? compute(context, query.model, { from, to }).finally(() => known.delete(key));
  known.set(key, pending);
  return pending;
}

async function compute(context: LoopContext, model: string, window: TimeRange): Promise<MultivariateView> {
  const champion = await context.store.registry.champion(model);
  const nothing = { model, version: champion?.name ?? null, window, source: "prediction", result: null } as const;
  if (champion === undefined) return { ...nothing, state: "no-champion" };
  const reference = await referenceOf(context, champion);
  if (reference.sample === undefined) return { ...nothing, state: "no-sample" };
  const { source, rows } = await currentRows(context, model, window);
  const before = frameOfSample(reference.sample);
  const result = await multivariateDrift(before, frameOfGrid(reference.grid, rows), {
    minRows: leastRows(context, model),
  });
  return { ...nothing, state: "ready", source, result };
}

/** As many rows as the model's other comparisons ask for. */
function leastRows(context: LoopContext, model: string): number {
  const { minRows, maxRows } = MULTIVARIATE_DEFAULTS;
  return Math.max(50, Math.min(maxRows, modelSpec(context, model).monitors.dataDrift?.minRows ?? minRows));
}

/** What the model was asked about in the window, where that is enough to tell; else whichever has more rows. */
async function currentRows(
  context: LoopContext,
  model: string,
  window: TimeRange,
): Promise<{ readonly source: InputSource; readonly rows: readonly ExampleRow["features"][] }> {
  const asked = await newestRows(context, model, { source: "prediction", window });
  if (asked.length >= leastRows(context, model)) return { source: "prediction", rows: asked };
  const collected = await newestRows(context, model, { source: "observation", window });
  return asked.length >= collected.length
    ? { source: "prediction", rows: asked }
    : { source: "observation", rows: collected };
}

async function newestRows(
  context: LoopContext,
  model: string,
  { source, window }: { readonly source: InputSource; readonly window: TimeRange },
): Promise<readonly ExampleRow["features"][]> {
  const found: ExampleRow["features"][] = [];
  let before: string | undefined;
  for (let page = 0; page < MAX_PAGES && found.length < MULTIVARIATE_DEFAULTS.maxRows; page++) {
    const events: readonly LoggedEvent[] = await context.store.log.recent(model, {
      kind: source,
      limit: PAGE,
      ...(before === undefined ? {} : { before }),
    });
    for (const event of events) if (isWithin(event, window) && "features" in event) found.push(event.features);
    const last = events.at(-1);
    // Committed before the window began: nothing older happened in it.
    if (events.length < PAGE || last === undefined || last.receivedAt < window.from) break;
    before = `${last.transactionId}-${last.seq}`;
  }
  return found.slice(0, MULTIVARIATE_DEFAULTS.maxRows);
}

function isWithin(event: LoggedEvent, { from, to }: TimeRange): boolean {
  const at: Instant = event.at;
  return (
    at >= from && at < to && (event.kind === "observation" || (event.kind === "prediction" && event.origin === "live"))
  );
}
