/** One version as text: what it was made from, its metrics and gate, and what it looks at. */
import { plural } from "../core/index.ts";
import type { FeatureImportance, VersionImportance, VersionRecord } from "../server/contract.ts";
import { colors, formatInstant, formatNumber, table } from "./output.ts";

/** Columns of a bar of 100 %. */
const BAR = 20;

export function versionText(version: VersionRecord, importance: VersionImportance | null, most: number): string {
  const { name, model, role, state, gate, metrics } = version;
  const lines = [
    colors.bold(`${name} of ${model}: ${role ?? state}`),
    `${version.trainer}, ${version.strategy}, ${plural(version.datasetRows, "row")}, made ${formatInstant(version.createdAt)}`,
    `live from ${formatInstant(version.promotedAt)} to ${role === "champion" ? "now" : formatInstant(version.retiredAt)}`,
  ];
  const measured = Object.entries(metrics).map(([metric, value]) => [metric, formatNumber(value)]);
  if (measured.length > 0) lines.push("", table(["metric", "on its holdout"], measured));
  const checks = gate.checks.map((check) => [check.gate, check.outcome, check.reason]);
  lines.push("", `Gate: ${gate.outcome}. ${gate.reason}`);
  if (checks.length > 0) lines.push(table(["gate", "outcome", "reason"], checks));
  lines.push("", importance === null ? "Its artifact is no longer kept." : importanceText(importance, most));
  return lines.join("\n");
}

export function importanceText({ features, outputs, reason }: VersionImportance, most: number): string {
  if (features.length === 0) return `What it looks at: ${reason ?? "nothing."}`;
  const has = (key: keyof FeatureImportance) => features.some((one) => one[key] !== undefined);
  const columns: readonly (readonly [string, (one: FeatureImportance) => string])[] = [
    ...(has("gainShare") ? [["gain", ({ gainShare }: FeatureImportance) => bar(gainShare)] as const] : []),
    ...(has("splits") ? [["splits", ({ splits }: FeatureImportance) => String(splits ?? 0)] as const] : []),
    ...(has("answerShare") ? [["change of answers", (one: FeatureImportance) => bar(one.answerShare)] as const] : []),
    ...(has("coefficients") ? [[`coefficients (${outputs.join(", ")})`, coefficientsText] as const] : []),
  ];
  const rows = features.slice(0, most).map((one) => [one.feature, ...columns.map(([, text]) => text(one))]);
  const rest = features.length - rows.length;
  const lines = ["What it looks at:", table(["feature", ...columns.map(([header]) => header)], rows)];
  if (rest > 0) lines.push(`… and ${rest} more: --features ${Math.min(500, features.length)}`);
  return lines.join("\n");
}

function bar(share: number | undefined): string {
  if (share === undefined) return "–";
  const percent = `${(share * 100).toFixed(1)} %`.padStart(7);
  return `${percent} ${"█".repeat(Math.round(share * BAR))}`;
}

/** The three largest of a feature: a category has one a value. */
function coefficientsText({ coefficients = [], columns = 0 }: FeatureImportance): string {
  const shown = coefficients
    .slice(0, 3)
    .map(({ column, values }) => `${column} ${values.map((value) => value.toFixed(3)).join("/")}`);
  if (columns > shown.length) shown.push(`… of ${columns}`);
  return shown.join(", ");
}
