/**
 * The story both demos tell: a model is trained on the first months, answers every later row, learns the truth late, and is kept
 * fresh by its policy. Beside the live answers, the first version is asked the same rows without logging: what would have been,
 * had nobody retrained. Both losses are computed here from the recorded labels, apart from the server's own counters.
 */
import { DAY_MS, type Instant, type RunRecord, type VersionRecord } from "../core/index.ts";
import { dayOf, daysOf, type HistoryDay, type HistoryRow, quarterOf, type RecordedHistory } from "./history.ts";
import type { ReplayLabel, ReplayRow, ReplayTarget } from "./target.ts";

export interface StoryOptions {
  /** Names of the id, time and label columns of the model. */
  readonly columns: { readonly id: string; readonly time: string; readonly label: string };
  readonly labelDelayMs: number;
  /** Rows before it are imported as history when the story begins. */
  readonly beginAt: Instant;
  readonly onDay?: (progress: {
    readonly day: Instant;
    readonly share: number;
    readonly version: string | null;
  }) => void;
  readonly onRun?: (run: RunRecord) => void;
  readonly signal?: AbortSignal;
}

export interface QuarterLoss {
  readonly quarter: string;
  /** Mean log loss of the first version, had it stayed. */
  readonly staticLogLoss: number;
  readonly liveLogLoss: number;
  readonly rows: number;
}
export interface StoryResult {
  readonly versions: readonly VersionRecord[];
  readonly runs: readonly RunRecord[];
  readonly quarters: readonly QuarterLoss[];
  /** Rows and labels sent. */
  readonly eventsIngested: number;
  readonly endedAt: Instant;
}

/** Rows of a request; a delivery of months is sent in parts. */
const MAX_ROWS = 5000;
/** Working day: answers are asked for at 18:00, after the day's contacts. */
const EVENING_MS = 18 * 3_600_000;
/** Probabilities are kept away from 0 and 1 by this much, as in every log loss of the product. */
const EPSILON = 1e-15;

export async function tellStory(
  target: ReplayTarget,
  history: RecordedHistory,
  options: StoryOptions,
): Promise<StoryResult> {
  const driver = new Driver(target, options);
  const before: HistoryRow[] = [];
  let told = 0;
  for (const part of history.parts) {
    for (const row of part) if (row.at < options.beginAt) before.push(row);
    const days = daysOf(part.filter((row) => row.at >= options.beginAt));
    if (told === 0 && days.length > 0) await driver.importHistory(before);
    for (const { day, rows } of days) {
      options.signal?.throwIfAborted();
      await driver.live({ day, rows });
      told += rows.length;
      options.onDay?.({ day, share: told / (history.rows - before.length), version: driver.version });
    }
  }
  if (told === 0) await driver.importHistory(before);
  const endedAt = await driver.finish();
  const [runs, versions] = await Promise.all([target.runs(), target.versions()]);
  return { versions, runs, quarters: driver.quarters(), eventsIngested: driver.eventsIngested, endedAt };
}

interface Loss {
  fixed: number;
  live: number;
  rows: number;
}

class Driver {
  eventsIngested = 0;
  version: string | null = null;
  readonly #target: ReplayTarget;
  readonly #options: StoryOptions;
  /** Labels that are not known yet, in the order in which they will be. */
  readonly #due: { readonly knownAt: Instant; readonly label: ReplayLabel }[] = [];
  readonly #losses = new Map<string, Loss>();
  #first: string | undefined;
  #now: Instant;

  constructor(target: ReplayTarget, options: StoryOptions) {
    this.#target = target;
    this.#options = options;
    this.#now = options.beginAt;
  }

