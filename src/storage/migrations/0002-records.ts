/** The records of the loop. Columns are what is searched or kept unique; `body` is the record as canonical JSON text. */
import { type Kysely, sql } from "kysely";

const statements = [
  `create table fold (
     model text not null,
     fold text not null,
     fold_seq bigint not null,
     cursor_xid bigint not null,
     cursor_seq bigint not null,
     known_through bigint not null,
     state text not null,
     primary key (model, fold)
   )`,
  // One row per committed fold: says which folds an as-of view may sum.
  `create table fold_commit (
     model text not null,
     fold text not null,
     fold_seq bigint not null,
     known_through bigint not null,
     cursor_xid bigint not null,
     collapsed boolean not null default false,
     primary key (model, fold, fold_seq)
   )`,
  `create table counter (
     model text not null,
     counter text not null,
     fold text not null,
     from_seq bigint not null,
     fold_seq bigint not null,
     version text not null,
     bucket bigint not null,
     known_through bigint not null,
     "values" text not null
   )`,
  `create index counter_order on counter (model, counter, fold_seq)`,
  `create table pending_label (
     model text not null,
     key text not null,
     xid bigint not null,
     seq bigint not null,
     body text not null,
     primary key (model, key, xid, seq)
   )`,
  `create table run (
     position bigint generated always as identity,
     id text primary key,
     model text not null,
     state text not null,
     queued_at bigint not null,
     attempt integer not null,
     body text not null
   )`,
  `create unique index run_one_open on run (model) where state in ('queued', 'running')`,
  `create index run_model on run (model, position)`,
  `create table run_step (
     run_id text not null references run (id) on delete cascade,
     step text not null,
     body text not null,
     primary key (run_id, step)
   )`,
  `create table run_trace (
     run_id text not null references run (id) on delete cascade,
     epoch integer not null,
     body text not null,
     primary key (run_id, epoch)
   )`,
  `create table version (
     model text not null,
     number integer not null,
     run_id text not null unique,
     role text check (role in ('champion', 'challenger')),
     state text not null,
     promoted_at bigint,
     retired_at bigint,
     body text not null,
     primary key (model, number)
   )`,
  // The promise "exactly one champion" is the database's, not the code's.
  `create unique index version_one_champion on version (model) where role = 'champion'`,
  `create unique index version_one_challenger on version (model) where role = 'challenger'`,
  `create table routing (
     model text primary key,
     number integer not null,
     champion text,
     challenger text,
     at bigint not null
   )`,
  `create table definition (
     model text not null,
     revision text not null,
     body text not null,
     primary key (model, revision)
   )`,
  `create table decision (
     position bigint generated always as identity,
     id text primary key,
     model text not null,
     kind text not null,
     subject text not null,
     outcome text not null,
     reason text not null,
     run_id text,
     first_at bigint not null,
     last_at bigint not null,
     count bigint not null,
     body text not null
   )`,
  `create index decision_subject on decision (model, kind, subject, position)`,
  `create index decision_model on decision (model, position)`,
  `create index decision_run on decision (run_id) where run_id is not null`,
  `create table alert (
     position bigint generated always as identity,
     id text primary key,
     key text not null,
     model text,
     state text not null,
     first_at bigint not null,
     last_at bigint not null,
     resolved_at bigint,
     count bigint not null,
     body text not null
   )`,
  `create unique index alert_one_open on alert (key) where state = 'open'`,
  `create table alert_delivery (
     position bigint generated always as identity,
     id text primary key,
     event text not null,
     alert text not null,
     attempt integer not null default 0,
     created_at bigint not null,
     next_at bigint not null,
     state text not null default 'waiting',
     error text
   )`,
  `create index alert_delivery_waiting on alert_delivery (next_at) where state = 'waiting'`,
  `create table setting (key text primary key collate "C", value text not null)`,
  `create table audit (
     position bigint generated always as identity,
     id text primary key,
     body text not null
   )`,
  `create table signal (
     position bigint generated always as identity primary key,
     model text not null,
     body text not null
   )`,
  `create index signal_model on signal (model, position)`,
  `create table token (
     id text primary key,
     position bigint generated always as identity,
     revoked_at bigint,
     body text not null
   )`,
  // Written by the probe that asks whether a full disk takes writes again.
  `create table write_probe (one boolean primary key default true, filler text not null)`,
];

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(database);
}
