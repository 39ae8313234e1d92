import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig } from "../../src/config/index.ts";
import { DAY_MS } from "../../src/core/index.ts";
import { openTestDatabase, type TestDatabase } from "../../src/testing/database.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { labelledRows, purchases, START } from "../server/support.ts";

describe("a delivery with a row the log cannot hold", () => {
  let place: TestDatabase;
  let test: TestLoop;
  beforeAll(async () => {
    place = await openTestDatabase();
    test = await openTestLoop(defineConfig({ models: [purchases], alerts: [] }), START, { database: place });
    // A refusal of the database's own, which nothing above it can know beforehand.
    await place.database.query(
      "alter table ingest add constraint no_poison check (example_ids !~ '(^|\\n)poison($|\\n)')",
    );
  }, 60_000);
  afterAll(async () => {
    await test.dispose();
    await place.dispose();
  });

  it("stores the others, quarantines that one with the reason, and counts each once, also when sent again", async () => {
    const id = purchases.id ?? "id";
    const rows = labelledRows(4500, START - DAY_MS, 3).map((row, i) => ({
      ...row,
      [id]: i === 4321 ? "poison" : `r${i}`,
    }));
    const deliver = () =>
      test.loop.ingest({
        model: "purchases",
        form: "observation",
        origin: "http",
        idempotencyKey: "delivery-1",
        payloadHash: "the same bytes",
        rows: rows.map((row, i) => ({ rowNumber: i + 1, row })),
      });
    const result = await deliver();
    expect(result).toMatchObject({ received: 4500, accepted: 4499, quarantined: 1, labelled: 4499 });
    expect(result.problems).toMatchObject([{ rowNumber: 4322, reasons: [{ code: "ROW_INVALID" }] }]);
    expect(await deliver()).toEqual(result);
    const counts = await test.store.log.counts("purchases", {});
    expect(counts).toMatchObject({ events: { observation: 4499 }, labelled: 4499 });
    const waiting = await test.store.quarantine.list({ model: "purchases", state: "waiting", limit: 10 });
    expect(waiting).toMatchObject([{ rowNumber: 4322, reasons: [{ message: expect.stringContaining("no_poison") }] }]);
    expect(JSON.parse(waiting[0]?.raw ?? "")).toMatchObject({ [id]: "poison" });
    const [batch] = await test.store.quarantine.batches({ model: "purchases", limit: 1 });
    expect(batch).toMatchObject({ rowCount: 4500, acceptedCount: 4499, quarantinedCount: 1 });
  });
});
