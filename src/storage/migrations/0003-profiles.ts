/** Profiles: grids, where their folds stand, and the counts they wrote. Counts are sparse vectors as base64 text. */
import { type Kysely, sql } from "kysely";

const statements = [
  `create table profile_grid (
     model text not null,
     grid text not null,
     body text not null,
     fold_seq bigint not null default 0,
     cursor_xid bigint not null default 0,
     cursor_seq bigint not null default 0,
     primary key (model, grid)
   )`,
  `create table profile (
     model text not null,
     grid text not null,
     scope text not null,
     bucket bigint not null,
     width bigint not null,
     from_seq bigint not null,
     fold_seq bigint not null,
     counts text not null
   )`,
  `create index profile_order on profile (model, grid, fold_seq)`,
  `create index profile_bucket on profile (model, grid, scope, bucket)`,
];

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(database);
}
