/** How reliable the people are: agreement where two answered, quality of each against consensus and gold. */
import { plural } from "../core/index.ts";
import type { Annotation, LabelingTask, LabelValue } from "../core/index.ts";
import { cohenKappa, estimateAnnotators, fleissKappa, krippendorffAlpha } from "../stats/index.ts";
import { consensusOf } from "./consensus.ts";
import { groupedBy } from "./grouping.ts";

export interface LabelerReport {
  readonly labeler: string;
  readonly answers: number;
  readonly skips: number;
  readonly flags: number;
  readonly medianMs: number | null;
  /** Share of answers that equal what the others (or an adjudicator) settled on; null where nobody else answered. */
  readonly agreesWithConsensus: number | null;
  readonly gold: { readonly asked: number; readonly right: number };
  /** Share of right answers as estimated from everybody's (Dawid and Skene); null for regression or without overlap. */
  readonly estimatedAccuracy: number | null;
}
export interface AgreementReport {
  /** Tasks that at least two people answered. */
  readonly overlapping: number;
  /** Krippendorff's alpha over everybody. */
  readonly alpha: number | null;
  /** Cohen's kappa of the two people with the most tasks in common. */
  readonly kappa: {
    readonly value: number | null;
    readonly weighted: number | null;
    readonly between: readonly [string, string];
    readonly tasks: number;
  } | null;
  /** Fleiss' kappa over the tasks with exactly as many answers as most have. */
  readonly fleiss: { readonly value: number | null; readonly raters: number; readonly tasks: number } | null;
  readonly sentence: string;
}

/** Below this agreement more labels teach the model the confusion of the guidelines (the usual reading of kappa). */
const ENOUGH_AGREEMENT = 0.6;
/** Fewer tasks in common than this say nothing about agreement. */
const ENOUGH_TASKS = 10;

interface Table {
  readonly labelers: readonly string[];
  readonly items: readonly string[];
  /** labelers × items; class number, or null. */
  readonly ratings: (number | null)[][];
  readonly classes: readonly LabelValue[];
}

/** Answers as classes; of a regression every distinct number is one, which suits agreement and not the estimates. */
function tableOf(annotations: readonly Annotation[]): Table {
  const answers = annotations.filter((one) => one.kind === "answer" && !one.undone && one.value !== undefined);
  const labelers = [...new Set(answers.map((one) => one.labeler))].sort();
  const items = [...new Set(answers.map((one) => one.taskId))].sort();
  const classes = [...new Set(answers.map((one) => one.value as LabelValue))].sort((left, right) =>
    typeof left === "number" && typeof right === "number" ? left - right : String(left) < String(right) ? -1 : 1,
  );
  const ratings = labelers.map(() => new Array<number | null>(items.length).fill(null));
  const itemOf = new Map(items.map((id, i) => [id, i]));
  const classOf = new Map(classes.map((value, i) => [value, i]));
  for (const one of answers) {
    const row = ratings[labelers.indexOf(one.labeler)] as (number | null)[];
    row[itemOf.get(one.taskId) as number] = classOf.get(one.value as LabelValue) as number;
  }
  return { labelers, items, ratings, classes };
}

