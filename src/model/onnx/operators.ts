/**
 * Operators by short names, for graphs that are formulas: matrices of rows × places, where a missing number is NaN. What sums up
 * does so by CumSum, which adds from left to right as our own loops do, so that the sums have the same bits.
 */
import { ELEMENT, ML_DOMAIN } from "./graph.ts";
import type { ElementName, GraphBuilder } from "./graph.ts";

const LAST = Number.MAX_SAFE_INTEGER;

export class Operators {
  readonly graph: GraphBuilder;

  constructor(graph: GraphBuilder) {
    this.graph = graph;
  }

  /** One number that broadcasts, or a value by its name. */
  #value(value: string | number): string {
    return typeof value === "number" ? this.graph.scalar("double", value) : value;
  }

  #pair(operator: string, left: string | number, right: string | number): string {
    return this.graph.node(operator, [this.#value(left), this.#value(right)]);
  }

  add = (left: string | number, right: string | number): string => this.#pair("Add", left, right);
  sub = (left: string | number, right: string | number): string => this.#pair("Sub", left, right);
  mul = (left: string | number, right: string | number): string => this.#pair("Mul", left, right);
  div = (left: string | number, right: string | number): string => this.#pair("Div", left, right);
  less = (left: string | number, right: string | number): string => this.#pair("Less", left, right);
  equal = (left: string | number, right: string | number): string => this.#pair("Equal", left, right);
  and = (left: string, right: string): string => this.graph.node("And", [left, right]);
  or = (left: string, right: string): string => this.graph.node("Or", [left, right]);
  not = (value: string): string => this.graph.node("Not", [value]);
  isMissing = (value: string): string => this.graph.node("IsNaN", [value]);
  product = (left: string, right: string): string => this.graph.node("MatMul", [left, right]);

  /** @param otherwise and `then`: values, or doubles */
  where(condition: string, then: string | number, otherwise: string | number): string {
    return this.graph.node("Where", [condition, this.#value(then), this.#value(otherwise)]);
  }

  cast(value: string, type: ElementName): string {
    return this.graph.node("Cast", [value], { to: { int: ELEMENT[type] } });
  }

  /** A whole number that broadcasts. */
  int(value: number): string {
    return this.graph.scalar("int64", value);
  }

  ints(values: readonly number[], dims: readonly number[] = [values.length]): string {
    return this.graph.constant({ type: "int64", dims, values });
  }

  doubles(values: ArrayLike<number>, dims: readonly number[]): string {
    return this.graph.constant({ type: "double", dims, values });
  }

  concat(parts: readonly string[], axis: number): string {
    return parts.length === 1 ? (parts[0] as string) : this.graph.node("Concat", parts, { axis: { int: axis } });
  }

  gather(value: string, places: string, axis: number): string {
    return this.graph.node("Gather", [value, places], { axis: { int: axis } });
  }

  /** The place of each row: `places` has as many dimensions as `value`. */
  gatherEach(value: string, places: string, axis: number): string {
    return this.graph.node("GatherElements", [value, places], { axis: { int: axis } });
  }

  reshape(value: string, dims: readonly number[]): string {
    return this.graph.node("Reshape", [value, this.ints(dims)]);
  }

  /** Places from … to before `to` of a dimension; negative ones count from its end. */
  slice(value: string, axis: number, from: number, to = LAST): string {
    return this.graph.node("Slice", [value, this.ints([from]), this.ints([to]), this.ints([axis])]);
  }

  /** Broadcasts to the rows of `value`, and `dims` behind them. */
  expand(value: string, rowsOf: string, dims: readonly number[]): string {
    return this.graph.node("Expand", [value, this.concat([this.rows(rowsOf), this.ints(dims)], 0)]);
  }

  /** The number of rows, one place. */
  rows(value: string): string {
    return this.graph.node("Shape", [value], { start: { int: 0 }, end: { int: 1 } });
  }

  /** The number of places per row, one place. */
  places(value: string): string {
    return this.graph.node("Shape", [value], { start: { int: 1 }, end: { int: 2 } });
  }

  /** Rows × places wider to the left and right, by counts of one place each. */
  pad(value: string, left: string, right: string, filler: string): string {
    const none = this.ints([0]);
    return this.graph.node("Pad", [value, this.concat([none, left, none, right], 0), filler]);
  }

  /** Sums along an axis that stays, with one place, added from left to right. */
  sum(value: string, axis = 1): string {
    return this.slice(this.graph.node("CumSum", [value, this.int(axis)]), axis, -1);
  }

  /** A reduction along an axis that stays, with one place. */
  reduce(operator: "ReduceSum" | "ReduceMax", value: string, axis = 1): string {
    return this.graph.node(operator, [value, this.ints([axis])], { keepdims: { int: 1 } });
  }

  /** How many numbers are known along an axis, and their sum. */
  known(value: string, axis = 1): { readonly isKnown: string; readonly sum: string; readonly count: string } {
    const isKnown = this.not(this.isMissing(value));
    const sum = this.sum(this.where(isKnown, value, 0), axis);
    return { isKnown, sum, count: this.reduce("ReduceSum", this.cast(isKnown, "double"), axis) };
  }

  /** Texts to whole numbers; any other text is `otherwise`. */
  codes(texts: string, keys: readonly string[], values: readonly number[], otherwise: number): string {
    return this.graph.node(
      "LabelEncoder",
      [texts],
      {
        // The operator needs one key: this one changes nothing.
        keys_strings: { texts: keys.length === 0 ? [""] : keys },
        values_int64s: { ints: keys.length === 0 ? [otherwise] : values },
        default_int64: { int: otherwise },
      },
      { domain: ML_DOMAIN },
    );
  }
}
