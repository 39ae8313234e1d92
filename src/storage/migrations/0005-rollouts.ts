/** Rollouts, the looks at their experiments, the replicas that serve, and which routing serves while the next one is loaded. */
import { type Kysely, sql } from "kysely";

const statements = [
  `alter table routing add column plan text`,
  `alter table routing add column changed_at timestamptz`,
  `alter table routing add column serving_number integer`,
  `alter table routing add column serving text`,
  // What was routed before is what serves.
  `update routing set serving_number = number`,
  `create table rollout (
     position bigint generated always as identity,
     id text primary key,
     model text not null,
     state text not null,
     revision integer not null,
     body text not null
   )`,
  // One experiment at a time: two would share users.
  `create unique index rollout_one_active on rollout (model) where state in ('open', 'paused', 'watching')`,
  `create index rollout_model on rollout (model, position)`,
  `create table experiment_look (
     position bigint generated always as identity primary key,
     rollout text not null references rollout (id) on delete cascade,
     body text not null
   )`,
  `create index experiment_look_rollout on experiment_look (rollout, position)`,
  `create table replica (
     id text primary key,
     seen_at timestamptz not null,
     body text not null
   )`,
];

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(database);
}
