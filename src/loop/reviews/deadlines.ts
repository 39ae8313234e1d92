/** What happens to answers nobody decided on in time: what was promised when they were asked for, with a record of it. */
import { type Instant, type LabelingTask, plural, type ReviewDefault } from "../../core/index.ts";
import type { LoopContext } from "../context.ts";

/** Ids shown in the record; the tasks themselves hold all of them. */
const SHOWN_IDS = 20;

/** Closes the open reviews whose deadline has passed. Called by the tick, and wherever a late one is looked at. */
export async function applyDeadlines(context: LoopContext, model: string, now: Instant): Promise<number> {
  const { labeling } = context.store;
  const overdue = await labeling.overdue(model, now);
  for (const action of ["release", "withhold"] as const) {
    const own = overdue.filter((task) => (task.review?.onDeadline ?? "release") === action);
    if (own.length === 0) continue;
    const closed = await labeling.close(
      own.map(({ id }) => id),
      { state: "discarded", closedBy: "deadline", at: now },
    );
    // Another process, or a person at the last moment, was first.
    const done = own.filter(({ id }) => closed.includes(id));
    if (done.length > 0) await record(context, model, { tasks: done, action, at: now });
  }
  return overdue.length;
}

async function record(
  context: LoopContext,
  model: string,
  {
    tasks,
    action,
    at,
  }: { readonly tasks: readonly LabelingTask[]; readonly action: ReviewDefault; readonly at: Instant },
): Promise<void> {
  const done = action === "release" ? "released" : "withheld";
  const what = plural(tasks.length, "uncertain answer was", "uncertain answers were");
  await context.store.decisions.record({
    model,
    at,
    kind: "review",
    subject: "deadline",
    outcome: action === "release" ? "yes" : "no",
    rule: `An uncertain answer nobody decides on in time is ${done}.`,
    inputs: {
      count: tasks.length,
      predictionIds: tasks.slice(0, SHOWN_IDS).flatMap((task) => task.predictionId ?? []),
    },
    reason: `${what} ${done}: nobody decided before the deadline.`,
  });
  context.emit("review.decided", model, { count: tasks.length, closedBy: "deadline" });
}
