/** What every user took, and the slates it was shown, out of the log: a fold like any other, followed from its cursor. */
import type { ModelSpec } from "../config/spec.ts";
import type { Instant, LabelValue, LoggedEvent } from "../core/index.ts";
import type { RecommendSchema } from "../data/index.ts";
import type { LoopContext } from "./context.ts";
import type { StateReducer } from "./entity-state.ts";

export interface Taken {
  /** Sum of the strengths of all interactions with the item; 0 or less: seen, not liked. */
  strength: number;
  /** The first of them. */
  firstAt: Instant;
}
export interface ShownSlate {
  readonly version: string;
  readonly at: Instant;
  readonly items: readonly string[];
}
export interface UserState {
  /** By item, in the order they were first told of. */
  readonly taken: Map<string, Taken>;
  /** The newest slates, newest last. */
  readonly slates: ShownSlate[];
}
export interface ItemState {
  /** Who took it lately, newest last. */
  readonly takers: string[];
}
export interface InteractionState {
  readonly users: Map<string, UserState>;
  readonly items: Map<string, ItemState>;
  /** Interactions by example, so that a restated or labelled one replaces what it said before. */
  readonly examples: Map<string, Interaction>;
  /** The item of each interaction read so far: their number is the sequence that predictions carry. */
  readonly changes: string[];
}
interface Interaction {
  readonly user: string;
  readonly item: string;
  readonly strength: number;
}

/** Users a new item is folded in from: more say the same. */
const KEPT_TAKERS = 256;
/** Slates that may still be judged: one request after the other makes the older ones stale. */
const KEPT_SLATES = 5;
/** Interactions whose restatement replaces them; older ones add up. */
const REMEMBERED_EXAMPLES = 200_000;

export function interactionState(context: LoopContext, spec: ModelSpec): Promise<InteractionState> {
  const recommend = spec.schema.recommend as RecommendSchema;
  const { user, item } = recommend;
  return context.states.current(spec.name, JSON.stringify({ user, item }), () => interactionReducer(recommend));
}

/** The strength an interaction has: its label, 1 where it has none. */
export function strengthOf(label: LabelValue | null | undefined): number {
  return typeof label === "number" ? label : 1;
}

export function userOf(state: InteractionState, user: string): UserState | undefined {
  return state.users.get(user);
}

function interactionReducer({ user: userColumn, item: itemColumn }: RecommendSchema): StateReducer<InteractionState> {
  return {
    create: () => ({ users: new Map(), items: new Map(), examples: new Map(), changes: [] }),
    apply(state, event: LoggedEvent) {
      if (event.kind === "observation") {
        const user = event.features[userColumn];
        const item = event.features[itemColumn];
        if (typeof user !== "string" || typeof item !== "string") return;
        take(state, event.exampleId, { user, item, strength: strengthOf(event.label) }, event.at);
      } else if (event.kind === "label" && event.exampleId !== undefined) {
        const before = state.examples.get(event.exampleId);
        // A retracted label leaves the interaction, which says as much as one without a label.
        if (before !== undefined)
          take(state, event.exampleId, { ...before, strength: strengthOf(event.value) }, event.at);
      } else if (event.kind === "prediction" && event.slate !== undefined && event.origin === "live") {
        const user = event.features[userColumn];
        if (typeof user !== "string") return;
        const { slates } = ensureUser(state, user);
        slates.push({ version: event.version, at: event.at, items: event.slate });
        if (slates.length > KEPT_SLATES) slates.shift();
      }
    },
  };
}

function ensureUser(state: InteractionState, user: string): UserState {
  const known = state.users.get(user);
  if (known !== undefined) return known;
  const fresh: UserState = { taken: new Map(), slates: [] };
  state.users.set(user, fresh);
  return fresh;
}

function take(state: InteractionState, exampleId: string, said: Interaction, at: Instant): void {
  state.changes.push(said.item);
  const before = state.examples.get(exampleId);
  if (before !== undefined) {
    const earlier = state.users.get(before.user)?.taken.get(before.item);
    if (earlier !== undefined) earlier.strength -= before.strength;
  }
  state.examples.set(exampleId, said);
  if (state.examples.size > REMEMBERED_EXAMPLES) state.examples.delete(state.examples.keys().next().value as string);
  const { taken } = ensureUser(state, said.user);
  const own = taken.get(said.item);
  if (own === undefined) taken.set(said.item, { strength: said.strength, firstAt: at });
  else {
    own.strength += said.strength;
    if (before === undefined) own.firstAt = Math.min(own.firstAt, at);
  }
  const item = state.items.get(said.item) ?? { takers: [] };
  state.items.set(said.item, item);
  if (!item.takers.includes(said.user)) item.takers.push(said.user);
  if (item.takers.length > KEPT_TAKERS) item.takers.shift();
}
