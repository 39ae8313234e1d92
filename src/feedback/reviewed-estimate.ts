/**
 * How often a version was wrong, from reviews and audits together. Every uncertain answer was put before people, a confident one
 * with a small probability: an answered task stands for 1/probability answers (the Hájek form of the inverse-probability estimate,
 * J. Hájek 1971), so the flood of hard cases no longer hides the easy ones. Tasks of one probability are a stratum; those nobody
 * answered are taken to be like the answered ones of their stratum. The interval joins the strata's Wilson intervals by MOVER
 * (G. Y. Zou, A. Donner 2008), which holds where an audit found no error at all, and adds what is uncertain about the
 * strata's sizes: how many confident answers there were is known from their sample alone.
 */
import type { LabelingTask } from "../core/index.ts";
import { wilsonInterval } from "../stats/index.ts";
import { groupedBy } from "./grouping.ts";

export interface ReviewedEstimate {
  /** Share of wrong answers among all that were given; null where it cannot be told. */
  readonly value: number | null;
  /** 95 % interval. */
  readonly interval: readonly [number, number] | null;
  /** Answers the estimate stands for. */
  readonly answers: number;
  readonly reviewed: LabelledPart;
  readonly audited: LabelledPart;
  /** Why there is no value. */
  readonly reason?: string;
}
export interface LabelledPart {
  readonly asked: number;
  readonly labelled: number;
  readonly wrong: number;
}

interface Stratum extends LabelledPart {
  readonly probability: number;
}

/** @param tasks reviews and audits of one version, labelled or not; others are left out */
export function estimateFromReviews(tasks: readonly LabelingTask[]): ReviewedEstimate {
  const own = tasks.filter(
    ({ origin, decision, selectionProbability }) =>
      (origin === "review" || origin === "audit") &&
      decision !== undefined &&
      typeof decision !== "number" &&
      selectionProbability > 0,
  );
  const reviewed = partOf(own.filter(({ origin }) => origin === "review"));
  const audited = partOf(own.filter(({ origin }) => origin === "audit"));
  const strata = [...groupedBy(own, (task) => task.selectionProbability)].map(
    ([probability, part]): Stratum => ({ probability, ...partOf(part) }),
  );
  const answers = strata.reduce((sum, { asked, probability }) => sum + asked / probability, 0);
  const base = { answers: Math.round(answers), reviewed, audited };
  const reason = whyNot(strata, audited);
  if (reason !== undefined) return { value: null, interval: null, ...base, reason };
  return { ...combine(strata, answers), ...base };
}

function partOf(tasks: readonly LabelingTask[]): LabelledPart {
  const labelled = tasks.filter(({ answer }) => answer !== undefined);
  return {
    asked: tasks.length,
    labelled: labelled.length,
    wrong: labelled.filter(({ decision, answer }) => decision !== answer).length,
  };
}

function whyNot(strata: readonly Stratum[], audited: LabelledPart): string | undefined {
  if (audited.asked === 0) return "No confident answer was audited: set review.audit above 0.";
  const silent = strata.find(({ labelled }) => labelled === 0);
  if (silent === undefined) return undefined;
  const what = silent.probability < 1 ? "audits" : "reviews";
  return `None of ${silent.asked} ${what} has a label yet.`;
}

const squared = (value: number) => value * value;

function combine(strata: readonly Stratum[], answers: number): Pick<ReviewedEstimate, "value" | "interval"> {
  const rateOf = ({ wrong, labelled }: Stratum) => wrong / labelled;
  const value = strata.reduce((sum, one) => sum + (one.asked / one.probability / answers) * rateOf(one), 0);
  let below = 0;
  let above = 0;
  for (const one of strata) {
    const { probability, asked, labelled, wrong } = one;
    const weight = asked / probability / answers;
    const rate = rateOf(one);
    const [low, high] = wilsonInterval(wrong, labelled);
    // Derivative of the value by the stratum's size times the size's standard error, at the interval's 95 %.
    const size = (1.959964 * (rate - value) * Math.sqrt(asked * (1 - probability))) / (probability * answers);
    below += squared(weight * (rate - low)) + size * size;
    above += squared(weight * (high - rate)) + size * size;
  }
  return { value, interval: [Math.max(0, value - Math.sqrt(below)), Math.min(1, value + Math.sqrt(above))] };
}
