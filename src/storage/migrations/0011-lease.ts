/**
 * Who does what only one process may do at a time (ticks, compaction, sources, alerts), and the content hash of each segment;
 * segments written earlier have none.
 */
import { type Kysely, sql } from "kysely";

const statements = [
  `create table lease (
     name text primary key,
     owner text not null,
     expires_at bigint not null
   )`,
  "alter table segment add column sha256 text",
];

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(database);
}
