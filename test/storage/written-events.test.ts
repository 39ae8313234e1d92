/** What the only writer wrote last: everything after a position without a gap, or no answer. */
import { describe, expect, it } from "vitest";
import { type AppendRequest, type ExampleEvent, LOG_START, type LogCursor } from "../../src/core/index.ts";
import { encodeRequest } from "../../src/storage/log/block.ts";
import { committedRows } from "../../src/storage/log/committed-rows.ts";
import { WrittenEvents } from "../../src/storage/log/written-events.ts";
import { label, observation, prediction, START } from "./support/events.ts";

/** A log of one sequence over all models, as the database numbers it. */
function openLog() {
  const written = new WrittenEvents();
  let seq = 0n;
  let transactionId = 100n;
  const commit = (requests: readonly AppendRequest[]) => {
    const place = { transactionId: ++transactionId, firstSeq: seq + 1n, receivedAt: START };
    for (const { events } of requests) seq += BigInt(events.length);
    const encoded = requests.map(encodeRequest);
    const bodies = encoded.map((one) => one.bodies).join("\n");
    written.note(committedRows(encoded, { place, bodies }));
    return place;
  };
  const ids = (model: string, cursor: LogCursor, limit = 100) =>
    written.after(model, cursor, { limit })?.map((event) => (event as { exampleId?: string }).exampleId);
  return { written, commit, ids };
}
const of = (model: string, ...events: ExampleEvent[]): AppendRequest => ({ model, events });

describe("events as they were written", () => {
  it("are numbered in the order of their commit, each model its own", () => {
    const { written, commit } = openLog();
    const { transactionId } = commit([
      of("a", observation("1")),
      of("b", observation("2"), label("2", true)),
      of("a", prediction("p3", "3")),
      { ...of("a", observation("4")), knownAt: [START - 7] },
    ]);
    const before = { transactionId, seq: 0n };
    expect(written.after("a", before, { limit: 9 })).toEqual([
      { ...observation("1"), transactionId, seq: 1n, receivedAt: START },
      { ...prediction("p3", "3"), transactionId, seq: 4n, receivedAt: START },
      { ...observation("4"), transactionId, seq: 5n, receivedAt: START - 7, importedAt: START },
    ]);
    expect(written.after("b", before, { limit: 9, kinds: ["label"] })?.map((event) => event.seq)).toEqual([3n]);
    expect(written.after("a", { transactionId, seq: 4n }, { limit: 9 })?.map((event) => event.seq)).toEqual([5n]);
    expect(written.after("a", before, { limit: 2 })?.map((event) => event.seq)).toEqual([1n, 4n]);
  });

  it("say nothing of a model they do not know, and of what was there before them", () => {
    const { commit, ids } = openLog();
    const { transactionId } = commit([of("a", observation("1"))]);
    expect(ids("b", LOG_START)).toBeUndefined();
    expect(ids("a", LOG_START)).toBeUndefined();
    expect(ids("a", { transactionId: transactionId - 1n, seq: 99n })).toBeUndefined();
    expect(ids("a", { transactionId, seq: 1n })).toEqual([]);
  });

  it("begin anew after a commit of unknown outcome or a deletion", () => {
    const { written, commit, ids } = openLog();
    const first = commit([of("a", observation("1"))]);
    const start = { transactionId: first.transactionId, seq: 0n };
    written.note(committedRows([encodeRequest(of("a", observation("lost?")))], undefined));
    expect(ids("a", start)).toBeUndefined();
    const second = commit([of("a", observation("2"))]);
    expect(ids("a", start)).toBeUndefined();
    expect(ids("a", { transactionId: second.transactionId, seq: 1n })).toEqual(["2"]);
    written.clear();
    expect(ids("a", { transactionId: second.transactionId, seq: 1n })).toBeUndefined();
  });

  it("let the oldest go when there are many, or they are large, and then answer only what they still hold", () => {
    const { commit, ids } = openLog();
    const places = Array.from({ length: 20_000 }, (_, i) => commit([of("a", observation(String(i)))]));
    const at = (i: number) => ({
      transactionId: (places[i] as { transactionId: bigint }).transactionId,
      seq: BigInt(i + 1),
    });
    expect(ids("a", at(0))).toBeUndefined();
    expect(ids("a", at(19_990))).toEqual([
      "19991",
      "19992",
      "19993",
      "19994",
      "19995",
      "19996",
      "19997",
      "19998",
      "19999",
    ]);
    const large = commit([of("a", observation("large", { job: "x".repeat(9_000_000) }))]);
    expect(ids("a", at(19_990))).toBeUndefined();
    expect(ids("a", { transactionId: large.transactionId, seq: large.firstSeq })).toEqual([]);
  });

  it("parse a row once for two readers that follow each other, and keep it for no third one", () => {
    const { written, commit } = openLog();
    const { transactionId } = commit([of("a", observation("1"), observation("2"), label("1", true))]);
    const before = { transactionId, seq: 0n };
    const first = written.after("a", before, { limit: 9 });
    const second = written.after("a", { transactionId, seq: 1n }, { limit: 9, kinds: ["observation"] });
    expect(second?.[0]).toBe(first?.[1]);
    const third = written.after("a", before, { limit: 9 });
    expect(third).toEqual(first);
    expect(third?.map((event, i) => event === first?.[i])).toEqual([true, false, true]);
    for (let i = 0; i < 30; i++) commit([of("a", ...Array.from({ length: 100 }, (_, k) => observation(`${i}-${k}`)))]);
    const all = written.after("a", before, { limit: 10_000 });
    const late = all?.at(-200) as LogCursor;
    expect(written.after("a", late, { limit: 10_000 })?.at(-1)).toBe(all?.at(-1));
    const again = written.after("a", before, { limit: 100 });
    expect(again).toEqual(all?.slice(0, 100));
    expect(again?.at(-1)).not.toBe(all?.[99]);
  });

  it("forget the models that wrote longest ago when all together are too large", () => {
    const { commit, ids } = openLog();
    const starts = ["a", "b", "c", "d", "e", "f"].map((model) => {
      const { transactionId, firstSeq } = commit([of(model, observation(model, { job: "x".repeat(7_000_000) }))]);
      return { model, cursor: { transactionId, seq: firstSeq - 1n } };
    });
    expect(starts.map(({ model, cursor }) => ids(model, cursor))).toEqual([
      undefined,
      undefined,
      ["c"],
      ["d"],
      ["e"],
      ["f"],
    ]);
  });
});
