/**
 * A person's work at the queue: tasks held here, answers on their way. The next task is on the screen before the answer of the
 * last has left, so no key ever waits for the network; answers leave one after the other, so that an undo finds the last one.
 */
import { useCallback, useEffect, useRef, useState } from "react";
import type { LabelingSession, LabelValue, TaskView } from "../../../src/server/contract.ts";
import { ApiError, write } from "../api/client.ts";

/** Tasks kept ready behind the one on the screen. */
const PREFETCHED = 5;
/** Bulk mode shows a screen of similar ones. */
export const BULK = 24;

const isGone = (caught: unknown) =>
  caught instanceof ApiError && (caught.problem.status === 404 || caught.problem.status === 409);

export interface Answer {
  readonly kind: "answer" | "skip" | "flag";
  readonly value?: LabelValue;
  readonly comment?: string;
}
export interface Work {
  readonly tasks: readonly TaskView[];
  readonly session: LabelingSession | undefined;
  readonly error: ApiError | undefined;
  readonly isReading: boolean;
  /** Answers of this visit. */
  readonly answered: number;
  readonly answer: (task: TaskView, answer: Answer) => void;
  readonly undo: () => void;
  readonly refresh: () => void;
}

export function useLabelingWork(model: string, mode: "one" | "bulk" | "reviews"): Work {
  const isBulk = mode === "bulk";
  const only = mode === "reviews" ? "reviews" : undefined;
  const [tasks, setTasks] = useState<readonly TaskView[]>([]);
  const [session, setSession] = useState<LabelingSession>();
  const [error, setError] = useState<ApiError>();
  const [isReading, setReading] = useState(true);
  const [answered, setAnswered] = useState(0);
  const left = useRef(new Set<string>());
  const queue = useRef<Promise<unknown>>(Promise.resolve());
  const shownAt = useRef(performance.now());
  const reading = useRef(false);
  /** The error shown is of an answer: it stays until an answer arrives. */
  const isRefused = useRef(false);
  const wanted = isBulk ? BULK : PREFETCHED + 1;

  const refresh = useCallback(async () => {
    if (reading.current) return;
    reading.current = true;
    setReading(true);
    try {
      const found = await write(
        "POST /models/:model/tasks/claim",
        { model },
        { count: wanted, ...(only === undefined ? {} : { only }) },
      );
      setSession(found);
      if (!isRefused.current) setError(undefined);
      setTasks((shown) => {
        const known = new Set(shown.map(({ id }) => id));
        const kept = only === undefined ? shown : shown.filter(({ isReview }) => isReview);
        return [...kept, ...found.tasks.filter(({ id }) => !known.has(id) && !left.current.has(id))];
      });
    } catch (caught) {
      if (caught instanceof ApiError) setError(caught);
    }
    reading.current = false;
    setReading(false);
  }, [model, wanted, only]);

  /** After what is under way, in order; a refusal is shown and stops nothing. */
  const send = useCallback((work: () => Promise<void>) => {
    queue.current = queue.current
      .then(work)
      .then(() => {
        isRefused.current = false;
        setError(undefined);
      })
      .catch((caught: unknown) => {
        if (!(caught instanceof ApiError)) return;
        isRefused.current = true;
        setError(caught);
      });
    return queue.current;
  }, []);

  const answer = useCallback(
    (task: TaskView, given: Answer) => {
      if (left.current.has(task.id)) return;
      left.current.add(task.id);
      const durationMs = Math.round(performance.now() - shownAt.current);
      shownAt.current = performance.now();
      setTasks((shown) => shown.filter(({ id }) => id !== task.id));
      if (given.kind === "answer") setAnswered((count) => count + 1);
      void send(async () => {
        try {
          await write("POST /models/:model/tasks/:id/answer", { model, id: task.id }, { ...given, durationMs });
        } catch (caught) {
          left.current.delete(task.id);
          if (given.kind === "answer") setAnswered((count) => Math.max(0, count - 1));
          // Asked again, behind the others: what is on the screen must not change under a key. A task that is closed, or somebody
          // else's by now, is gone.
          if (!isGone(caught)) setTasks((shown) => [...shown.filter(({ id }) => id !== task.id), task]);
          throw caught;
        }
      });
    },
    [model, send],
  );
  const undo = useCallback(() => {
    void send(async () => {
      const { task } = await write("POST /models/:model/tasks/undo", { model }, {});
      left.current.delete(task.id);
      setAnswered((count) => Math.max(0, count - 1));
      shownAt.current = performance.now();
      setTasks((shown) => [task, ...shown.filter(({ id }) => id !== task.id)]);
    });
  }, [model, send]);

  const isShort = tasks.length < (isBulk ? 1 : wanted);
  useEffect(() => {
    // Answers first: what they held is then free for the next.
    if (isShort) void queue.current.then(refresh);
  }, [isShort, refresh, answered]);
  return { tasks, session, error, isReading, answered, answer, undo, refresh: () => void refresh() };
}
