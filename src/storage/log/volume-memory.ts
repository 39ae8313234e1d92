/**
 * How many events came since an instant, kept up by the only writer as it writes: a tick asks for the same instant, that of the
 * last run, again and again. Imports reach into the past, and a commit of unknown outcome may have counted or not: then the
 * model is asked for anew.
 */
import type { AppendRequest, EventKind, Instant, LogCounts } from "../../core/index.ts";
import { isLabelled, isUnasked } from "./encode.ts";

/** Instants kept per model: those of the last run, of a held version, and the beginning. */
const KEPT_INSTANTS = 4;

type Counts = { events: Record<EventKind, number>; labelled: number; lastReceivedAt: Instant | null };

export class VolumeMemory {
  readonly #counts = new Map<string, Map<Instant | undefined, Counts>>();
  readonly #commits = new Map<string, number>();
  #cleared = 0;

  /** @param isIdle whether every commit has been noted: an answer that holds one which was not would count it twice */
  async since(
    model: string,
    since: Instant | undefined,
    ask: () => Promise<LogCounts>,
    isIdle: () => boolean,
  ): Promise<LogCounts> {
    const known = this.#counts.get(model)?.get(since);
    if (known !== undefined) return copyOf(known);
    const before = `${this.#commits.get(model) ?? 0} ${this.#cleared}`;
    const counts = await ask();
    const isSame = before === `${this.#commits.get(model) ?? 0} ${this.#cleared}`;
    if (isSame && isIdle()) this.#keep(model, since, counts);
    return counts;
  }

  /** To be called with every commit. @param receivedAt undefined where nobody knows what became of it */
  note(requests: readonly AppendRequest[], receivedAt: Instant | undefined): void {
    for (const { model, events, knownAt } of requests) {
      this.#commits.set(model, (this.#commits.get(model) ?? 0) + 1);
      const own = this.#counts.get(model);
      if (own === undefined) continue;
      if (receivedAt === undefined || knownAt !== undefined) {
        this.#counts.delete(model);
        continue;
      }
      for (const [since, counts] of own) if (since === undefined || receivedAt > since) add(counts, events, receivedAt);
    }
  }

  /** To be called after every change of what is stored that is no append. */
  clear(): void {
    this.#cleared += 1;
    this.#counts.clear();
  }

  #keep(model: string, since: Instant | undefined, counts: LogCounts): void {
    const own = this.#counts.get(model) ?? new Map<Instant | undefined, Counts>();
    this.#counts.set(model, own);
    if (own.size >= KEPT_INSTANTS) own.clear();
    own.set(since, copyOf(counts));
  }
}

const copyOf = (counts: LogCounts): Counts => ({ ...counts, events: { ...counts.events } });

function add(counts: Counts, events: AppendRequest["events"], receivedAt: Instant): void {
  for (const event of events) {
    if (isUnasked(event)) continue;
    counts.events[event.kind] += 1;
    if (isLabelled(event)) counts.labelled += 1;
  }
  if (events.length > 0) counts.lastReceivedAt = Math.max(counts.lastReceivedAt ?? receivedAt, receivedAt);
}
