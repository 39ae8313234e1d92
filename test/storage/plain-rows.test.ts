/** Rows whose columns DuckDB makes: cell by cell what `columns.ts` makes of them. */
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EventKind, ExampleEvent, LogSchema } from "../../src/core/index.ts";
import { blocksOf, encodeRequest, rowsOf, type TailBlock } from "../../src/storage/log/block.ts";
import { layoutOf } from "../../src/storage/log/columns.ts";
import { KINDS } from "../../src/storage/log/encode.ts";
import { rowSelects } from "../../src/storage/log/plain-rows.ts";
import { SegmentLoader } from "../../src/storage/log/segment-load.ts";
import { SegmentTable } from "../../src/storage/log/segment-write.ts";
import { anyEvent } from "./support/arbitrary-events.ts";
import { label, logSchema, observation, prediction } from "./support/events.ts";

const TASKS: readonly LogSchema["task"][] = ["binary", "multiclass", "regression"];

function blocksFrom(events: readonly ExampleEvent[], knownAt?: readonly number[]): TailBlock[] {
  const encoded = encodeRequest({ model: "m", events, ...(knownAt === undefined ? {} : { knownAt }) });
  return blocksOf([encoded]).map(({ offset, rows, parts }) => ({
    transactionId: 7n,
    lastSeq: BigInt(1_048_576 + offset + rows - 1),
    rows,
    receivedAt: 1_714_521_600_000,
    kinds: parts.map(({ kinds }) => kinds).join(""),
    knownAt: parts.map((part) => part.knownAt).join(",") || null,
    ats: parts.map(({ ats }) => ats).join(","),
    exampleIds: parts.map(({ exampleIds }) => exampleIds).join("\n"),
    predictionIds: parts.map(({ predictionIds }) => predictionIds).join("\n"),
    bodies: parts.map(({ bodies }) => bodies).join("\n"),
  }));
}

describe("rows that are brought into columns by DuckDB", () => {
  let connection: DuckDBConnection;
  beforeAll(async () => {
    connection = await (await DuckDBInstance.create(":memory:")).connect();
  });
  afterAll(() => connection?.closeSync());

  const cells = async (table: string) => {
    const reader = await connection.runAndReadAll(`select columns(*)::varchar from ${table} order by seq`);
    return reader.getRowsJson();
  };

  const expectSame = async (schema: LogSchema | undefined, blocks: readonly TailBlock[]) => {
    const loader = new SegmentLoader(connection, schema);
    const own = new Map<EventKind, SegmentTable>();
    try {
      for (const block of blocks) await loader.add(block);
      await loader.load();
      for (const row of blocks.flatMap(rowsOf)) {
        const kind = KINDS[row.kind] as EventKind;
        let table = own.get(kind);
        if (table === undefined) {
          table = new SegmentTable(connection, layoutOf(kind, schema), `own_${kind}`);
          await table.create();
          own.set(kind, table);
        }
        table.add(row);
      }
      expect(loader.tables.map(({ layout }) => layout.kind).sort()).toEqual([...own.keys()].sort());
      for (const table of loader.tables) {
        table.finish();
        own.get(table.layout.kind)?.finish();
        expect(await cells(table.table)).toEqual(await cells(`own_${table.layout.kind}`));
      }
    } finally {
      await loader.drop();
      for (const table of own.values()) await table.drop();
    }
  };

  it("have the cells that the other way gives them, whatever they hold", async () => {
    const schemaOf = (task: LogSchema["task"]) => ({ ...(logSchema("m") as LogSchema), task });
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyEvent, { minLength: 1, maxLength: 300 }),
        fc.constantFrom(...TASKS),
        fc.boolean(),
        async (events, task, isImported) => {
          const knownAt = isImported ? events.map((_, i) => 1_000_000_000_000 + i) : undefined;
          await expectSame(schemaOf(task), blocksFrom(events, knownAt));
        },
      ),
      { numRuns: 40, seed: 5 },
    );
  });

  it("have them under any names of features, and without any feature", async () => {
    const names = ['say "so"', "back\\slash", "größe", "x.y*(z)", "tab\t", "日本", "'", "order", "a b", "kind"];
    const schema: LogSchema = {
      model: "m",
      task: "regression",
      columns: names.map((name, i) => ({ name, type: i % 2 === 0 ? "number" : "category" })),
    };
    const features = Object.fromEntries(names.map((name, i) => [name, i % 2 === 0 ? 1.5 * i : `v${i}`]));
    const row = (id: string): ExampleEvent => ({ kind: "observation", exampleId: id, at: 5, features, label: 2 });
    await expectSame(schema, blocksFrom([row("a"), row("b")]));
    const bare: ExampleEvent = { kind: "observation", exampleId: "c", at: 5, features: {}, label: 2 };
    await expectSame({ ...schema, columns: [] }, blocksFrom([bare, row("d")]));
    const unnamed = { ...schema, columns: [{ name: "", type: "number" as const }] };
    await expectSame(unnamed, blocksFrom([{ ...bare, features: { "": 3 } }]));
    await expectSame(undefined, blocksFrom([row("e")]));
  });

  it("are all of the ordinary ones, and none whose text or shape is not plain", async () => {
    const schema = logSchema("m") as LogSchema;
    const events: ExampleEvent[] = [
      observation("a"),
      observation("b", { age: null, job: "é" }, { label: true, unit: "u" }),
      prediction("p", "a"),
      prediction("q", "b", { age: -1.5e-7 }, { variant: "champion" }),
      label("a", true),
      label("a", null),
      observation("c", { job: 'say "so"' }),
      observation("d", { age: "old" }),
      observation("e", { more: 1 }),
      observation("f", { age: -0 }),
      prediction("r", "c", {}, { scores: [] }),
      label("\n", true),
    ];
    const loader = new SegmentLoader(connection, schema);
    try {
      for (const block of blocksFrom(events)) await loader.add(block);
      await loader.load();
      const plain: Record<string, number> = {};
      for (const kind of ["observation", "prediction", "label"] as const) {
        const select = rowSelects(layoutOf(kind, schema)).plain?.("compact_blocks") ?? "";
        const reader = await connection.runAndReadAll(`select count(*)::integer from (${select})`);
        plain[kind] = reader.getRows()[0]?.[0] as number;
      }
      expect(plain).toEqual({ observation: 2, prediction: 2, label: 2 });
    } finally {
      await loader.drop();
    }
  });
});
