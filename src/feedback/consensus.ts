/**
 * What the answers to one task mean. Two people who agree settle it; where they differ a third is asked and two of three
 * decide; still split, or flagged, or skipped by three, it goes to an adjudicator, whose word ends it. A skip is no answer and
 * never a vote.
 */
import type { Annotation, LabelingTask, LabelValue, Settlement } from "../core/index.ts";

/** So many people who cannot tell mean that the question, not the person, is the problem. */
const SKIPS_TO_ADJUDICATE = 3;
/** Opinions before an adjudicator is asked: two of three is a majority. */
const MOST_ANSWERS = 3;
/** Numbers within this share of their middle count as the same answer. */
const NUMERIC_TOLERANCE = 0.1;

/** The settlement of a task by its standing annotations (undone ones left out), oldest first. */
export function settleTask(task: LabelingTask, annotations: readonly Annotation[]): Settlement {
  const found = outcomeOf(task, annotations);
  // A review states its decision like any label; a gold question states nothing: its answer is known.
  if (task.origin === "gold" || found.answer === task.answer) return found;
  return { ...found, label: found.answer ?? null };
}

function outcomeOf(task: LabelingTask, annotations: readonly Annotation[]): Settlement {
  if (task.origin === "gold") return { state: "open", needed: task.needed, ...answerOf(task.answer) };
  const verdict = annotations.findLast((one) => one.kind === "adjudication");
  if (verdict?.value !== undefined)
    return { state: "done", needed: task.needed, answer: verdict.value, closedBy: "adjudication" };
  const answers = annotations.flatMap((one) => (one.kind === "answer" && one.value !== undefined ? [one.value] : []));
  const skips = annotations.filter((one) => one.kind === "skip").length;
  if (annotations.some((one) => one.kind === "flag") || skips >= SKIPS_TO_ADJUDICATE)
    return { state: "adjudicate", needed: task.needed };
  const agreed = consensusOf(answers);
  const needed = agreed === undefined ? Math.max(task.needed, Math.min(MOST_ANSWERS, answers.length + 1)) : task.needed;
  if (answers.length < Math.min(task.needed, MOST_ANSWERS)) return { state: "open", needed: task.needed };
  if (agreed !== undefined) return { state: "done", needed: task.needed, answer: agreed, closedBy: "answers" };
  return { state: answers.length < needed ? "open" : "adjudicate", needed };
}

const answerOf = (answer: LabelValue | undefined) => (answer === undefined ? {} : { answer });

/** The value more than half of the answers state; of numbers the median, where all are near it. Undefined without one. */
export function consensusOf(answers: readonly LabelValue[]): LabelValue | undefined {
  if (answers.length === 0) return undefined;
  if (answers.every((one) => typeof one === "number")) return numericConsensus(answers);
  const counts = new Map<LabelValue, number>();
  for (const one of answers) counts.set(one, (counts.get(one) ?? 0) + 1);
  for (const [value, count] of counts) if (count * 2 > answers.length) return value;
  return undefined;
}

function numericConsensus(answers: readonly number[]): number | undefined {
  const sorted = [...answers].sort((left, right) => left - right);
  const half = sorted.length >> 1;
  const upper = sorted[half] as number;
  const middle = sorted.length % 2 === 1 ? upper : ((sorted[half - 1] as number) + upper) / 2;
  const spread = (sorted.at(-1) as number) - (sorted[0] as number);
  return spread <= NUMERIC_TOLERANCE * Math.abs(middle) ? middle : undefined;
}
