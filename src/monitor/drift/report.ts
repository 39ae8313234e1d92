/**
 * All features of two windows, and the whole. False alarms are bounded twice: p-values are adjusted over the features
 * (Benjamini-Hochberg), and each noise floor lies so high that all of them together are exceeded by chance with the probability
 * `level` only.
 */
import { plural } from "../../core/index.ts";
import type { DriftComponent, DriftFinding, DriftReport, DriftVerdict, FeatureDrift } from "../../core/index.ts";
import type { FeatureProfile, Profile, ReferenceProfile } from "../../data/index.ts";
import { adjustPValues } from "../../stats/index.ts";
import { isBetween, type Measured, measureFeature } from "./feature.ts";
import { type DriftOptions, driftOptions, IMPORTANT_SHARE } from "./options.ts";

const COMPONENTS = 3;

/**
 * Compares the current window with the reference. Both must be over the grid of the reference.
 * @param given options; `share` defaults to 0.1 where the importance of features is known, else to any drifted feature
 * Cost O(cells): some microseconds a feature, whatever the number of rows.
 */
export function compareProfiles(
  reference: ReferenceProfile,
  current: Profile,
  given: Partial<DriftOptions> = {},
): DriftReport {
  const importance = reference.importance;
  const options = driftOptions({ share: importance === undefined ? 0 : IMPORTANT_SHARE, ...given });
  const tail = options.level / Math.max(1, reference.grid.length * COMPONENTS);
  const measured = reference.grid.map((grid, i) =>
    measureFeature(
      {
        grid,
        reference: reference.reference.features[i] as FeatureProfile,
        current: current.features[i] as FeatureProfile,
        rareCount: reference.rare[grid.name]?.length ?? 0,
      },
      options,
      tail,
    ),
  );
  const adjusted = adjustPValues(measured.map((one) => one.p ?? 1));
  const features = measured
    .map((one, i) => judged(one, adjusted[i] as number, { options, importance: importance?.[one.of ?? one.feature] }))
    .sort((a, b) => (b.ratio ?? -1) - (a.ratio ?? -1) || (a.feature < b.feature ? -1 : 1));
  const whole = judgeWhole(features, options);
  return {
    ...whole,
    ...(current.rows === 0 && features.length > 0 ? { reason: "No row arrived in the window." } : {}),
    shareThreshold: options.share,
    referenceRows: reference.reference.rows,
    currentRows: current.rows,
    level: options.level,
    features,
  };
}

const isUnsure = ({ components }: Measured) => components.some(isBetween);

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

function judged(
  one: Measured,
  pAdjusted: number,
  { options, importance }: { readonly options: DriftOptions; readonly importance: number | undefined },
): FeatureDrift {
  const isSignificant = pAdjusted <= options.level;
  const isBeyond = (one.ratio ?? 0) > 1;
  const tooFew = one.components.length === 0;
  const unsure = isUnsure(one) || one.rowsNeeded !== undefined || one.sparse !== undefined;
  const verdict: DriftVerdict =
    isBeyond && isSignificant ? "drift" : tooFew || unsure || isBeyond ? "cannot-tell" : "no-drift";
  const { rowsNeeded, sparse: _sparse, ...rest } = one;
  return {
    ...rest,
    verdict,
    reason: reasonOf(one, verdict, options),
    ...(importance === undefined ? {} : { importance }),
    pAdjusted: one.p === null ? null : pAdjusted,
    ...(verdict === "cannot-tell" && rowsNeeded !== undefined ? { rowsNeeded } : {}),
  };
}

function reasonOf(one: Measured, verdict: DriftVerdict, options: DriftOptions): string {
  const { feature, value, threshold, statistic } = one;
  if (value === null || threshold === null) {
    const side = one.referenceRows < options.minRows ? "reference" : "current window";
    const rows = side === "reference" ? one.referenceRows : one.currentRows;
    return `"${feature}" has ${plural(rows, "row")} in the ${side}; ${options.minRows} are needed to tell.`;
  }
  if (verdict === "cannot-tell" && one.sparse !== undefined && !isUnsure(one)) {
    const { side, values } = one.sparse;
    return `"${feature}" has a value in only ${plural(values, "row")} of the ${side}; ${options.minRows} are needed to tell.`;
  }
  if (verdict === "cannot-tell") {
    const needed =
      one.rowsNeeded === undefined ? "more rows are" : plural(one.rowsNeeded, "more row is", "more rows are");
    return `"${feature}" may have moved, but chance alone can do as much with ${plural(one.currentRows, "row")}; ${needed} needed.`;
  }
  const moved = verdict === "drift" ? "exceeds" : "is within";
  const used = one.components.find((component) => component.statistic === statistic)?.thresholdFrom ?? "";
  // 0.1004 must not read as "0.100 exceeds 0.100".
  const digits = value.toPrecision(3) === threshold.toPrecision(3) ? 5 : 3;
  const limit = `${statistic === "psi" ? threshold.toPrecision(digits) : percent(threshold)} (${used})`;
  if (statistic === "psi") return `The PSI of "${feature}", ${value.toPrecision(digits)}, ${moved} ${limit}.`;
  if (statistic === "unseenRate")
    return `${percent(value)} of "${feature}" are values the reference never had; that ${moved} ${limit}.`;
  return `"${feature}" is missing in ${percent(one.missing.current)} of the rows, ${percent(one.missing.reference)} in the reference; the change ${moved} ${limit}.`;
}

