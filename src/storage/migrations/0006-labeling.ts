/**
 * The labeling queue. A task has as many slots as people are asked; a claim is a lease on one slot, and a unique index lets a
 * person hold one slot of a task at most. Effects are label events that follow from annotations and wait for the log.
 */
import { type Kysely, sql } from "kysely";

const statements = [
  `create table labeling_batch (
     position bigint generated always as identity,
     id text primary key,
     model text not null,
     body text not null
   )`,
  `create index labeling_batch_model on labeling_batch (model, position)`,
  `create table labeling_task (
     position bigint generated always as identity,
     id text primary key,
     model text not null,
     example_id text not null,
     prediction_id text,
     batch_id text not null,
     origin text not null,
     state text not null,
     created_at bigint not null,
     due_at bigint,
     body text not null
   )`,
  `create unique index labeling_task_open on labeling_task (model, example_id)
     where state in ('open', 'adjudicate') and origin <> 'gold'`,
  `create index labeling_task_state on labeling_task (model, state, position)`,
  `create index labeling_task_created on labeling_task (model, created_at)`,
  `create index labeling_task_prediction on labeling_task (prediction_id) where prediction_id is not null`,
  `create index labeling_task_due on labeling_task (model, due_at) where state = 'open' and due_at is not null`,
  `create table labeling_slot (
     task_id text not null,
     slot int not null,
     model text not null,
     priority int not null,
     task_position bigint not null,
     is_gold boolean not null,
     labeler text,
     expires_at bigint not null default 0,
     answered boolean not null default false,
     primary key (task_id, slot)
   )`,
  `create unique index labeling_slot_labeler on labeling_slot (task_id, labeler) where labeler is not null`,
  `create index labeling_slot_free on labeling_slot (model, priority desc, task_position, slot)
     where not answered and not is_gold`,
  `create index labeling_slot_held on labeling_slot (model, labeler) where not answered and labeler is not null`,
  `create table labeling_annotation (
     position bigint generated always as identity,
     id text primary key,
     task_id text not null,
     model text not null,
     labeler text not null,
     undone boolean not null,
     body text not null
   )`,
  `create unique index labeling_annotation_once on labeling_annotation (task_id, labeler) where not undone`,
  `create index labeling_annotation_task on labeling_annotation (task_id)`,
  `create index labeling_annotation_model on labeling_annotation (model, position)`,
  `create index labeling_annotation_labeler on labeling_annotation (model, labeler, position)`,
  `create table labeling_effect (
     position bigint generated always as identity,
     id text primary key,
     model text not null,
     body text not null
   )`,
];

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(database);
}
