/** The calendar of exported forecasters against the one of JavaScript's dates. */
import { describe, expect, it } from "vitest";
import { CALENDAR_COLUMNS, FREQUENCIES, periodOf, periodStart, writeCalendar } from "../../../src/data/calendar.ts";
import { addCalendar } from "../../../src/model/onnx/export-calendar.ts";
import { GraphBuilder } from "../../../src/model/onnx/graph.ts";
import { Operators } from "../../../src/model/onnx/operators.ts";
import { loadRuntime } from "../../../src/model/onnx/runtime.ts";

const HORIZON = 3;

describe("the calendar of a graph", () => {
  it.each(FREQUENCIES)("says of %s periods from 1896 to 2105 what dates say", async (frequency) => {
    const graph = new GraphBuilder();
    const origin = graph.input("origin", "int64");
    const columns = addCalendar(new Operators(graph), { origin, frequency, horizon: HORIZON });
    graph.node("Identity", [columns], {}, { output: "columns" });
    graph.output("columns", "double", [HORIZON, CALENDAR_COLUMNS[frequency].length]);
    const { Tensor, InferenceSession } = await loadRuntime();
    const session = await InferenceSession.create(graph.encode({ name: "g", producer: "test", notes: {} }), {});
    const first = periodOf(Date.UTC(1896, 0, 1), frequency);
    const count = periodOf(Date.UTC(2105, 0, 1), frequency) - first;
    // The last instant of a period is as good as its first.
    const instants = Array.from({ length: count }, (_, i) =>
      i % 2 === 0 ? periodStart(first + i, frequency) : periodStart(first + i + 1, frequency) - 1,
    );
    const feeds = { origin: new Tensor("int64", BigInt64Array.from(instants, BigInt), [count, 1]) };
    const answer = await session.run(feeds, undefined as never);
    const width = CALENDAR_COLUMNS[frequency].length;
    const expected = new Float32Array(count * HORIZON * width);
    for (let i = 0; i < count * HORIZON; i++)
      writeCalendar(first + Math.floor(i / HORIZON) + 1 + (i % HORIZON), frequency, expected, i * width);
    const said = answer["columns"]?.data as Float64Array;
    expect(said.length).toBe(expected.length);
    expect(expected.findIndex((value, i) => said[i] !== value)).toBe(-1);
  });
});
