/**
 * The engine's own tables, beside those of the durable-execution library: who is alive, and which schedule fired last.
 * They are apart from the store's migrations because the engine owns them and needs them before anything else runs.
 */
import type { Pool } from "pg";

export const ENGINE_SCHEMA = "retrain_engine";
/** The database's own clock: machines disagree about the time, and a skewed one would declare the others dead. */
export const DATABASE_NOW = "(extract(epoch from clock_timestamp()) * 1000)::bigint";

const STATEMENTS = [
  `CREATE SCHEMA IF NOT EXISTS ${ENGINE_SCHEMA}`,
  `CREATE TABLE IF NOT EXISTS ${ENGINE_SCHEMA}.worker (
    executor_id text PRIMARY KEY,
    application_version text NOT NULL,
    started_at bigint NOT NULL,
    beat_at bigint NOT NULL
  )`,
  `CREATE TABLE IF NOT EXISTS ${ENGINE_SCHEMA}.schedule (
    name text PRIMARY KEY,
    cron text NOT NULL,
    time_zone text NOT NULL,
    fired_at bigint NOT NULL,
    claimed_for bigint,
    claimed_by text
  )`,
];

/** Idempotent, and safe when several processes start together: `IF NOT EXISTS` still collides in the catalog, so it is repeated. */
export async function createEngineTables(pool: Pool): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      // In one request, which runs as one transaction: a start waits for each.
      await pool.query(STATEMENTS.join(";\n"));
      return;
    } catch (error) {
      if (attempt === 5 || !isCatalogCollision(error)) throw error;
    }
  }
}

function isCatalogCollision(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return code === "23505" || code === "42P06" || code === "42P07";
}
