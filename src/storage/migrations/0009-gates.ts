/**
 * What gates remember between runs: which runs trained nothing (they gate a held version again), what people approved, and how
 * often a holdout was looked at.
 */
import { type Kysely, sql } from "kysely";

const statements = [
  `alter table run add column cause text not null default 'manual'`,
  `update run set cause = coalesce((body::json) -> 'cause' ->> 'trigger', 'manual')`,
  `create table approval (
     position bigint generated always as identity,
     id text primary key,
     model text not null,
     version text not null,
     body text not null
   )`,
  `create index approval_version on approval (model, version, position)`,
  // One row per judged run: which rows it looked at is told by what was known then.
  `create table gate_look (
     position bigint generated always as identity,
     run_id text primary key,
     model text not null,
     champion text,
     body text not null
   )`,
  `create index gate_look_model on gate_look (model, position)`,
];

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(database);
}
