/** What the only writer knows of an idle queue: every tick asks for work, and mostly there is none. */
import type { LabelingStore } from "../../core/index.ts";
import { RowMemory } from "./row-memory.ts";

const isNothing = (answer: unknown) => answer === undefined || (Array.isArray(answer) && answer.length === 0);

/** The same store; that there is nothing (no task, no label on its way, no deadline) is asked once between two writes. */
export function rememberIdle(store: LabelingStore, isOnlyWriter: boolean): LabelingStore {
  const memory = new RowMemory<unknown>(isOnlyWriter);
  const asked = <R>(key: string, ask: () => Promise<R>) => memory.read(key, ask, isNothing) as Promise<R>;
  const written =
    <A extends unknown[], R>(change: (...values: A) => Promise<R>) =>
    (...values: A) =>
      memory.write(() => change(...values));
  const nextDueAt = (model: string) => asked(`due ${model}`, () => store.nextDueAt(model));
  return {
    ...store,
    feedback: { ...store.feedback, add: written(store.feedback.add) },
    addBatch: written(store.addBatch),
    addTasks: written(store.addTasks),
    claim: written(store.claim),
    release: written(store.release),
    annotate: written(store.annotate),
    undo: written(store.undo),
    close: written(store.close),
    finishEffects: written(store.finishEffects),
    tasks: (filter) => asked(`tasks ${JSON.stringify(filter)}`, () => store.tasks(filter)),
    effects: (limit) => asked("effects", () => store.effects(limit)),
    nextDueAt,
    overdue: async (model, now) => {
      const due = await nextDueAt(model);
      return due === undefined || due > now ? [] : store.overdue(model, now);
    },
  };
}
