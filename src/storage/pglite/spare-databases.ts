/**
 * PostgreSQL makes two databases to copy new ones from. Nobody makes another here, and each holds 300 files that a start after
 * a crash opens and syncs twice, and that every copy of the cluster would carry along.
 */
import type { Database } from "../pool.ts";

/** Drops them from a cluster that is being prepared to be copied. */
export async function dropSpareDatabases(database: Database): Promise<void> {
  for (const name of ["template0", "template1"]) {
    await database.query(`alter database ${name} is_template false`);
    await database.query(`drop database ${name}`);
  }
}