export function describeAgreement(annotations: readonly Annotation[]): AgreementReport {
  const { labelers, items, ratings, classes } = tableOf(annotations.filter((one) => one.origin !== "gold"));
  const counts = items.map((_, i) => ratings.filter((row) => row[i] !== null).length);
  const overlapping = counts.filter((count) => count > 1).length;
  const alpha = overlapping === 0 ? null : krippendorffAlpha(ratings);
  let kappa: AgreementReport["kappa"] = null;
  for (let a = 0; a < labelers.length; a++) {
    for (let b = a + 1; b < labelers.length; b++) {
      const common = items.flatMap((_, i) => {
        const pair = [ratings[a]?.[i], ratings[b]?.[i]] as const;
        return pair[0] == null || pair[1] == null ? [] : [pair as readonly [number, number]];
      });
      if (common.length === 0 || common.length <= (kappa?.tasks ?? 0)) continue;
      const [left, right] = [common.map(([one]) => one), common.map(([, one]) => one)];
      kappa = {
        value: cohenKappa(left, right),
        weighted: cohenKappa(left, right, "quadratic"),
        between: [labelers[a] as string, labelers[b] as string],
        tasks: common.length,
      };
    }
  }
  const sizes = groupedBy(
    counts.filter((count) => count > 1),
    (count) => count,
  );
  const raters = [...sizes].sort((left, right) => right[1].length - left[1].length)[0]?.[0];
  const fleiss =
    raters === undefined
      ? null
      : {
          value: fleissKappa(
            items.flatMap((_, i) =>
              counts[i] === raters ? [classes.map((__, k) => ratings.filter((row) => row[i] === k).length)] : [],
            ),
          ),
          raters,
          tasks: sizes.get(raters)?.length ?? 0,
        };
  return { overlapping, alpha, kappa, fleiss, sentence: sentenceOf(overlapping, alpha) };
}

function sentenceOf(overlapping: number, alpha: number | null): string {
  if (overlapping < ENOUGH_TASKS || alpha === null)
    return `${plural(overlapping, "task was", "tasks were")} answered by two people; agreement can be told from ${ENOUGH_TASKS} on.`;
  const shown = alpha.toFixed(2);
  if (alpha < ENOUGH_AGREEMENT)
    return `People agree too little (alpha ${shown}, below ${ENOUGH_AGREEMENT}): clear up the guidelines before labeling more.`;
  return `People agree well enough (alpha ${shown} on ${plural(overlapping, "task")}).`;
}

function medianOf(values: readonly number[]): number | null {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[sorted.length >> 1] ?? null;
}

/** @param tasks those the annotations belong to; gold ones carry the known answer */
export function describeLabelers(
  tasks: ReadonlyMap<string, LabelingTask>,
  annotations: readonly Annotation[],
): readonly LabelerReport[] {
  const standing = annotations.filter((one) => !one.undone);
  const isNumeric = standing.some((one) => typeof one.value === "number");
  const table = tableOf(standing);
  const overlaps = table.items.some((_, i) => table.ratings.filter((row) => row[i] !== null).length > 1);
  const estimate = isNumeric || !overlaps ? undefined : estimateAnnotators(table.ratings, table.classes.length);
  const byTask = groupedBy(standing, (one) => one.taskId);
  return [...groupedBy(standing, (one) => one.labeler)]
    .map(([labeler, own]): LabelerReport => {
      const answers = own.filter((one) => one.kind === "answer");
      const gold = answers.filter((one) => one.origin === "gold");
      const compared = answers.flatMap((one) => {
        const others = (byTask.get(one.taskId) ?? []).filter((other) => other.labeler !== labeler);
        const verdict = others.findLast((other) => other.kind === "adjudication")?.value;
        const settled =
          verdict ??
          consensusOf(others.flatMap((other) => (other.kind === "answer" ? [other.value as LabelValue] : [])));
        return settled === undefined || one.origin === "gold" ? [] : [consensusOf([settled, one.value as LabelValue])];
      });
      const place = table.labelers.indexOf(labeler);
      return {
        labeler,
        answers: answers.length,
        skips: own.filter((one) => one.kind === "skip").length,
        flags: own.filter((one) => one.kind === "flag").length,
        medianMs: medianOf(own.flatMap((one) => one.durationMs ?? [])),
        agreesWithConsensus:
          compared.length === 0 ? null : compared.filter((one) => one !== undefined).length / compared.length,
        gold: {
          asked: gold.length,
          right: gold.filter((one) => consensusOf([tasks.get(one.taskId)?.answer ?? "", one.value ?? ""]) !== undefined)
            .length,
        },
        estimatedAccuracy: place < 0 ? null : (estimate?.accuracy[place] ?? null),
      };
    })
    .sort((left, right) => right.answers - left.answers || (left.labeler < right.labeler ? -1 : 1));
}
