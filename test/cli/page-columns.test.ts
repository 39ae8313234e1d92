// Number columns counted from Parquet pages, against the counts of frames that DuckDB reads from the same files.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { describeFile, type FileColumns, withDuckDb } from "../../src/cli/column-file.ts";
import { PROFILE_KERNEL_VERSION } from "../../src/cli/counting/kernels.ts";
import { countPages } from "../../src/cli/counting/page-columns.ts";
import { profileFiles } from "../../src/cli/file-profile.ts";
import { readColumns } from "../../src/cli/frame-file.ts";
import { ParquetFile } from "../../src/cli/parquet/footer.ts";
import { buildReferenceProfile, profileFrame } from "../../src/data/index.ts";
import { hasWasm } from "../../src/learn/wasm.ts";

const folder = mkdtempSync(join(tmpdir(), "page-columns-"));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Every type a page holds as it is, with and without missing rows, of few values and many, and every value that is not one. */
const COLUMNS = (shift: number): Readonly<Record<string, string>> => ({
  smooth: `(hash(i + ${shift}) % 9973)::DOUBLE / 9973`,
  missing: `CASE WHEN hash(i * 7) % 5 = 0 THEN NULL ELSE (hash(i) % 50021)::DOUBLE - 25000 END`,
  runs: `CASE WHEN (i // 700) % 3 = 0 THEN NULL ELSE ((i // 90) % 7)::FLOAT / 4 END`,
  short: `((hash(i * 3) % 60000)::INTEGER - 30000)::SMALLINT`,
  bytes: `(hash(i * 5) % 12)::UTINYINT`,
  whole: `(hash(i * 11 + ${shift}) % 4000000000)::UINTEGER`,
  negative: `-(hash(i * 17) % 2000000000)::INTEGER`,
  long: `(hash(i * 13 + ${shift}) % 100000)::BIGINT * 1000000007 - 5000000000`,
  huge: `hash(i * 19) ::UBIGINT`,
  odd: `CASE i % 50 WHEN 0 THEN 'inf'::DOUBLE WHEN 1 THEN 1e300 WHEN 2 THEN 'nan'::DOUBLE WHEN 3 THEN -1e39 WHEN 4 THEN '-inf'::DOUBLE
    WHEN 5 THEN NULL WHEN 6 THEN -0.0 ELSE i + ${shift} END`,
  constant: "7::INTEGER",
  empty: "NULL::DOUBLE",
});
const NAMES = Object.keys(COLUMNS(0));
const ROWS = [9_500, 4_107] as const;

async function write(name: string, options: string): Promise<readonly [string, string]> {
  const paths = [at(`${name}-0.parquet`), at(`${name}-1.parquet`)] as const;
  await withDuckDb(async (connection) => {
    for (const [i, path] of paths.entries()) {
      const list = Object.entries(COLUMNS(i * 3)).map(([column, sql]) => `${sql} AS ${column}`);
      await connection.run(`COPY (SELECT ${list.join(", ")} FROM range(${ROWS[i]}) AS r(i)) TO '${path}' (${options})`);
    }
  });
  return paths;
}

async function countedFrom([first, second]: readonly [string, string]) {
  return withDuckDb(async (connection) => {
    const [before, now] = [await describeFile(connection, first), await describeFile(connection, second)];
    const columns = NAMES.map((name) => [name, "number"] as const);
    const every = (file: FileColumns) => Uint32Array.from({ length: file.rows }, (_, i) => i);
    const reference = buildReferenceProfile(await readColumns(connection, before, columns), every(before));
    const current = profileFrame(reference, await readColumns(connection, now, columns), every(now));
    return { direct: await countPages(before, now, NAMES), reference, current };
  });
}

/** `npm test` builds the kernels first; without the file DuckDB reads everything. */
const withKernels = describe.skipIf(!hasWasm("profile", PROFILE_KERNEL_VERSION));

withKernels("pages of a Parquet file", () => {
  it.each([
    ["Snappy's format", "ROW_GROUP_SIZE 4096"],
    ["no compression", "ROW_GROUP_SIZE 4096, COMPRESSION uncompressed"],
    ["no dictionaries", "DICTIONARY_SIZE_LIMIT 1"],
    ["one group", "ROW_GROUP_SIZE 122880"],
  ])("are counted as the rows DuckDB reads: %s", async (name, options) => {
    const { direct, reference, current } = await countedFrom(await write(name.replaceAll(/\W/g, ""), options));
    expect([...direct.keys()]).toEqual(NAMES);
    for (const [i, one] of [...direct.values()].entries()) {
      expect(one.grid).toEqual(reference.grid[i]);
      expect(one.reference).toEqual(reference.reference.features[i]);
      expect(one.current).toEqual(current.features[i]);
    }
  });

  it.each([
    ["another compression", "COMPRESSION zstd"],
    ["other encodings", "PARQUET_VERSION v2"],
  ])("leave what they do not follow to DuckDB: %s", async (name, options) => {
    const paths = await write(name.replaceAll(/\W/g, ""), options);
    const { direct, reference, current } = await countedFrom(paths);
    expect(direct.size).toBeLessThan(NAMES.length);
    const counted = await withDuckDb(async (connection, second, third) =>
      profileFiles(
        { connection, file: await describeFile(connection, paths[0]) },
        { connection: second, file: await describeFile(second, paths[1]) },
        third,
        NAMES.map((column) => [column, "number"] as const),
      ),
    );
    expect(counted.reference).toEqual(reference);
    expect(counted.current).toEqual(current);
  });

  it("are refused, not misread, where bytes of the file are wrong", async () => {
    const paths = await write("wrong", "ROW_GROUP_SIZE 4096");
    const { direct } = await countedFrom(paths);
    const whole = readFileSync(paths[0]);
    const described = await withDuckDb(async (connection) => [
      await describeFile(connection, paths[0]),
      await describeFile(connection, paths[1]),
    ]);
    const [before, now] = described as [FileColumns, FileColumns];
    let refused = 0;
    for (let place = 4; place < whole.length - 8; place += whole.length >> 7) {
      const damaged = Buffer.from(whole);
      damaged[place] = (damaged[place] as number) ^ 0xff;
      const path = at("damaged.parquet");
      writeFileSync(path, damaged);
      const found = await countPages({ ...before, path }, now, NAMES);
      if (found.size < NAMES.length) refused++;
      for (const one of found.values()) {
        const { counts, below, above, unseen, missing, nonFinite } = one.reference;
        const sum = [...counts, below, above, unseen, missing, nonFinite].reduce((total, count) => total + count, 0);
        expect(sum).toBe(ROWS[0]);
      }
    }
    expect(refused).toBeGreaterThan(0);
    expect(direct.size).toBe(NAMES.length);
  });

  it("are not looked for in what is no Parquet file, or a part of one", async () => {
    const [path] = await write("cut", "ROW_GROUP_SIZE 4096");
    const whole = readFileSync(path);
    for (const length of [0, 7, 12, whole.length >> 1, whole.length - 1]) {
      const file = openSync(at("cut.parquet"), "w");
      writeSync(file, whole, 0, length);
      closeSync(file);
      expect(ParquetFile.open(at("cut.parquet"))).toBeUndefined();
    }
    expect(ParquetFile.open(at("nowhere.parquet"))).toBeUndefined();
  });
});
