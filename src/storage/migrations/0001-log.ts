/**
 * The tail of the event log and what readers need to find its segments. `body` is text holding our canonical JSON, never jsonb:
 * jsonb refuses \u0000 and lone surrogates, and rewrites numbers. The two list partitions take turns: one takes inserts while the
 * other is copied to Parquet and then truncated, so compaction leaves no bloat and needs no vacuum.
 */
import { type Kysely, sql } from "kysely";

const statements = [
  `create table log_state (
     one boolean primary key default true check (one),
     active_part smallint not null,
     generation bigint not null
   )`,
  `insert into log_state (active_part, generation) values (0, 0)`,
  `create table ingest (
     part smallint not null,
     seq bigint generated always as identity,
     xid xid8 not null default pg_current_xact_id(),
     received_at bigint not null,
     imported_at bigint,
     at bigint not null,
     model text collate "C" not null,
     kind smallint not null,
     labelled boolean not null,
     example_id text,
     prediction_id text,
     body text not null
   ) partition by list (part)`,
  `create table ingest_0 partition of ingest for values in (0)`,
  `create table ingest_1 partition of ingest for values in (1)`,
  `create index ingest_0_order on ingest_0 (model, xid, seq)`,
  `create index ingest_1_order on ingest_1 (model, xid, seq)`,
  `create table segment (
     id text primary key,
     model text not null,
     kind smallint not null,
     signature text not null,
     rows bigint not null,
     bytes bigint not null,
     min_at bigint not null,
     max_at bigint not null,
     min_received_at bigint not null,
     max_received_at bigint not null,
     min_xid bigint not null,
     max_xid bigint not null,
     max_seq bigint not null,
     min_id_time bigint,
     max_id_time bigint,
     other_ids boolean not null,
     created_at bigint not null,
     removed_at bigint
   )`,
  `create index segment_model on segment (model) where removed_at is null`,
  // One row per model and second (later minute, hour) of receipt: counts of any range are a short sum, whatever the rows.
  `create table volume (
     model text not null,
     bucket bigint not null,
     width bigint not null,
     observation bigint not null,
     prediction bigint not null,
     label bigint not null,
     outcome bigint not null,
     labelled bigint not null,
     first_at bigint not null,
     last_at bigint not null,
     primary key (model, bucket, width)
   )`,
  // An import of history changes what was known at past instants; as-of readers of folded counters look here.
  `create table import_mark (
     model text not null,
     xid xid8 not null default pg_current_xact_id(),
     min_received_at bigint not null
   )`,
  `create index import_mark_model on import_mark (model, min_received_at)`,
  `create table idempotency (
     key text primary key,
     hash text not null,
     response text not null,
     created_at bigint not null
   )`,
  `create index idempotency_created on idempotency (created_at)`,
  `create table batch (
     position bigint generated always as identity,
     id text primary key,
     model text not null,
     body text not null
   )`,
  `create index batch_model on batch (model, position)`,
  `create table quarantine (
     position bigint generated always as identity,
     id text primary key,
     model text not null,
     state text not null,
     body text not null
   )`,
  `create index quarantine_model on quarantine (model, state, position)`,
  `create table source_position (
     source text primary key,
     model text not null,
     body text not null
   )`,
];

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(database);
}
