// Profiles counted from a file's vectors and by SQL, against those of a frame that holds every cell.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeFile, withDuckDb } from "../../src/cli/column-file.ts";
import { profileFiles } from "../../src/cli/file-profile.ts";
import { readColumns } from "../../src/cli/frame-file.ts";
import { buildReferenceProfile, profileFrame } from "../../src/data/index.ts";

const folder = mkdtempSync(join(tmpdir(), "file-profile-"));
const at = (name: string) => join(folder, name);

/** Every type of number, missing and infinite values, skew, few values, a constant, many rare texts, texts that need care. */
const COLUMNS = (shift: number) => `
  hash(i * 7 + ${shift}) % 100000 / 1000.0 AS a_decimal,
  (hash(i + ${shift}) % 9973)::DOUBLE / 9973 AS a_double,
  CASE WHEN i % 7 = 0 THEN NULL ELSE ((hash(i) % 1009)::FLOAT / 10) END AS a_float,
  (hash(i * 3 + ${shift}) % 50000)::BIGINT * 1000000007 AS a_bigint,
  (hash(i * 5) % 12)::UTINYINT AS few,
  CASE WHEN i % 11 = 0 THEN NULL ELSE ((hash(i) % 300)::INTEGER - 150)::SMALLINT END AS short,
  exp((hash(i * 13) % 4000)::DOUBLE / 100) AS skewed,
  CASE i % 500 WHEN 0 THEN 'inf'::DOUBLE WHEN 1 THEN 1e300 WHEN 2 THEN 'nan'::DOUBLE WHEN 3 THEN -0.0 ELSE i END AS odd,
  0 AS constant, NULL::INTEGER AS nothing,
  i % 3 = 0 AS flag, CASE WHEN i % 5 = 0 THEN NULL ELSE i % 2 = 0 END AS maybe,
  CASE WHEN i % 13 = 0 THEN NULL ELSE 'city ' || (hash(i + ${shift}) % 40) END AS city,
  'id ' || (hash(i * 17 + ${shift}) % 9000) AS many,
  CASE i % 4 WHEN 0 THEN '' WHEN 1 THEN 'a"b' WHEN 2 THEN 'ü;ö' ELSE '${shift} new' END AS "odd ""name"""`;

const NUMBERS = [
  "a_decimal",
  "a_double",
  "a_float",
  "a_bigint",
  "few",
  "short",
  "skewed",
  "odd",
  "constant",
  "nothing",
];

describe("the profile of a file", () => {
  beforeAll(async () => {
    await withDuckDb(async (connection) => {
      for (const [name, rows, shift] of [
        ["before", 30_000, 0],
        ["now", 7_001, 5],
      ] as const)
        await connection.run(
          `COPY (SELECT ${COLUMNS(shift)} FROM range(${rows}) AS r(i)) TO '${at(`${name}.parquet`)}' (ROW_GROUP_SIZE 4096)`,
        );
    });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("has the counts of its rows, cell by cell", async () => {
    await withDuckDb(async (connection, second, third) => {
      const before = await describeFile(connection, at("before.parquet"));
      const now = await describeFile(second, at("now.parquet"));
      const columns = [...before.kinds].flatMap(([name, kind]) => (kind === null ? [] : [[name, kind] as const]));
      expect(columns.filter(([, kind]) => kind === "number").map(([name]) => name)).toEqual(NUMBERS);
      const counted = await profileFiles(
        { connection, file: before },
        { connection: second, file: now },
        third,
        columns,
      );
      const all = (rows: number) => Uint32Array.from({ length: rows }, (_, i) => i);
      const reference = buildReferenceProfile(await readColumns(connection, before, columns), all(before.rows));
      const current = profileFrame(reference, await readColumns(second, now, columns), all(now.rows));
      expect(counted.reference).toEqual(reference);
      expect(counted.current).toEqual(current);
      const many = counted.current.features.find((one) => one.name === "many");
      expect(many?.other).toBeGreaterThan(0);
      expect(many?.unseen).toBeGreaterThan(0);
      expect(counted.reference.reference.features.find((one) => one.name === "odd")?.nonFinite).toBeGreaterThan(0);
    });
  });
});
