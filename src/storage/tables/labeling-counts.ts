/** How many tasks are in which state, how many are held, how many answers a person has given: sums that triggers keep. */
import type { TaskCounts, TaskOrigin, TaskState } from "../../core/index.ts";
import { prepared } from "../session.ts";
import { type Queryable, toNumber } from "../sql.ts";

const COUNTS = prepared(`select kind, name, n from labeling_count
  where model = $1 and (kind = 'task' or (kind = 'labeler' and name = any($2::text[])))
  union all select 'held', '', count(*) from labeling_slot where model = $1 and labeler is not null and not answered`);

/** @returns the counts for each of `labelers`, which differ in `mine` alone. One statement */
export async function countsFor(
  database: Queryable,
  model: string,
  labelers: readonly string[],
): Promise<(labeler: string) => TaskCounts> {
  const { rows } = await database.query(COUNTS, [model, labelers]);
  const states: Record<TaskState, number> = { open: 0, adjudicate: 0, done: 0, discarded: 0 };
  const origins: Partial<Record<TaskOrigin, number>> = {};
  const own = new Map<string, number>();
  let [claimed, reviews] = [0, 0];
  for (const { kind, name, n } of rows) {
    const count = toNumber(n);
    if (kind === "held") claimed = count;
    else if (kind === "labeler") own.set(name as string, count);
    else {
      const [state, origin] = (name as string).split(" ") as [TaskState, TaskOrigin];
      origins[origin] = (origins[origin] ?? 0) + count;
      if (origin === "review" && state === "open") reviews = count;
      // Gold questions stay open for ever; they are no work that is waiting.
      if (origin !== "gold") states[state] += count;
    }
  }
  return (labeler) => ({ states, origins, claimed, reviews, mine: own.get(labeler) ?? 0 });
}
