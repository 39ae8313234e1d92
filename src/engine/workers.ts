/**
 * Who is alive, and whose runs have nobody. The durable-execution library resumes the runs of this executor at its start, and
 * leaves those of a worker that never comes back to its vendor's paid service; so each worker beats, and each looks for runs
 * of workers that fell silent. It looks again every round: a hand-over lost to a second crash is simply found again.
 *
 * A worker that was only paused may then do a step twice. The library refuses its records, and the run's attempt number
 * fences its side effects.
 */
import type { Pool } from "pg";
import type { Logger, SystemClock } from "../core/index.ts";
import { DATABASE_NOW, ENGINE_SCHEMA } from "./tables.ts";

/** A row of a worker that has been silent this long tells nobody anything. */
const FORGET_AFTER_MS = 86_400_000;

export interface WorkersOptions {
  readonly pool: Pool;
  readonly systemClock: SystemClock;
  readonly logger: Logger;
  readonly executorId: string;
  readonly applicationVersion: string;
  readonly heartbeatMs: number;
  readonly silentAfterMs: number;
  /** Hands all unfinished workflows of the executors back to their queues; @returns how many. */
  readonly takeOver: (executorIds: readonly string[]) => Promise<number>;
  /** The workflows that run in this process right now. */
  readonly runsHere: (workflowId: string) => boolean;
  /** Hands these workflows of this executor back to their queues. */
  readonly release: (workflowIds: readonly string[]) => Promise<void>;
}

export class Workers {
  readonly #options: WorkersOptions;
  readonly #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(options: WorkersOptions) {
    this.#options = options;
  }

  async beat(): Promise<void> {
    const { pool, executorId, applicationVersion } = this.#options;
    await pool.query(
      `INSERT INTO ${ENGINE_SCHEMA}.worker (executor_id, application_version, started_at, beat_at)
       VALUES ($1, $2, ${DATABASE_NOW}, ${DATABASE_NOW})
       ON CONFLICT (executor_id) DO UPDATE SET application_version = $2, beat_at = ${DATABASE_NOW}`,
      [executorId, applicationVersion],
    );
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Says goodbye, so that others need not wait for silence. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error("stopped"));
    await this.#loop;
  }

  async leave(): Promise<void> {
    const { pool, executorId } = this.#options;
    await pool.query(`DELETE FROM ${ENGINE_SCHEMA}.worker WHERE executor_id = $1`, [executorId]);
  }

  async #run(): Promise<void> {
    const { systemClock, heartbeatMs, logger } = this.#options;
    while (!this.#stop.signal.aborted) {
      await systemClock.sleep(heartbeatMs, this.#stop.signal).catch(() => {});
      if (this.#stop.signal.aborted) return;
      try {
        await this.beat();
        await this.#sweepSilent();
        await this.#sweepOwn();
      } catch (error) {
        logger.warn({ reason: String(error) }, "A worker's heartbeat failed; trying again.");
      }
    }
  }

  async #sweepSilent(): Promise<void> {
    const { pool, executorId, applicationVersion, silentAfterMs, logger, takeOver } = this.#options;
    const { rows } = await pool.query<{ executor_id: string }>(
      `SELECT DISTINCT s.executor_id FROM dbos.workflow_status s
       WHERE s.status = 'PENDING' AND s.executor_id <> $1 AND s.application_version = $2 AND NOT EXISTS (
         SELECT 1 FROM ${ENGINE_SCHEMA}.worker w WHERE w.executor_id = s.executor_id AND w.beat_at > ${DATABASE_NOW} - $3)`,
      [executorId, applicationVersion, silentAfterMs],
    );
    if (rows.length === 0) return;
    const silent = rows.map((row) => row.executor_id);
    const count = await takeOver(silent);
    if (count > 0) logger.warn({ silent, count }, "Took over unfinished workflows of workers that fell silent.");
  }

  /** Workflows that are ours by the record but run nowhere: an outcome that could not be written while the database was down. */
  async #sweepOwn(): Promise<void> {
    const { pool, executorId, silentAfterMs, logger, runsHere, release } = this.#options;
    const { rows } = await pool.query<{ workflow_uuid: string }>(
      `SELECT workflow_uuid FROM dbos.workflow_status
       WHERE status = 'PENDING' AND executor_id = $1 AND updated_at < ${DATABASE_NOW} - $2`,
      [executorId, silentAfterMs],
    );
    const stranded = rows.map((row) => row.workflow_uuid).filter((id) => !runsHere(id));
    if (stranded.length === 0) return;
    logger.warn({ workflows: stranded }, "Workflows of this worker ran nowhere; they go back to their queue.");
    await release(stranded);
  }

  async forgetOld(): Promise<void> {
    await this.#options.pool.query(`DELETE FROM ${ENGINE_SCHEMA}.worker WHERE beat_at < ${DATABASE_NOW} - $1`, [
      FORGET_AFTER_MS,
    ]);
  }
}
