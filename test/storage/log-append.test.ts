import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LabelEvent, liveWorldClock, silentLogger, type SystemClock, systemClock } from "../../src/core/index.ts";
import { APPEND_LIMITS, GroupCommit } from "../../src/storage/log/append.ts";
import { StoreHealthMonitor } from "../../src/storage/store-health.ts";
import { openTestDatabase, type TestDatabase } from "../../src/testing/database.ts";

let test: TestDatabase;
beforeAll(async () => {
  test = await openTestDatabase();
});
afterAll(() => test.dispose());

/** A writer whose pauses end only by hand. */
function openWriter() {
  const wakes: (() => void)[] = [];
  const clock: SystemClock = { ...systemClock, sleep: () => new Promise((resolve) => wakes.push(resolve)) };
  const { database, directory } = test;
  const health = new StoreHealthMonitor({ database, directory, clock: systemClock, logger: silentLogger });
  const batches: number[] = [];
  const writer = new GroupCommit({
    database,
    worldClock: liveWorldClock,
    systemClock: clock,
    health,
    limits: APPEND_LIMITS,
    onCommit: ({ written }) => batches.push(written.length),
  });
  const label: LabelEvent = { kind: "label", exampleId: "e1", at: 1, value: true, labelSource: "system" };
  const append = () => writer.append({ model: "shop", events: [label] });
  return { append, batches, wakes, writer, label };
}

describe("a group commit", () => {
  it("takes what waits together, and a single caller waits for nobody", async () => {
    const { append, batches, wakes } = openWriter();
    await append();
    await append();
    await Promise.all([append(), append(), append()]);
    expect(batches).toEqual([1, 1, 3]);
    expect(wakes).toEqual([]);
  });

  it("waits for the callers it just answered, and no longer than until they are back", async () => {
    const { append, batches, wakes } = openWriter();
    await Promise.all([append(), append(), append()]);
    const two = [append(), append()];
    await expect.poll(() => wakes.length).toBe(1);
    expect(batches).toEqual([3]);
    await Promise.all([...two, append()]);
    expect(batches).toEqual([3, 3]);
  });

  it("does not wait for callers who do not come back", async () => {
    const { append, batches, wakes } = openWriter();
    await Promise.all([append(), append(), append()]);
    const one = append();
    await expect.poll(() => wakes.length).toBe(1);
    wakes[0]?.();
    await one;
    await append();
    expect(batches).toEqual([3, 1, 1]);
  });

  it("tells by one call what became of a request, also one that cannot be written", async () => {
    const { writer, label } = openWriter();
    const told: string[] = [];
    const submit = (name: string, event: LabelEvent) =>
      writer.submit(
        { model: "shop", events: [event] },
        ({ receivedAt }) => told.push(`${name} written ${typeof receivedAt}`),
        (error) => told.push(`${name} failed ${(error as { code?: string }).code}`),
      );
    submit("first", label);
    submit("timeless", { ...label, at: 0.5 });
    expect(told).toEqual(["timeless failed ROW_INVALID"]);
    submit("second", label);
    await writer.settle();
    expect(told).toEqual(["timeless failed ROW_INVALID", "first written number", "second written number"]);
  });

  it("is settled once all that waited is written, whatever comes after", async () => {
    const { append, writer } = openWriter();
    await writer.settle();
    let isWritten = false;
    const first = append().then(() => (isWritten = true));
    const settled = writer.settle();
    const second = append();
    await settled;
    expect(isWritten).toBe(true);
    await Promise.all([first, second]);
    await writer.settle();
  });
});
