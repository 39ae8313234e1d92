/**
 * Which of several statements about one example is its label. The strongest source speaks (system, expert, user, rule); within a
 * source the last word counts, in the order in which we heard it; a `null` takes back what the source said before, so the next
 * weaker source speaks. The dataset query in storage follows the same rule, down to the tie-break by `seq`.
 */
import { LABEL_PRECEDENCE } from "../core/index.ts";
import type { LabelEvent, LabelValue, LoggedEvent } from "../core/index.ts";

/** True when `one` was heard after `other`: by receipt, then by its number in the log. */
function isLater(one: LoggedEvent<LabelEvent>, other: LoggedEvent<LabelEvent>): boolean {
  if (one.receivedAt !== other.receivedAt) return one.receivedAt > other.receivedAt;
  return one.seq > other.seq;
}

/**
 * @param labels statements about one example, in any order, already filtered to what was known as of an instant
 * @returns the statement that counts, its value never null; undefined when there is none
 */
export function effectiveLabel(
  labels: readonly LoggedEvent<LabelEvent>[],
): (LoggedEvent<LabelEvent> & { readonly value: LabelValue }) | undefined {
  for (const source of LABEL_PRECEDENCE) {
    let last: LoggedEvent<LabelEvent> | undefined;
    for (const label of labels) {
      if (label.labelSource === source && (last === undefined || isLater(label, last))) last = label;
    }
    if (last !== undefined && last.value !== null) return { ...last, value: last.value };
  }
  return undefined;
}
