/** Aggregates against what a look over all events finds, and against the future. */
import { describe, expect, it } from "vitest";
import { createRandom } from "../../src/core/index.ts";
import {
  addEvent,
  AGGREGATE_FUNCTIONS,
  aggregate,
  type AggregateSpec,
  emptyHistory,
  type EntityEvent,
  limitsOf,
} from "../../src/data/index.ts";

const HOUR = 3_600_000;
const specs: readonly AggregateSpec[] = [
  ...AGGREGATE_FUNCTIONS.filter((one) => one !== "last").flatMap((compute): AggregateSpec[] => {
    const of = compute === "count" ? {} : { of: "amount" };
    return [
      { name: `${compute} 24h`, by: "card", compute, windowMs: 24 * HOUR, ...of },
      { name: `${compute} 5`, by: "card", compute, rows: 5, ...of },
    ];
  }),
  { name: "lag 1", by: "card", compute: "last", of: "amount", rows: 1 },
  { name: "lag 3", by: "card", compute: "last", of: "amount", rows: 3 },
];

/** The slow way: sort everything, filter, compute. */
function slowly(
  spec: AggregateSpec,
  events: readonly EntityEvent[],
  row: { at: number; exampleId: string },
): number | null {
  const before = events
    .filter(
      (one) => one.at < row.at && one.exampleId !== row.exampleId && one.at >= row.at - (spec.windowMs ?? Infinity),
    )
    .sort((left, right) => right.at - left.at)
    .slice(0, spec.rows ?? Infinity)
    .map((one) => (spec.of === undefined ? 1 : (one.features[spec.of] as number | null)));
  const numbers = before.filter((one) => one !== null);
  switch (spec.compute) {
    case "count":
      return before.length;
    case "distinct":
      return new Set(numbers).size;
    case "last":
      return before[(spec.rows ?? 1) - 1] ?? null;
    case "sum":
      return numbers.reduce((sum, one) => sum + one, 0);
    default:
      if (numbers.length === 0) return null;
      if (spec.compute === "mean") return numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
      return spec.compute === "min" ? Math.min(...numbers) : Math.max(...numbers);
  }
}

describe("aggregates", () => {
  it("are what a look over all earlier events finds, in any order of arrival, with events forgotten on the way", () => {
    for (const seed of [1, 2, 3]) {
      const random = createRandom(seed);
      const history = emptyHistory();
      const events: EntityEvent[] = [];
      for (let i = 0; i < 900; i++) {
        // Distinct times, mostly rising: a row may come up to three hours late.
        const at = i * HOUR * 0.2 - random.nextInt(3 * HOUR) + i;
        const amount = random.nextInt(10) === 0 ? null : random.nextInt(20);
        const event = { at, exampleId: `e${i}`, features: { amount } };
        for (const spec of specs) expect(aggregate(spec, history, event), spec.name).toBe(slowly(spec, events, event));
        addEvent(history, event, limitsOf(specs));
        if (i % 3 === 0) addEvent(history, event, limitsOf(specs));
        events.push(event);
      }
      expect(history.sequence).toBe(900);
      expect(history.events.length).toBeLessThan(500);
    }
  });

  it("see neither the row itself, nor its own instant, nor anything later", () => {
    const history = emptyHistory();
    const limits = limitsOf(specs);
    const add = (exampleId: string, at: number, amount: number) =>
      addEvent(history, { exampleId, at, features: { amount } }, limits);
    add("early", 1 * HOUR, 5);
    add("same instant", 2 * HOUR, 100);
    add("itself", 2 * HOUR - 1, 1000);
    add("planted from the future", 3 * HOUR, 1e6);
    const row = { at: 2 * HOUR, exampleId: "itself" };
    const sum = specs.find(({ name }) => name === "sum 24h") as AggregateSpec;
    expect(aggregate(sum, history, row)).toBe(5);
    expect(aggregate({ ...sum, compute: "max" }, history, row)).toBe(5);
    expect(aggregate(sum, undefined, row)).toBe(0);
    expect(aggregate({ ...sum, compute: "mean" }, undefined, row)).toBeNull();
  });
});
