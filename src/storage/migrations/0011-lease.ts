/** Who does what only one process may do at a time: ticks, compaction, sources, alerts. */
import { type Kysely, sql } from "kysely";

export async function up(database: Kysely<unknown>): Promise<void> {
  await sql
    .raw(
      `create table lease (
         name text primary key,
         owner text not null,
         expires_at bigint not null
       )`,
    )
    .execute(database);
}
