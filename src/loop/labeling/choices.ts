/**
 * The answers a person can choose from. Where the definition leaves the classes open, they are those the live version has learned
 * and those people have given; a person may add one, or a model without labels could never get its first.
 */
import type { ModelSpec } from "../../config/spec.ts";
import type { Instant, LabelValue } from "../../core/index.ts";
import type { LoopContext } from "../context.ts";

/** Tasks whose answers are looked through: a class that none of them has is rare enough to be typed. */
const LOOKED_AT = 500;
/** How long what was read holds, in ms: another process of the server may have taken an answer of a new class. */
const KEPT_MS = 30_000;

interface Given {
  readonly values: Set<string>;
  readonly readAt: Instant;
}
const givenIn = new WeakMap<LoopContext, Map<string, Given>>();

function remembered(context: LoopContext): Map<string, Given> {
  const known = givenIn.get(context) ?? new Map<string, Given>();
  givenIn.set(context, known);
  return known;
}

/** Whether an answer may be a class that nobody has named yet. */
export const areChoicesOpen = ({ schema: { task, label } }: ModelSpec): boolean =>
  task === "multiclass" && label.kind === "category" && label.categories === undefined;

/** Null for numbers. Reads the store at most once in half a minute, and never where the definition lists the classes. */
export async function choicesOf(context: LoopContext, spec: ModelSpec): Promise<readonly LabelValue[] | null> {
  const { task, label } = spec.schema;
  if (task === "regression") return null;
  if (task === "binary") return [false, true];
  if (label.kind === "category" && label.categories !== undefined) return label.categories;
  const learned = (context.live.champion(spec.name)?.model.classes ?? []).map(String);
  return [...new Set([...learned, ...(await givenAnswers(context, spec.name))])].sort();
}

async function givenAnswers(context: LoopContext, model: string): Promise<ReadonlySet<string>> {
  const known = remembered(context);
  const now = context.systemClock.now();
  const before = known.get(model);
  if (before !== undefined && now - before.readAt < KEPT_MS) return before.values;
  const tasks = await context.store.labeling.tasks({ model, state: "done", limit: LOOKED_AT });
  const values = new Set(tasks.flatMap(({ answer }) => (typeof answer === "string" ? [answer] : [])));
  known.set(model, { values, readAt: now });
  return values;
}

/** A class that was just given is offered to the next person at once. */
export function rememberAnswer(context: LoopContext, model: string, value: LabelValue | undefined): void {
  if (typeof value === "string") remembered(context).get(model)?.values.add(value);
}
