/** A label as people type it, or as a spreadsheet writes it, read by what the model predicts; and a feature as they read it. */
import type { RetrainClient } from "../client/index.ts";
import type { FeatureValue, LabelValue } from "../core/index.ts";

export type ReadLabel = (text: string) => LabelValue;

/** A class in quotes, for one that reads like something else. */
function unquoted(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "string" ? value : text;
  } catch {
    return text;
  }
}

/**
 * What does not fit stays a text: the server refuses it with the reason.
 * @param kind of the model's label. Spreadsheets write `TRUE`; a class named "3" is no number.
 * @param truths the texts its CSV files have for false and true, which are what its people know
 */
export function labelReader(kind: string | undefined, truths: readonly unknown[] = []): ReadLabel {
  if (kind === "category") return unquoted;
  const readsTruth = kind !== "number";
  const readsNumber = kind !== "boolean";
  return (text) => {
    const trimmed = text.trim();
    if (kind === "boolean" && truths.includes(trimmed)) return trimmed === truths[1];
    if (readsTruth && /^(true|false)$/i.test(trimmed)) return trimmed.toLowerCase() === "true";
    if (readsNumber && trimmed !== "" && Number.isFinite(Number(trimmed))) return Number(trimmed);
    return unquoted(text);
  };
}

/** Asks the server what the model predicts. A token that may only send labels is not told: then the text alone decides. */
export async function labelReaderOf(client: RetrainClient, model: string): Promise<ReadLabel> {
  const detail = await client.model(model).catch(() => undefined);
  const { kind, texts } = detail?.description.label ?? {};
  return labelReader(typeof kind === "string" ? kind : undefined, Array.isArray(texts) ? texts : []);
}

/** Whether it is a picture or a vector in its stored form, which nobody reads. */
export const isPacked = (value: FeatureValue): boolean => typeof value === "string" && /^(px8|f32):/.test(value);

export function featureText(value: FeatureValue): string | null {
  if (!isPacked(value)) return value === null ? null : String(value);
  return String(value).startsWith("px8:") ? "(a picture: see the labeling page)" : "(a vector)";
}
