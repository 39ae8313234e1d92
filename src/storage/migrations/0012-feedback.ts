/** What users say about single answers. */
import { type Kysely, sql } from "kysely";

const statements = [
  `create table feedback (
     position bigint generated always as identity,
     id text primary key,
     model text not null,
     version text not null,
     prediction_id text not null,
     example_id text not null,
     thumb text,
     has_value boolean not null,
     has_comment boolean not null,
     has_label boolean not null,
     at bigint not null,
     body text not null
   )`,
  `create index feedback_model on feedback (model, position)`,
  `create index feedback_prediction on feedback (prediction_id)`,
  `create index feedback_example on feedback (model, example_id)`,
];

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(database);
}
