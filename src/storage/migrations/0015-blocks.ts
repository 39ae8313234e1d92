/**
 * The tail in blocks: a row of the table holds up to 250 rows of a commit, their texts a line each (see `log/block.ts`). What a row of
 * the table costs is shared by them. Texts are kept apart from their row and not compressed: most questions want the numbers only, and
 * the rows are copied into a compressed file within a minute.
 */
import { type Kysely, sql } from "kysely";

/** As `COMMIT_SEQS` in `log/block.ts` was when this was written. */
const SEQS = 1_048_576;
const partition = (part: number) => [
  `create table ingest_${part} partition of ingest for values in (${part})`,
  `create index ingest_${part}_order on ingest_${part} (model, xid, last_seq)`,
  ...["kinds", "known_at", "ats", "example_ids", "prediction_ids", "bodies"].map(
    (column) => `alter table ingest_${part} alter column ${column} set storage external`,
  ),
];

const statements = [
  `alter table ingest rename to old_ingest`,
  `alter table ingest_0 rename to old_ingest_0`,
  `alter table ingest_1 rename to old_ingest_1`,
  `alter index ingest_0_order rename to old_ingest_0_order`,
  `alter index ingest_1_order rename to old_ingest_1_order`,
  `create table ingest (
     part smallint not null,
     last_seq bigint not null,
     rows integer not null,
     xid xid8 not null default pg_current_xact_id(),
     received_at bigint not null,
     model text collate "C" not null,
     kinds text not null,
     known_at text,
     ats text not null,
     example_ids text not null,
     prediction_ids text not null,
     bodies text not null
   ) partition by list (part)`,
  ...partition(0),
  ...partition(1),
  // Numbers of commits: the rows of one have the numbers from ${SEQS} times it on, all of them above those given out before.
  `create sequence ingest_commit`,
  `select setval('ingest_commit', (select last_value from ingest_seq_seq) / ${SEQS} + 1)`,
  `insert into ingest (part, last_seq, rows, xid, received_at, model, kinds, known_at, ats, example_ids, prediction_ids, bodies)
   select part, seq, 1, xid, coalesce(imported_at, received_at), model, (kind + case when labelled then 4 else 0 end)::text,
     case when imported_at is not null then received_at::text end, at::text, coalesce(example_id, ''),
     coalesce(prediction_id, ''), body
   from old_ingest`,
  `drop table old_ingest`,
];

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(database);
}
