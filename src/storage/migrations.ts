/**
 * The schema, as one list of numbered migrations. Each file in `migrations/` holds one table group; a released one is never
 * edited. Kysely's migrator takes a transaction-wide advisory lock, so two servers may start together: one migrates, the
 * other waits and finds nothing left to do.
 */
import { Kysely, type Migration, Migrator, PostgresDialect } from "kysely";
import { fail } from "../core/index.ts";
import { translateDatabaseError } from "./health.ts";
import { migrations as registered } from "./migrations/index.ts";
import type { Database } from "./pool.ts";

/** Brings the schema up to date; returns the names of the migrations that ran. All of them, or none. @throws MIGRATION_FAILED */
export async function migrate(
  database: Database,
  migrations: Readonly<Record<string, Migration>> = registered,
): Promise<readonly string[]> {
  if (await isUpToDate(database, Object.keys(migrations))) return [];
  // Not database.kysely: that one refuses the transaction in which the migrator holds its lock. Never destroyed, because
  // destroying it would end the pool.
  const kysely = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: database.pool }) });
  const migrator = new Migrator({ db: kysely, provider: { getMigrations: async () => ({ ...migrations }) } });
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error !== undefined) {
    const cause = translateDatabaseError(error);
    if (cause.name === "RetrainError") throw cause;
    const failed = results.find((result) => result.status === "Error")?.migrationName;
    throw fail("MIGRATION_FAILED", {
      message: `The database could not be brought up to date${failed ? `: migration ${failed} failed` : ""}: ${cause.message}. Nothing was changed.`,
      remedy: failed
        ? "Restore the version of Retrain that was used before, and report this with the message above."
        : "Use the version of Retrain that wrote this database, or a newer one.",
      cause,
    });
  }
  return results.filter((result) => result.status === "Success").map((result) => result.migrationName);
}

const UNDEFINED_TABLE = "42P01";

/** One small query instead of the migrator's look at every table, which takes the embedded database a third of a second. */
async function isUpToDate(database: Database, wanted: readonly string[]): Promise<boolean> {
  try {
    const { rows } = await database.query<{ name: string }>("select name from kysely_migration");
    const applied = new Set(rows.map(({ name }) => name));
    return applied.size === wanted.length && wanted.every((name) => applied.has(name));
  } catch (error) {
    if ((error as { code?: unknown }).code === UNDEFINED_TABLE) return false;
    throw error;
  }
}
