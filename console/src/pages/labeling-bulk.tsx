/** Similar items side by side: take out the odd ones, give the rest one answer. */
import { useMemo, useState } from "react";
import type { LabelValue, TaskView } from "../../../src/server/contract.ts";
import { Empty } from "../parts/feedback.tsx";
import { Choice, nameOf, useKeys } from "./labeling-parts.tsx";
import { ItemView } from "./labeling-item.tsx";
import { BULK, type Work } from "./labeling-session.ts";

/** Items on a screen: more cannot be looked over at once. */
const SHOWN = 12;

/** The first task and those most like it: numbers by their spread among the tasks held, everything else by being equal. */
export function mostSimilar(tasks: readonly TaskView[], count: number): readonly TaskView[] {
  const [first] = tasks;
  if (first === undefined) return [];
  const names = Object.keys(first.features);
  const spread = new Map(
    names.map((name) => {
      const numbers = tasks.flatMap(({ features }) => (typeof features[name] === "number" ? [features[name]] : []));
      return [name, Math.max(...numbers) - Math.min(...numbers) || 1] as const;
    }),
  );
  const distance = (task: TaskView) =>
    names.reduce((sum, name) => {
      const [a, b] = [first.features[name], task.features[name]];
      if (typeof a === "number" && typeof b === "number") return sum + Math.abs(a - b) / (spread.get(name) ?? 1);
      return sum + (a === b ? 0 : 1);
    }, 0) + (task.suggestion?.decision === first.suggestion?.decision ? 0 : names.length);
  return tasks
    .map((task) => ({ task, far: distance(task) }))
    .sort((left, right) => left.far - right.far)
    .slice(0, count)
    .map(({ task }) => task);
}

export function BulkView({ work, choices }: { readonly work: Work; readonly choices: readonly LabelValue[] | null }) {
  const shown = useMemo(() => mostSimilar(work.tasks.slice(0, BULK), SHOWN), [work.tasks]);
  const [out, setOut] = useState<ReadonlySet<string>>(new Set());
  const chosen = shown.filter(({ id }) => !out.has(id));
  const give = (value: LabelValue) => {
    for (const task of chosen) work.answer(task, { kind: "answer", value });
    setOut(new Set());
  };
  useKeys((key) => {
    const value = choices?.[Number(key) - 1];
    if (key >= "1" && key <= "9" && value !== undefined && chosen.length > 0) give(value);
    else if (key === "Backspace") work.undo();
    else return false;
    return true;
  });
  if (choices === null) return <Empty sentence="Numbers are answered one by one." />;
  const toggle = (id: string) => {
    const next = new Set(out);
    if (!next.delete(id)) next.add(id);
    setOut(next);
  };
  return (
    <>
      <p className="dimmed small">
        Take out what does not belong, then give the other {chosen.length} their answer. What is taken out is asked one
        by one.
      </p>
      <div className="bulk" role="group" aria-label="Similar items">
        {shown.map((task) => (
          <button
            key={task.id}
            type="button"
            className="bulk-item"
            aria-pressed={!out.has(task.id)}
            onClick={() => toggle(task.id)}
          >
            <span className="sr-only">Example {task.exampleId}</span>
            <ItemView task={task} isSmall />
            {task.suggestion === undefined ? null : (
              <span className="dimmed small">
                <span className="sr-only">The model says </span>
                {nameOf(task.suggestion.decision)}
              </span>
            )}
          </button>
        ))}
      </div>
      <div className="choices" role="group" aria-label="Answers">
        {choices.map((value, i) => (
          <Choice key={String(value)} index={i} value={value} onClick={() => give(value)} />
        ))}
      </div>
    </>
  );
}