  /** What was known by the beginning arrives with its labels; younger rows wait for theirs. */
  async importHistory(rows: readonly HistoryRow[]): Promise<void> {
    const { labelDelayMs, beginAt, columns } = this.#options;
    const known = rows.filter((row) => row.at + labelDelayMs < beginAt);
    const waiting = rows.filter((row) => row.at + labelDelayMs >= beginAt);
    for (const part of partsOf(known)) {
      await this.#target.observe(
        part.map((row) => ({ ...this.#row(row), [columns.label]: row.label })),
        { historical: true },
      );
      this.eventsIngested += part.length;
    }
    await this.#observe(waiting);
    await this.#advance(beginAt + 1);
  }

  async live({ day, rows }: HistoryDay): Promise<void> {
    await this.#advance(day);
    await this.#sendLabels();
    await this.#advance(day + EVENING_MS);
    if (this.version === null) await this.#observe(rows);
    else for (const part of partsOf(rows)) await this.#predict(part, this.version);
  }

  /** The last labels arrive, and the policy sees them. */
  async finish(): Promise<Instant> {
    const last = this.#due.at(-1)?.knownAt ?? this.#now;
    for (let day = dayOf(this.#now) + DAY_MS; this.#due.length > 0 || day <= last; day += DAY_MS) {
      await this.#advance(day);
      await this.#sendLabels();
    }
    await this.#advance(dayOf(last) + 2 * DAY_MS);
    return this.#now;
  }

  quarters(): readonly QuarterLoss[] {
    return [...this.#losses].map(([quarter, { fixed, live, rows }]) => ({
      quarter,
      staticLogLoss: fixed / rows,
      liveLogLoss: live / rows,
      rows,
    }));
  }

  async #advance(to: Instant): Promise<void> {
    if (to <= this.#now) return;
    const runs = await this.#target.advance(to);
    this.#now = to;
    for (const id of runs) this.#options.onRun?.(await this.#target.run(id));
    if (runs.length > 0 || this.version === null) this.version = await this.#target.champion();
    this.#first ??= this.version ?? undefined;
  }

  #row(row: HistoryRow): ReplayRow {
    const { columns } = this.#options;
    return { [columns.id]: row.id, [columns.time]: row.at, ...row.features };
  }

  async #observe(rows: readonly HistoryRow[]): Promise<void> {
    for (const part of partsOf(rows)) {
      await this.#target.observe(part.map((row) => this.#row(row)));
      this.#expect(part);
    }
  }

  async #predict(rows: readonly HistoryRow[], version: string): Promise<void> {
    const asked = rows.map((row) => this.#row(row));
    const first = this.#first ?? version;
    // Side by side: the pinned answers are not logged, so their order does not matter.
    const answering = this.#target.predict(asked);
    const pinned = version === first ? answering : this.#target.predict(asked, { version: first });
    const [live, fixed] = await Promise.all([answering, pinned]);
    this.#expect(rows);
    rows.forEach((row, i) => {
      const quarter = quarterOf(row.at);
      const loss = this.#losses.get(quarter) ?? { fixed: 0, live: 0, rows: 0 };
      loss.fixed += logLoss(fixed[i] as number, row.label);
      loss.live += logLoss(live[i] as number, row.label);
      loss.rows++;
      this.#losses.set(quarter, loss);
    });
  }

  #expect(rows: readonly HistoryRow[]): void {
    this.eventsIngested += rows.length;
    for (const { id, at, label } of rows) {
      this.#due.push({ knownAt: at + this.#options.labelDelayMs, label: { exampleId: id, label, at } });
    }
  }

  async #sendLabels(): Promise<void> {
    let count = 0;
    while (count < this.#due.length && (this.#due[count] as { knownAt: Instant }).knownAt <= this.#now) count++;
    const known = this.#due.splice(0, count).map(({ label }) => label);
    for (const part of partsOf(known)) await this.#target.label(part);
    this.eventsIngested += known.length;
  }
}

function partsOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  const parts: (readonly T[])[] = [];
  for (let i = 0; i < items.length; i += MAX_ROWS) parts.push(items.slice(i, i + MAX_ROWS));
  return parts;
}

function logLoss(probability: number, label: boolean): number {
  const p = Math.min(1 - EPSILON, Math.max(EPSILON, probability));
  return -Math.log(label ? p : 1 - p);
}
