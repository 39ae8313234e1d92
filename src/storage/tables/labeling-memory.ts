/** What the only writer knows of an idle queue: every tick asks for work, and mostly there is none. */
import type { LabelingStore } from "../../core/index.ts";
import { RowMemory } from "./row-memory.ts";

const isNothing = (answer: unknown) => answer === undefined || (Array.isArray(answer) && answer.length === 0);

/** The same store; that there is nothing (no task, no label on its way, no deadline) is asked once between two writes. */
export function rememberIdle(store: LabelingStore, isOnlyWriter: boolean): LabelingStore {
  const memory = new RowMemory<unknown>(isOnlyWriter);
  const asked = <R>(key: string, ask: () => Promise<R>) => memory.read(key, ask, isNothing) as Promise<R>;
  const nextDueAt = (model: string) => asked(`due ${model}`, () => store.nextDueAt(model));
  return {
    ...store,
    feedback: { ...store.feedback, add: (records) => memory.write(() => store.feedback.add(records)) },
    addBatch: (batch, tasks) => memory.write(() => store.addBatch(batch, tasks)),
    addTasks: (tasks) => memory.write(() => store.addTasks(tasks)),
    claim: (request) => memory.write(() => store.claim(request)),
    release: (model, labeler, ids) => memory.write(() => store.release(model, labeler, ids)),
    annotate: (annotation, settle) => memory.write(() => store.annotate(annotation, settle)),
    undo: (request, settle) => memory.write(() => store.undo(request, settle)),
    close: (ids, change) => memory.write(() => store.close(ids, change)),
    finishEffects: (ids) => memory.write(() => store.finishEffects(ids)),
    tasks: (filter) => asked(`tasks ${JSON.stringify(filter)}`, () => store.tasks(filter)),
    effects: (limit) => asked("effects", () => store.effects(limit)),
    nextDueAt,
    overdue: async (model, now) => {
      const due = await nextDueAt(model);
      return due === undefined || due > now ? [] : store.overdue(model, now);
    },
  };
}
