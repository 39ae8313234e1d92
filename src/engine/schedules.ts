/**
 * Durable cron on the system clock. What fired last is a row, so a tick missed while nothing ran fires once at the next start,
 * and of several processes one fires it: it claims the occurrence, runs it, then marks it fired. A process that dies in between
 * leaves a claim that its own next life, or another once it is silent, takes over. Hence at least once, like steps.
 */
import type { Pool } from "pg";
import type { Instant, Logger, SystemClock } from "../core/index.ts";
import { type CronRule, cronRule, dueOccurrence } from "./cron.ts";
import { DATABASE_NOW, ENGINE_SCHEMA } from "./tables.ts";

/** Sleeping longer would miss a wall clock that was set; shorter is waste. */
const MAX_SLEEP_MS = 30_000;
/** After a database error, or when another process holds the claim. */
const RETRY_MS = 1000;

export interface ScheduleEntry {
  readonly name: string;
  readonly cron: string;
  readonly timeZone: string;
  readonly rule: CronRule;
  readonly run: (scheduledAt: Instant) => Promise<void>;
}

export function scheduleEntry(name: string, cron: string, timeZone: string, run: ScheduleEntry["run"]): ScheduleEntry {
  return { name, cron, timeZone, rule: cronRule(cron, timeZone), run };
}

export class Schedules {
  readonly #pool: Pool;
  readonly #clock: SystemClock;
  readonly #logger: Logger;
  readonly #executorId: string;
  readonly #silentAfterMs: number;
  readonly #stop = new AbortController();
  readonly #loops = new Map<string, Promise<void>>();

  constructor(options: {
    pool: Pool;
    systemClock: SystemClock;
    logger: Logger;
    executorId: string;
    silentAfterMs: number;
  }) {
    this.#pool = options.pool;
    this.#clock = options.systemClock;
    this.#logger = options.logger;
    this.#executorId = options.executorId;
    this.#silentAfterMs = options.silentAfterMs;
  }

  start(entry: ScheduleEntry): void {
    this.#loops.set(entry.name, this.#loop(entry));
  }

  /** Lets callbacks under way finish. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error("stopped"));
    await Promise.all(this.#loops.values());
  }

  async #loop(entry: ScheduleEntry): Promise<void> {
    let firedAt: Instant | undefined;
    while (!this.#stop.signal.aborted) {
      let wait = MAX_SLEEP_MS;
      try {
        firedAt ??= await this.#open(entry);
        const now = this.#clock.now();
        const due = dueOccurrence(entry.rule, firedAt, now);
        if (due === undefined) {
          const next = entry.rule.next(now);
          wait = Math.min(MAX_SLEEP_MS, next === undefined ? MAX_SLEEP_MS : next - now);
        } else {
          const fired = await this.#fire(entry, due);
          // Read the row again unless it was ours: another process may be ahead.
          firedAt = fired ? due : undefined;
          wait = fired ? 0 : RETRY_MS;
        }
      } catch (error) {
        this.#logger.warn(
          { schedule: entry.name, reason: String(error) },
          "A schedule could not be read; trying again.",
        );
        firedAt = undefined;
        wait = RETRY_MS;
      }
      if (wait > 0) await this.#clock.sleep(wait, this.#stop.signal).catch(() => {});
    }
  }

  /** When it fired last. A new schedule, or a changed one, begins now: what its new times would have been is not made up for. */
  async #open(entry: ScheduleEntry): Promise<Instant> {
    const { rows } = await this.#pool.query<{ fired_at: unknown }>(
      `INSERT INTO ${ENGINE_SCHEMA}.schedule AS s (name, cron, time_zone, fired_at) VALUES ($1, $2, $3, $4)
       ON CONFLICT (name) DO UPDATE SET cron = $2, time_zone = $3,
         fired_at = CASE WHEN s.cron = $2 AND s.time_zone = $3 THEN s.fired_at ELSE $4 END
       RETURNING fired_at`,
      [entry.name, entry.cron, entry.timeZone, this.#clock.now()],
    );
    return Number(rows[0]?.fired_at);
  }

  /** @returns false when another live process has the claim or has fired it */
  async #fire(entry: ScheduleEntry, due: Instant): Promise<boolean> {
    const claim = await this.#pool.query(
      `UPDATE ${ENGINE_SCHEMA}.schedule s SET claimed_for = $2, claimed_by = $3
       WHERE name = $1 AND fired_at < $2 AND (claimed_by IS NULL OR claimed_by = $3 OR NOT EXISTS (
         SELECT 1 FROM ${ENGINE_SCHEMA}.worker w WHERE w.executor_id = s.claimed_by AND w.beat_at > ${DATABASE_NOW} - $4))`,
      [entry.name, due, this.#executorId, this.#silentAfterMs],
    );
    if (claim.rowCount === 0) return false;
    try {
      await entry.run(due);
    } catch (error) {
      // The next occurrence is the retry: a callback that always fails must not fire in a loop.
      this.#logger.error({ schedule: entry.name, scheduledAt: due, reason: String(error) }, "A scheduled task failed.");
    }
    await this.#pool.query(
      `UPDATE ${ENGINE_SCHEMA}.schedule SET fired_at = GREATEST(fired_at, $2), claimed_for = NULL, claimed_by = NULL
       WHERE name = $1 AND claimed_by = $3`,
      [entry.name, due, this.#executorId],
    );
    return true;
  }
}
