/**
 * The user's half of the ranking steps (`rankedUser` of `learn/recommend/recommender.ts`) inside a graph: one turn of a Loop each,
 * items held still. Which items are drawn hangs on the newest item and on what the user has, so the generator is in the graph:
 * its state after seeding, by item, and its steps on whole numbers. The same items are drawn here and there.
 */
import { createRandom } from "../../core/index.ts";
import { RANK_STEPS, RANK_STEPS_EACH, REDRAWS } from "../../learn/recommend/recommender.ts";
import type { History, UserParts } from "./export-user.ts";
import { Operators } from "./operators.ts";

const WORD = 4_294_967_296;
/** Turns of a draw at most: a word that counts for nothing is rarer than one in two, so this is never reached. */
const MOST_WORDS = 1000;

/** @returns rows × width, float64; zeros but for the last where there is nothing to compare */
export function addRankedUser(o: Operators, parts: UserParts): string {
  const { graph } = o;
  const { shape, history } = parts;
  const width = shape.width as number;
  const items = shape.items.length;
  const owned = addOwned(o, history, items);
  const ownedCount = o.reduce("ReduceSum", o.slice(owned, 1, 0, items));
  const wanted = graph.node("Min", [o.int(RANK_STEPS), o.mul(history.count, o.int(RANK_STEPS_EACH))]);
  const steps = o.where(o.less(ownedCount, o.int(items)), wanted, o.int(0));
  const seeds = graph.constant({
    type: "int32",
    dims: [items, 4],
    values: Array.from({ length: items }, (_, i) => createRandom(i).state()).flat(),
  });
  const newest = o.reshape(ofAge(o, history, o.int(1)), [-1]);
  const state = graph.node("BitwiseAnd", [o.cast(o.gather(seeds, newest, 0), "int64"), o.int(WORD - 1)]);
  const begin = Float64Array.from({ length: width }, (_, j) => (j === width - 1 ? 1 : 0));
  const start = o.expand(o.doubles(begin, [1, width]), history.items, [width]);
  const turns = graph.node("ReduceMax", [steps], { keepdims: { int: 0 } });
  const body = { graph: turnOf(o, parts, { owned, steps }) };
  const yes = graph.constant({ type: "bool", dims: [], values: [1] });
  return graph.split("Loop", [turns, yes, start, state], { body }, 2)[0] as string;
}

/** rows × (items + 1), 1 where the user has the item. */
function addOwned(o: Operators, { isUsed, items: taken }: History, items: number): string {
  const { graph } = o;
  const places = o.where(isUsed, taken, o.int(items));
  const shape = o.concat([o.rows(places), o.ints([items + 1])], 0);
  const zero = { tensor: { type: "int64", dims: [1], values: [0] } } as const;
  const none = graph.node("ConstantOfShape", [shape], { value: zero });
  const ones = graph.node("Expand", [o.int(1), graph.node("Shape", [places])]);
  return graph.node("ScatterElements", [none, places, ones], { axis: { int: 1 } });
}

/** The used item of an age, rows × 1; 0 where there is none. */
function ofAge(o: Operators, { isUsed, age, items }: History, wanted: string): string {
  return o.reduce("ReduceSum", o.where(o.and(isUsed, o.equal(age, wanted)), items, o.int(0)));
}

