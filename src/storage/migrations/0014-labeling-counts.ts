/**
 * How many tasks stand in which state, and how many answers each person has given: every claim shows it, and counting the table
 * again would cost more than the claim. Triggers keep the sums, so that no statement can forget them; rows are touched in the
 * order of their key, so that two transactions never wait for each other in a circle.
 */
import { type Kysely, sql } from "kysely";

const add = (rows: string) => `insert into labeling_count as c (model, kind, name, n)
    select model, kind, name, sum(d) from (${rows}) changed
    group by model, kind, name having sum(d) <> 0 order by model, kind, name
    on conflict (model, kind, name) do update set n = c.n + excluded.n`;
const task = (table: string, sign: number) =>
  `select model, 'task' as kind, state || ' ' || origin as name, ${sign} as d from ${table}`;
const answer = (table: string, sign: number) =>
  `select model, 'labeler' as kind, labeler as name, ${sign} as d from ${table} where not undone`;

const counting = (name: string, table: string, rows: typeof task) => [
  `create function ${name}_added() returns trigger language plpgsql as $$ begin
    ${add(rows("added", 1))};
    return null;
  end $$`,
  `create function ${name}_changed() returns trigger language plpgsql as $$ begin
    ${add(`${rows("after", 1)} union all ${rows("before", -1)}`)};
    return null;
  end $$`,
  `create function ${name}_removed() returns trigger language plpgsql as $$ begin
    ${add(rows("removed", -1))};
    return null;
  end $$`,
  `create trigger count_added after insert on ${table} referencing new table as added
     for each statement execute function ${name}_added()`,
  `create trigger count_changed after update on ${table} referencing new table as after old table as before
     for each statement execute function ${name}_changed()`,
  `create trigger count_removed after delete on ${table} referencing old table as removed
     for each statement execute function ${name}_removed()`,
];

const statements = [
  `create table labeling_count (
     model text not null,
     kind text not null,
     name text not null,
     n bigint not null,
     primary key (model, kind, name)
   )`,
  add(`${task("labeling_task", 1)} union all ${answer("labeling_annotation", 1)}`),
  ...counting("labeling_task_count", "labeling_task", task),
  ...counting("labeling_annotation_count", "labeling_annotation", answer),
];

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(database);
}
