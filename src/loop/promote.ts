/** Changing the champion: by a run, by hand, or back. The new version is warm before the transaction names it. */
import { DRIFT_MONITORS, fail, type Routing, stopPoint, type VersionRecord } from "../core/index.ts";
import { conceptAlertKey, driftAlertKey, resolveAlert } from "./alerts.ts";
import type { LoopContext } from "./context.ts";

export interface ChampionChange {
  readonly model: string;
  readonly version: string;
  /** Whom it is to replace; without it, whoever is champion. */
  readonly expectedChampion?: string | null;
  readonly reason: string;
  readonly actor: string;
  readonly action: "promotion" | "rollback";
  readonly runId?: string;
  readonly attempt?: number;
}

export async function makeChampion(
  context: LoopContext,
  change: ChampionChange,
): Promise<{ routing: Routing; changed: boolean }> {
  const { registry } = context.store;
  const record = await requireVersion(context, change.model, change.version);
  await context.live.load(record);
  const at = context.worldClock.now();
  stopPoint("promote.loaded");
  const result = await registry.promote({ ...change, at });
  stopPoint("promote.committed");
  await context.routing.sync(change.model);
  if (result.changed) await afterPromotion(context, change);
  return result;
}

/** What follows a change of champion, whoever made it. */
export async function afterPromotion(
  context: LoopContext,
  change: Pick<ChampionChange, "model" | "version" | "action" | "reason">,
): Promise<void> {
  const { model, version, action, reason } = change;
  // The new champion has a detector and a reference of its own, which have seen nothing yet.
  for (const key of [conceptAlertKey(model), ...DRIFT_MONITORS.map((monitor) => driftAlertKey(model, monitor))])
    await resolveAlert(context, key, `${version} went live.`);
  context.emit("version.promoted", model, { version, action, reason });
}

/**
 * The version that was live before the champion. One that was itself rolled back is passed over: a second rollback goes further
 * back, never forward to what somebody has just taken out of service. @throws ROLLBACK_IMPOSSIBLE
 */
export async function previousChampion(context: LoopContext, model: string): Promise<VersionRecord> {
  const versions = await context.store.registry.list(model);
  const earlier = versions
    .filter((version) => version.role !== "champion" && version.promotedAt !== undefined)
    .sort((left, right) => (right.retiredAt ?? 0) - (left.retiredAt ?? 0) || right.number - left.number);
  // A rolled-back version that is tried in a rollout again is a candidate, also when that rollout came to nothing.
  const previous = earlier.find((version) => version.state === "retired");
  if (previous !== undefined) return previous;
  const names = earlier.map(({ name }) => name);
  const were = names.length === 1 ? "was" : "were";
  throw fail("ROLLBACK_IMPOSSIBLE", {
    message:
      names.length === 0
        ? `Model ${model} has no earlier live version.`
        : `Model ${model} has no earlier live version left: ${names.join(", ")} ${were} rolled back.`,
    remedy:
      names.length === 0
        ? "Promote a version by name instead."
        : `Promote a version by name: \`retrain promote ${model} ${names[0]} --reason "…"\`.`,
  });
}

export async function requireVersion(context: LoopContext, model: string, name: string): Promise<VersionRecord> {
  const record = await context.store.registry.get(model, name);
  if (record !== undefined) return record;
  const known = (await context.store.registry.list(model)).map((version) => version.name);
  throw fail("VERSION_UNKNOWN", {
    message: `Model ${model} has no version ${JSON.stringify(name.slice(0, 40))}. Versions: ${known.slice(-10).join(", ") || "none"}.`,
    remedy: "Use one of the versions above.",
  });
}