/** One step of ranking, over the vectors and the generator's states; rows whose steps are done stay as they are. */
function turnOf(
  outside: Operators,
  { shape, history, factors }: UserParts,
  { owned, steps }: { readonly owned: string; readonly steps: string },
) {
  const width = shape.width as number;
  const body = outside.graph.subgraph();
  const o = new Operators(body);
  const turn = body.input(body.name(), "int64", "scalar");
  const goesOn = body.input(body.name(), "bool", "scalar");
  const vector = body.input(body.name(), "double", "open");
  const before = body.input(body.name(), "int64", "open");
  const isOn = o.less(turn, steps);
  const age = o.add(body.node("Mod", [turn, body.node("Max", [history.count, o.int(1)])]), o.int(1));
  const liked = ofAge(o, history, age);
  const { drawn, after } = addDraw(o, { isOn, before, owned, items: shape.items.length });
  const factorsOf = (place: string) => o.cast(o.gather(factors, o.reshape(place, [-1]), 0), "double");
  const difference = o.sub(factorsOf(liked), factorsOf(drawn));
  const margin = o.reduce("ReduceSum", o.mul(vector, difference));
  const e = body.node("Exp", [body.node("Neg", [body.node("Abs", [margin])])]);
  const error = o.div(o.where(o.less(margin, 0), 1, e), o.add(e, 1));
  const pull = o.sub(o.mul(error, difference), o.mul(vector, shape.rankL2 as number));
  const moved = o.add(vector, o.mul(pull, shape.learningRate as number));
  // The last number of a user multiplies the items' biases and stays 1.
  const flags = Array.from({ length: width }, (_, j) => (j === width - 1 ? 0 : 1));
  const learns = body.constant({ type: "bool", dims: [1, width], values: flags });
  const next = o.where(o.and(isOn, learns), o.cast(o.cast(moved, "float"), "double"), vector);
  body.output(body.node("Identity", [goesOn]), "bool", "scalar");
  body.output(next, "double", "open");
  body.output(after, "int64", "open");
  return body;
}

/** One item that the user has not: drawn anew while it has it, a few times. A Loop that ends when every row has its item. */
function addDraw(
  outside: Operators,
  parts: { readonly isOn: string; readonly before: string; readonly owned: string; readonly items: number },
): { readonly drawn: string; readonly after: string } {
  const { isOn, before, owned, items } = parts;
  const body = outside.graph.subgraph();
  const o = new Operators(body);
  body.input(body.name(), "int64", "scalar");
  body.input(body.name(), "bool", "scalar");
  const state = body.input(body.name(), "int64", "open");
  const drawn = body.input(body.name(), "int64", "open");
  const draws = body.input(body.name(), "int64", "open");
  const isOpen = body.input(body.name(), "bool", "open");
  const { word, next } = addWord(o, state);
  // Draws of the last, incomplete round of words would favor the first items.
  const counts = o.and(isOpen, o.less(word, o.int(WORD - (WORD % items))));
  const item = o.where(counts, body.node("Mod", [word, o.int(items)]), drawn);
  const total = o.add(draws, o.cast(counts, "int64"));
  const again = o.and(o.less(o.int(0), o.gatherEach(owned, item, 1)), o.less(total, o.int(1 + REDRAWS)));
  const stays = o.or(o.and(counts, again), o.and(isOpen, o.not(counts)));
  const some = body.node("ReduceMax", [o.cast(stays, "int64")], { keepdims: { int: 0 } });
  body.output(o.less(o.int(0), some), "bool", "scalar");
  body.output(o.where(isOpen, next, state), "int64", "open");
  body.output(item, "int64", "open");
  body.output(total, "int64", "open");
  body.output(stays, "bool", "open");
  const zeros = outside.mul(outside.cast(isOn, "int64"), outside.int(0));
  const [after, found] = outside.graph.split(
    "Loop",
    [
      outside.int(MOST_WORDS),
      outside.graph.constant({ type: "bool", dims: [], values: [1] }),
      before,
      zeros,
      zeros,
      isOn,
    ],
    { body: { graph: body } },
    4,
  ) as [string, string];
  return { drawn: found, after };
}

/** xoshiro128** (`core/random.ts`) on words kept in int64, rows × 4. */
function addWord(o: Operators, state: string): { readonly word: string; readonly next: string } {
  const { graph } = o;
  const low = (value: string) => graph.node("BitwiseAnd", [value, o.int(WORD - 1)]);
  const xor = (left: string, right: string) => graph.node("BitwiseXor", [left, right]);
  const turn = (value: string, bits: number) =>
    graph.node("BitwiseOr", [low(o.mul(value, o.int(1 << bits))), o.div(value, o.int(1 << (32 - bits)))]);
  const [a, b, c, d] = graph.split("Split", [state], { axis: { int: 1 }, num_outputs: { int: 4 } }, 4) as [
    string,
    string,
    string,
    string,
  ];
  const word = low(o.mul(turn(low(o.mul(b, o.int(5))), 7), o.int(9)));
  const third = xor(c, a);
  const fourth = xor(d, b);
  const next = [xor(a, fourth), xor(b, third), xor(third, low(o.mul(b, o.int(512)))), turn(fourth, 11)];
  return { word, next: o.concat(next, 1) };
}
