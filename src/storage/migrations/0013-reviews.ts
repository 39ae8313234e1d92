/** A review is about an answer, not about an example: several answers about one example may wait, beside a question of the queue. */
import { type Kysely, sql } from "kysely";

const statements = [
  `drop index labeling_task_open`,
  `create unique index labeling_task_open on labeling_task (model, example_id)
     where state in ('open', 'adjudicate') and origin in ('strategy', 'random')`,
  `drop index labeling_task_due`,
  `create index labeling_task_due on labeling_task (model, due_at)
     where state in ('open', 'adjudicate') and due_at is not null`,
];

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(database);
}