/** The parts of a wide feature carry its weight together, and it moved when one of them did. */
function wholeFeatures(features: readonly FeatureDrift[]): readonly Pick<FeatureDrift, "verdict" | "importance">[] {
  const parts = new Map<string, Pick<FeatureDrift, "verdict" | "importance">>();
  const single = features.filter((feature) => feature.of === undefined);
  for (const one of features) {
    if (one.of === undefined) continue;
    const known = parts.get(one.of);
    const isWorse =
      known === undefined || one.verdict === "drift" || (one.verdict === "cannot-tell" && known.verdict === "no-drift");
    if (isWorse) parts.set(one.of, one);
  }
  return [...single, ...parts.values()];
}

type Whole = Pick<DriftReport, "verdict" | "reason" | "share" | "rowsNeeded">;

function judgeWhole(features: readonly FeatureDrift[], options: DriftOptions): Whole {
  if (features.length === 0) {
    return { verdict: "cannot-tell", share: null, reason: "There is no feature to compare." };
  }
  const drifted = features.filter((feature) => feature.verdict === "drift");
  const unknown = features.filter((feature) => feature.verdict === "cannot-tell");
  const wholes = wholeFeatures(features);
  const weigh = (verdict: DriftVerdict) =>
    wholes
      .filter((one) => one.verdict === verdict)
      .reduce((sum, one) => sum + (one.importance ?? 1 / wholes.length), 0);
  const share = Math.min(1, weigh("drift"));
  const isWeighted = features.some((feature) => feature.importance !== undefined);
  const named = drifted.slice(0, 3).map((feature) => feature.feature);
  const list = `${named.join(", ")}${drifted.length > named.length ? ` and ${drifted.length - named.length} more` : ""}`;
  const part = isWeighted ? `; they carry ${percent(share)} of the answers` : "";
  if (drifted.length > 0 && share >= options.share) {
    return {
      verdict: "drift",
      share,
      reason: `${drifted.length} of ${plural(features.length, "feature")} moved: ${list}${part}.`,
    };
  }
  const reachable = unknown.length > 0 && share + weigh("cannot-tell") >= options.share;
  if (unknown.length === features.length || reachable) {
    const needed = Math.max(0, ...unknown.map((feature) => feature.rowsNeeded ?? 0));
    const rows = needed > 0 ? { rowsNeeded: needed } : {};
    const share_ = unknown.length === features.length ? null : share;
    return { verdict: "cannot-tell", share: share_, ...rows, reason: doubtOf(features, unknown, options) };
  }
  if (drifted.length === 0)
    return {
      verdict: "no-drift",
      share,
      reason: `None of ${plural(features.length, "feature")} moved by more than it should.`,
    };
  return {
    verdict: "no-drift",
    share,
    reason: `${drifted.length} of ${plural(features.length, "feature")} moved (${list}), but they carry only ${percent(share)} of the answers; ${percent(options.share)} is the threshold.`,
  };
}

/** One reason for all where no feature has the rows; else that of the first. */
function doubtOf(
  features: readonly FeatureDrift[],
  unknown: readonly FeatureDrift[],
  { minRows }: DriftOptions,
): string {
  const first = unknown[0] as FeatureDrift;
  for (const [side, rows] of [
    ["reference", Math.max(...features.map((one) => one.referenceRows))],
    ["current window", Math.max(...features.map((one) => one.currentRows))],
  ] as const) {
    if (rows < minRows) return `The ${side} has ${plural(rows, "row")}; ${minRows} are needed to tell.`;
  }
  return first.reason;
}

const originOf = (component: DriftComponent | undefined) =>
  component === undefined ? {} : { thresholdFrom: component.thresholdFrom };

/** The features of a report as a signal keeps them. */
export function findingsOf(report: DriftReport): DriftFinding[] {
  return report.features.map(({ feature, verdict, statistic, value, threshold, ratio, importance, components }) => ({
    feature,
    verdict,
    statistic,
    value,
    threshold,
    ...originOf(components.find((one) => one.statistic === statistic)),
    ratio,
    ...(importance === undefined ? {} : { importance }),
  }));
}
