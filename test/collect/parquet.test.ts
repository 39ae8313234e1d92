import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, describe, expect, it } from "vitest";
import { readFileRows, readRows, type RowReading } from "../../src/collect/index.ts";

const folder = mkdtempSync(join(tmpdir(), "parquet-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function write(name: string, select: string): Promise<string> {
  const path = join(folder, name);
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run(`copy (${select}) to '${path}' (format parquet)`);
  connection.closeSync();
  instance.closeSync();
  return path;
}
async function collect(readings: Iterable<RowReading> | AsyncIterable<RowReading>) {
  const all: RowReading[] = [];
  for await (const reading of readings) all.push(reading);
  return all;
}

describe("Parquet", () => {
  it("gives typed values as JSON would hold them, and never rounds a whole number", async () => {
    const path = await write(
      "types.parquet",
      `select 1::bigint as small, 9007199254740993::bigint as large, 1.5::float as f, 2.25::decimal(9,2) as d, true as b,
        'é' as s, null::int as missing, date '2026-03-01' as day, timestamp '2026-03-01 09:30:00.123456' as ts,
        timestamptz '2026-03-01 09:30:00+02' as tz, 'NaN'::double as nan, [1, 2] as list`,
    );
    const [reading] = await collect(readFileRows(path));
    expect(reading).toMatchObject({
      rowNumber: 1,
      row: {
        small: 1,
        large: "9007199254740993",
        f: 1.5,
        d: 2.25,
        b: true,
        s: "é",
        missing: null,
        day: "2026-03-01",
        ts: Date.UTC(2026, 2, 1, 9, 30, 0, 123),
        tz: Date.UTC(2026, 2, 1, 7, 30),
        nan: Number.NaN,
      },
    });
  });

  it("reads the same rows from bytes as from the file, chunk by chunk", async () => {
    const path = await write("many.parquet", "select i as id, i % 7 as k from range(5000) t(i)");
    const fromFile = await collect(readFileRows(path));
    expect(fromFile).toHaveLength(5000);
    expect(fromFile[4999]).toEqual({ rowNumber: 5000, row: { id: 4999, k: 4999 % 7 } });
    expect(await collect(readRows("parquet", readFileSync(path)))).toEqual(fromFile);
  });

  it("stops early without leaving anything open", async () => {
    const path = await write("early.parquet", "select i from range(100000) t(i)");
    for await (const reading of readFileRows(path)) if (reading.rowNumber === 3) break;
    expect(await collect(readFileRows(await write("next.parquet", "select 1 as a")))).toHaveLength(1);
  });

  it("refuses what is no Parquet file", async () => {
    const path = join(folder, "no.parquet");
    writeFileSync(path, "nonsense");
    await expect(collect(readFileRows(path))).rejects.toMatchObject({ code: "FILE_INVALID" });
    await expect(collect(readRows("parquet", Buffer.from("PAR1")))).rejects.toMatchObject({ code: "FILE_INVALID" });
  });
});
