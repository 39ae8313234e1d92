/** `ifMissingAfter` of a label: `{ "30d": false }`, a duration and the answer that silence for so long stands for. */
import { type Field, parseDuration, refuse } from "../core/index.ts";
import type { SilenceRule } from "../data/index.ts";

type Kind = "boolean" | "string" | "number";
const WORDS: Readonly<Record<Kind, string>> = { boolean: "true or false", string: "a category", number: "a number" };
const EXAMPLES: Readonly<Record<Kind, string>> = {
  boolean: '{ "30d": false }',
  string: '{ "30d": "none" }',
  number: '{ "30d": 0 }',
};

/** @returns undefined where the key is absent: then silence means unknown. */
export function silenceField(kind: Kind): Field<SilenceRule | undefined> {
  const info = {
    rule: `one duration with ${WORDS[kind]}, such as ${EXAMPLES[kind]}`,
    description: "What an example is labelled with when no answer came for so long.",
  };
  return {
    info,
    read(value, place) {
      if (value === undefined) return undefined;
      const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
      const [after, answer] = entries[0] ?? ["", undefined];
      const isAnswer = typeof answer === kind && (kind !== "number" || Number.isFinite(answer));
      const afterMs = entries.length === 1 ? durationOf(after) : undefined;
      if (!isAnswer || afterMs === undefined || afterMs === 0) throw refuse(place, value, info);
      return { afterMs, value: answer as SilenceRule["value"] };
    },
  };
}

function durationOf(text: string): number | undefined {
  try {
    return parseDuration(text);
  } catch {
    return undefined;
  }
}
