/** Two windows of rows compared as wholes: what no column alone can show, such as two that no longer go together. */
import { plural } from "../../core/index.ts";
import type { DriftVerdict, MultivariateDrift } from "../../core/index.ts";
import type { Frame } from "../../data/index.ts";
import { classifyDomain, unable as noClassifier } from "./classifier.ts";
import { MULTIVARIATE_DEFAULTS, type MultivariateOptions, multivariateOptions } from "./options.ts";
import { reconstructionShift, unable as noReconstruction } from "./reconstruction.ts";
import { joinRows } from "./rows.ts";

export { MULTIVARIATE_DEFAULTS, type MultivariateOptions };

/**
 * Whether the current rows come from where the reference rows came from, judged by a domain classifier and by the reconstruction error of
 * the reference's principal components.
 * @param reference rows of the past; wide features take part as the columns that stand for them
 * @param current rows of now, with the same columns
 * @returns `drift` when either says so; `cannot-tell` with too few rows. Cost: five fits of small trees on at most 4,000 rows.
 * It misleads where rows of one entity repeat with small changes (equal rows count once): the level is then too optimistic.
 * @throws COLUMN_MISSING, CONFIG_INVALID, TRAINER_CANCELED
 */
export async function multivariateDrift(
  reference: Frame,
  current: Frame,
  given: Partial<MultivariateOptions> & { readonly signal?: AbortSignal } = {},
): Promise<MultivariateDrift> {
  const { signal = new AbortController().signal, ...rest } = given;
  const options = multivariateOptions(rest);
  const joined = joinRows(reference, current, options.maxRows);
  const sizes = { referenceRows: joined.reference, currentRows: joined.current, level: options.level };
  const fewest = Math.min(joined.reference, joined.current);
  if (fewest < options.minRows || joined.frame.columns.length === 0) {
    const side = joined.reference < options.minRows ? "reference" : "current window";
    const reason =
      joined.frame.columns.length === 0
        ? "There is no column to compare."
        : `${plural(fewest, "row is", "rows are")} in the ${side}; ${options.minRows} are needed to tell.`;
    const needed = options.minRows - joined.current;
    return {
      verdict: "cannot-tell",
      reason,
      ...sizes,
      ...(needed > 0 ? { rowsNeeded: needed } : {}),
      classifier: noClassifier(reason),
      reconstruction: noReconstruction(reason),
    };
  }
  // Two looks at one question share the level.
  const each = { ...options, level: options.level / 2 };
  const classifier = await classifyDomain(joined, each, signal);
  const reconstruction = reconstructionShift(joined, each);
  const verdict = together(classifier, reconstruction);
  const first = [classifier, reconstruction].find((one) => one.verdict === verdict) ?? classifier;
  return { verdict, reason: first.reason, ...sizes, classifier, reconstruction };
}

/** One that sees a difference is enough. One that saw something it could not be sure of leaves the question open; one without an answer does not. */
function together(
  { verdict: left, auc }: MultivariateDrift["classifier"],
  { verdict: right, value }: MultivariateDrift["reconstruction"],
): DriftVerdict {
  if (left === "drift" || right === "drift") return "drift";
  if (auc === null && value === null) return "cannot-tell";
  const isOpen = (left === "cannot-tell" && auc !== null) || (right === "cannot-tell" && value !== null);
  return isOpen ? "cannot-tell" : "no-drift";
}
