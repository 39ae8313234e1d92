/**
 * Slates for the users of the holdout, each from what was known when it began. A user is a row: the relevance of each place of
 * its slate, and how many items there were to find.
 */
import type { ModelSpec } from "../../config/spec.ts";
import type { Dataset } from "../../data/index.ts";
import type { Ranked, Recommender, Taste } from "../../learn/index.ts";
import { recommendSchemaOf, sidesOf } from "./interactions.ts";

/** What the holdout asks, in code-unit order of the users. */
export interface Questions {
  readonly users: readonly HeldUser[];
  readonly k: number;
  /** Held-out interactions that repeat an earlier one of their user, or reject their item: no slate could foresee them. */
  readonly repeated: number;
  /** Per judged row its user's place in `users` and its item. */
  readonly rows: readonly { readonly row: number; readonly user: number; readonly item: string }[];
}
export interface HeldUser {
  readonly user: string;
  /** What it took before, oldest first: item and strength. */
  readonly history: readonly (readonly [item: string, strength: number])[];
  readonly seen: ReadonlySet<string>;
  /** What it took later, for the first time. */
  readonly taken: readonly string[];
}

/**
 * @param holdout rows that judge; every other row before them is history
 * Cost O(n).
 */
export function questionsOf(spec: ModelSpec, dataset: Dataset, before: Uint32Array, holdout: Uint32Array): Questions {
  const { users, items } = sidesOf(spec, dataset);
  const nameOf = (codes: Int32Array, dictionary: readonly string[], row: number) => dictionary[codes[row] as number];
  const histories = new Map<string, [string, number][]>();
  for (const row of before) {
    const user = nameOf(users.codes, users.dictionary, row);
    const item = nameOf(items.codes, items.dictionary, row);
    if (user === undefined || item === undefined) continue;
    const own = histories.get(user) ?? [];
    histories.set(user, own);
    own.push([item, dataset.target[row] as number]);
  }
  const seen = new Map([...histories].map(([user, own]) => [user, new Set(own.map(([item]) => item))]));
  const taken = new Map<string, Map<string, number>>();
  let repeated = 0;
  for (const row of holdout) {
    const user = nameOf(users.codes, users.dictionary, row);
    const item = nameOf(items.codes, items.dictionary, row);
    if (user === undefined || item === undefined) continue;
    const own = taken.get(user) ?? new Map<string, number>();
    if (seen.get(user)?.has(item) === true || own.has(item) || !((dataset.target[row] as number) > 0)) {
      repeated++;
      continue;
    }
    own.set(item, row);
    taken.set(user, own);
  }
  const ordered = [...taken.keys()].sort((left, right) => (left < right ? -1 : 1));
  return {
    k: recommendSchemaOf(spec).k,
    repeated,
    users: ordered.map((user) => ({
      user,
      history: histories.get(user) ?? [],
      seen: seen.get(user) ?? new Set(),
      taken: [...(taken.get(user)?.keys() ?? [])],
    })),
    rows: ordered
      .flatMap((user, place) => [...(taken.get(user) ?? [])].map(([item, row]) => ({ row, user: place, item })))
      .sort((left, right) => left.row - right.row),
  };
}

export interface Slates {
  /** users × k: 1 where the place holds an item the user took later. */
  readonly relevance: Float64Array;
  /** Per user its slate, best first. */
  readonly slates: readonly (readonly Ranked[])[];
  /** Share of the trained catalog that appears. */
  readonly coverage: number;
}

/** What a session knows of a history. */
export function tasteOf(session: Recommender, history: HeldUser["history"]): Taste {
  const known = history.flatMap(([item, strength]) => {
    const index = session.indexOf(item);
    return index === undefined ? [] : [[index, strength] as const];
  });
  return { items: known.map(([index]) => index), strengths: known.map(([, strength]) => strength) };
}

export function slateOf(session: Recommender, { history, seen }: HeldUser, k: number): readonly Ranked[] {
  return session.rank({
    vector: session.userVector(tasteOf(session, history)),
    k,
    isExcluded: (index) => seen.has(session.items[index] as string),
  });
}

/** Cost: users × (fold-in + items × factors). */
export function slatesOf(session: Recommender, { users, k }: Questions): Slates {
  const relevance = new Float64Array(users.length * k);
  const shown = new Set<number>();
  const slates = users.map((user, i) => {
    const slate = slateOf(session, user, k);
    slate.forEach(({ index }, place) => {
      shown.add(index);
      if (user.taken.includes(session.items[index] as string)) relevance[i * k + place] = 1;
    });
    return slate;
  });
  return { relevance, slates, coverage: shown.size / Math.max(1, session.trainedItems) };
}

/** A champion meets items that are newer than it: they are folded in from those who took them before the holdout, as live. */
export function foldNewItems(session: Recommender, histories: readonly HeldUser["history"][]): void {
  if (!session.foldsItems) return;
  const takers = new Map<string, { vector: Float32Array; strength: number }[]>();
  for (const history of histories) {
    const fresh = history.filter(([item, strength]) => strength > 0 && session.indexOf(item) === undefined);
    const vector = fresh.length === 0 ? undefined : session.userVector(tasteOf(session, history));
    if (vector === undefined) continue;
    for (const [item, strength] of fresh) {
      const own = takers.get(item) ?? [];
      takers.set(item, own);
      own.push({ vector, strength });
    }
  }
  for (const [item, users] of takers) session.foldItem(item, users);
}
