/**
 * Canonical JSON: keys sorted by code unit, no spaces, -0 kept as `-0`, lone surrogates kept as escapes. One value has one
 * text, so hashes of it are stable, and reading it back gives the value bit for bit.
 */
import { fail } from "./errors.ts";

function numberText(value: number): string {
  if (!Number.isFinite(value)) {
    throw fail("NUMBER_NOT_FINITE", {
      message: `The number ${String(value)} has no JSON form.`,
      remedy: "Send null for a missing number.",
    });
  }
  return Object.is(value, -0) ? "-0" : String(value);
}

/** @throws NUMBER_NOT_FINITE for NaN and infinities; undefined fields are left out, as JSON.stringify does. */
export function canonicalJson(value: unknown): string {
  if (value === null) return "null";
  switch (typeof value) {
    case "number":
      return numberText(value);
    case "boolean":
      return value ? "true" : "false";
    case "string":
      return JSON.stringify(value);
    case "bigint":
      return JSON.stringify(value.toString());
    case "object":
      break;
    default:
      return "null";
  }
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item)).join(",")}]`;
  const record = value as Record<string, unknown>;
  const parts: string[] = [];
  for (const key of Object.keys(record).sort()) {
    const item = record[key];
    if (item !== undefined) parts.push(`${JSON.stringify(key)}:${canonicalJson(item)}`);
  }
  return `{${parts.join(",")}}`;
}
