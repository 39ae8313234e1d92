/**
 * Champions into memory. A champion whose artifact is damaged is not served: the newest earlier live version that loads whole
 * takes its place, and the team is alerted.
 */
import { asRetrainError, type VersionRecord } from "../core/index.ts";
import { raiseAlert } from "./alerts.ts";
import type { LoopContext } from "./context.ts";

export async function loadChampions(context: LoopContext): Promise<void> {
  for (const { name } of context.spec.models) {
    const serving = await context.store.rollouts.serving(name);
    await loadChampion(context, name, serving?.champion ?? undefined);
  }
}

/** @param name the version this replica is to serve; default the champion of the tables */
export async function loadChampion(context: LoopContext, model: string, name?: string): Promise<void> {
  const { registry } = context.store;
  const champion = await (name === undefined ? registry.champion(model) : registry.get(model, name));
  if (champion === undefined) {
    context.live.remove(model);
    return;
  }
  for (const version of [champion, ...(await earlierChampions(context, model, champion))]) {
    try {
      context.live.swap(model, await context.live.load(version));
      if (version.name !== champion.name) await reportFallback(context, champion, version);
      return;
    } catch (error) {
      const failure = asRetrainError(error);
      context.logger.error({ model, version: version.name, code: failure.code }, failure.message);
    }
  }
  await raiseAlert(context, {
    model,
    key: `champion.unusable:${model}`,
    type: "champion.unusable",
    severity: "critical",
    title: `No version of ${model} can be loaded`,
    message: `Champion ${champion.name} and every earlier live version are damaged. Predictions answer MODEL_NOT_READY until a version is restored or trained.`,
    evidence: { champion: champion.name },
  });
}

async function earlierChampions(
  context: LoopContext,
  model: string,
  champion: VersionRecord,
): Promise<readonly VersionRecord[]> {
  const versions = await context.store.registry.list(model);
  return versions
    .filter((version) => version.name !== champion.name && version.promotedAt !== undefined)
    .sort((left, right) => (right.promotedAt ?? 0) - (left.promotedAt ?? 0));
}

async function reportFallback(context: LoopContext, champion: VersionRecord, serving: VersionRecord): Promise<void> {
  await raiseAlert(context, {
    model: champion.model,
    key: `champion.unusable:${champion.model}`,
    type: "champion.unusable",
    severity: "critical",
    title: `Champion ${champion.name} of ${champion.model} is damaged`,
    message: `The artifact of ${champion.name} does not match its hashes or probes. ${serving.name}, the last good version, answers instead.`,
    evidence: { champion: champion.name, serving: serving.name },
  });
}
