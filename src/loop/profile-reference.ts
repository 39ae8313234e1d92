/** Reference profiles of versions, read from their artifacts once. */
import type { VersionRecord } from "../core/index.ts";
import type { ReferenceProfile } from "../data/index.ts";
import type { LoopContext } from "./context.ts";

/** Versions in use at once: champion, challenger, a few that are compared. */
const KEPT = 16;
const caches = new WeakMap<LoopContext, Map<string, Promise<ReferenceProfile>>>();

/** Its hash was checked when the version was loaded. @throws what the object store throws when the artifact is gone */
export function referenceOf(context: LoopContext, version: Pick<VersionRecord, "artifact">): Promise<ReferenceProfile> {
  let cache = caches.get(context);
  if (cache === undefined) {
    cache = new Map();
    caches.set(context, cache);
  }
  const { artifact } = version;
  const known = cache.get(artifact);
  if (known !== undefined) return known;
  const read = context.objects
    .get(`artifacts/${artifact}/profile.json`)
    .then((content) => JSON.parse(new TextDecoder().decode(content)) as ReferenceProfile);
  cache.set(artifact, read);
  read.catch(() => cache.delete(artifact));
  const oldest = cache.keys().next().value;
  if (cache.size > KEPT && oldest !== undefined) cache.delete(oldest);
  return read;
}
