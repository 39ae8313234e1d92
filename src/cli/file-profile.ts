/**
 * Two files as profiles over the grid of the first, without rows: DuckDB counts texts and booleans itself and hands numbers
 * over as typed vectors, which are counted where they lie. Both files are read at once; the second is being decoded while the
 * first is counted. Columns are read in blocks, so that what is held at a time does not grow with their number.
 */
import type { DuckDBConnection, DuckDBResult, DuckDBVector } from "@duckdb/node-api";
import {
  countColumn,
  type FeatureGrid,
  type FeatureProfile,
  gridOfScan,
  layoutOf,
  MAX_COUNTED_CATEGORIES,
  NumberScan,
  type NumberGrid,
  type Profile,
  profileOf,
  RARE_REMEMBERED,
  type ReferenceProfile,
} from "../data/index.ts";
import { fillNumbers } from "../job/chunk-readers.ts";
import { type ColumnKind, columnName, type FileColumns, reading } from "./column-file.ts";

export interface FileProfiles {
  readonly reference: ReferenceProfile;
  readonly current: Profile;
}

interface Side {
  readonly connection: DuckDBConnection;
  readonly file: FileColumns;
}

/** Both sides of one column, and what the reference had beyond the listed categories. */
interface ColumnProfile {
  readonly grid: FeatureGrid;
  readonly reference: FeatureProfile;
  readonly current: FeatureProfile;
  readonly rare?: readonly string[];
}

/** @throws FILE_INVALID */
export async function profileFiles(
  before: Side,
  now: Side,
  columns: readonly (readonly [string, ColumnKind])[],
): Promise<FileProfiles> {
  const found = new Map<string, ColumnProfile>();
  const named = (kind: ColumnKind) => columns.filter(([, own]) => own === kind).map(([name]) => name);
  for (const block of blocksOf(named("number"), Math.max(before.file.rows, now.file.rows))) {
    const [first, second] = [runNumbers(before, block), runNumbers(now, block)];
    // A second failure while the first is awaited must not end the process.
    second.catch(() => undefined);
    for (const one of await countNumbers({ before, now, first, second }, block)) found.set(one.grid.name, one);
  }
  for (const one of await countBooleans(before, now, named("boolean"))) found.set(one.grid.name, one);
  for (const name of named("category")) found.set(name, await countCategories(before, now, name));
  const all = columns.map(([name]) => found.get(name) as ColumnProfile);
  const rare = all.flatMap((one) => (one.rare === undefined ? [] : [[one.grid.name, one.rare] as const]));
  return {
    reference: {
      format: 1,
      grid: all.map((one) => one.grid),
      rare: Object.fromEntries(rare),
      reference: { rows: before.file.rows, features: all.map((one) => one.reference) },
    },
    current: { rows: now.file.rows, features: all.map((one) => one.current) },
  };
}

/** Numbers held at a time, of four bytes: 64 million are a quarter of a gigabyte. */
const NUMBERS_HELD = 64_000_000;

function blocksOf(names: readonly string[], rows: number): readonly string[][] {
  const size = Math.max(1, Math.floor(NUMBERS_HELD / Math.max(1, rows)));
  return Array.from({ length: Math.ceil(names.length / size) }, (_, i) => names.slice(i * size, (i + 1) * size));
}

/** What DuckDB hands over as a typed array as it is. */
const TYPED = /^(U?(TINY|SMALL)INT|U?INTEGER|FLOAT)$/;

/** The rest is asked for as float32, half the bytes to copy; what that cannot hold is no usable value and comes as missing. */
async function runNumbers({ connection, file }: Side, names: readonly string[]): Promise<DuckDBResult> {
  const list = names.map((name) => {
    const column = columnName(name);
    return TYPED.test(file.types.get(name) ?? "") ? column : `TRY_CAST(${column} AS FLOAT)`;
  });
  return reading(file.path, async () => {
    await connection.run(`SET streaming_buffer_size = '${READ_AHEAD}'`);
    return connection.stream(`SELECT ${list.join(", ")} FROM ${file.source}`);
  });
}

/** Decoded while the main thread counts: a file of a million rows and twenty columns. */
const READ_AHEAD = "96MB";

/** Calls back with the numbers of one column and chunk; missing is NaN. The array is used again. */
type TakeNumbers = (column: number, values: Float32Array) => void;

async function eachChunk(file: FileColumns, result: DuckDBResult, take: (vectors: Vectors) => void): Promise<void> {
  await reading(file.path, async () => {
    for (;;) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) return;
      take({
        rows: chunk.rowCount,
        columns: Array.from({ length: chunk.columnCount }, (_, i) => chunk.getColumnVector(i)),
      });
    }
  });
}

interface Vectors {
  readonly rows: number;
  readonly columns: readonly DuckDBVector[];
}

function numbersTo(take: TakeNumbers): (vectors: Vectors) => void {
  let buffer = new Float32Array(2048);
  return ({ rows, columns }) => {
    if (rows > buffer.length) buffer = new Float32Array(rows);
    const values = buffer.subarray(0, rows);
    columns.forEach((vector, i) => {
      fillNumbers(vector, values);
      take(i, values);
    });
  };
}

async function countNumbers(
  sides: {
    readonly before: Side;
    readonly now: Side;
    readonly first: Promise<DuckDBResult>;
    readonly second: Promise<DuckDBResult>;
  },
  names: readonly string[],
): Promise<ColumnProfile[]> {
  const { before, now } = sides;
  // The reference passes twice: its grid is known when its last row has been seen. The chunks are kept as they came.
  const kept: Vectors[] = [];
  const scans = names.map(() => new NumberScan(before.file.rows));
  const scan = numbersTo((i, values) => scans[i]?.add(values));
  await eachChunk(before.file, await sides.first, (vectors) => {
    kept.push(vectors);
    scan(vectors);
  });
  const grids = names.map((name, i): NumberGrid => gridOfScan(name, scans[i] as NumberScan));
  const layout = layoutOf(grids);
  const counter = (rows: number) => {
    const vector = new Float64Array(layout.size);
    vector[0] = rows;
    const add = numbersTo((i, values) =>
      countColumn(layout.features[i] as never, { kind: "number", name: "", values }, undefined, vector),
    );
    return { add, profile: () => profileOf(layout, vector).features };
  };
  const reference = counter(before.file.rows);
  for (const vectors of kept) reference.add(vectors);
  kept.length = 0;
  const current = counter(now.file.rows);
  await eachChunk(now.file, await sides.second, current.add);
  const [referenceProfiles, currentProfiles] = [reference.profile(), current.profile()];
  return grids.map((grid, i) => ({
    grid,
    reference: referenceProfiles[i] as FeatureProfile,
    current: currentProfiles[i] as FeatureProfile,
  }));
}

const EMPTY = { below: 0, above: 0, other: 0, unseen: 0, missing: 0, nonFinite: 0 };

async function countBooleans(before: Side, now: Side, names: readonly string[]): Promise<ColumnProfile[]> {
  if (names.length === 0) return [];
  const read = async ({ connection, file }: Side) => {
    const list = names
      .map((name) => columnName(name))
      .map((one) => `count_if(NOT ${one})::DOUBLE, count_if(${one})::DOUBLE`);
    const result = await reading(file.path, () =>
      connection.runAndReadAll(`SELECT ${list.join(", ")} FROM ${file.source}`),
    );
    const row = (result.getRows()[0] ?? []).map(Number);
    return names.map((name, i): FeatureProfile => {
      const counts = [row[2 * i] ?? 0, row[2 * i + 1] ?? 0];
      return { ...EMPTY, name, counts, missing: file.rows - (counts[0] as number) - (counts[1] as number) };
    });
  };
  const [first, second] = [await read(before), await read(now)];
  return names.map((name, i) => ({
    grid: { kind: "boolean", name },
    reference: first[i] as FeatureProfile,
    current: second[i] as FeatureProfile,
  }));
}

/** Texts with their rows, most frequent first. */
type TextCounts = readonly (readonly [string, number])[];

async function countCategories(before: Side, now: Side, name: string): Promise<ColumnProfile> {
  const ranked = await topTexts(before, name);
  const categories = ranked.texts.slice(0, MAX_COUNTED_CATEGORIES).map(([text]) => text);
  const rare = ranked.texts.slice(MAX_COUNTED_CATEGORIES).map(([text]) => text);
  const found = await textsAmong(now, name, [...categories, ...rare]);
  const side = (counts: ReadonlyMap<string, number>, present: number, rows: number): FeatureProfile => {
    const listed = categories.map((text) => counts.get(text) ?? 0);
    const other = rare.reduce((sum, text) => sum + (counts.get(text) ?? 0), 0);
    const unseen = present - other - listed.reduce((sum, count) => sum + count, 0);
    return { ...EMPTY, name, counts: listed, other, unseen, missing: rows - present };
  };
  return {
    grid: { kind: "category", name, categories },
    reference: side(new Map(ranked.texts), ranked.present, before.file.rows),
    current: side(new Map(found.texts), found.present, now.file.rows),
    ...(rare.length === 0 ? {} : { rare }),
  };
}

interface Texts {
  readonly texts: TextCounts;
  /** Rows with any text. */
  readonly present: number;
}

const asText = (name: string) => `CAST(${columnName(name)} AS VARCHAR)`;

/** As many texts as a reference remembers. Equal counts are in the order of their texts, as everywhere. */
async function topTexts({ connection, file }: Side, name: string): Promise<Texts> {
  const limit = MAX_COUNTED_CATEGORIES + RARE_REMEMBERED;
  const result = await reading(file.path, () =>
    connection.runAndReadAll(
      `SELECT t, n::DOUBLE, (sum(n) OVER ())::DOUBLE FROM (SELECT ${asText(name)} AS t, count(*) AS n FROM ${file.source} GROUP BY 1)
       WHERE t IS NOT NULL ORDER BY n DESC, t LIMIT ${limit}`,
    ),
  );
  const rows = result.getRows();
  const texts = rows
    .map((row) => [String(row[0]), Number(row[1])] as const)
    .sort((left, right) => right[1] - left[1] || (left[0] < right[0] ? -1 : 1));
  return { texts, present: Number(rows[0]?.[2] ?? 0) };
}

async function textsAmong({ connection, file }: Side, name: string, among: readonly string[]): Promise<Texts> {
  const { listValue, LIST, VARCHAR } = await import("@duckdb/node-api");
  const result = await reading(file.path, () =>
    connection.runAndReadAll(
      `WITH counted AS (SELECT ${asText(name)} AS t, count(*) AS n FROM ${file.source} GROUP BY 1)
       SELECT t, n::DOUBLE FROM counted WHERE t IN (SELECT unnest($1))
       UNION ALL SELECT NULL, coalesce(sum(n) FILTER (t IS NOT NULL), 0)::DOUBLE FROM counted`,
      [listValue(among as string[])],
      [LIST(VARCHAR)],
    ),
  );
  const rows = result.getRows();
  const texts = rows.filter((row) => row[0] !== null).map((row) => [String(row[0]), Number(row[1])] as const);
  return { texts, present: Number(rows.find((row) => row[0] === null)?.[1] ?? 0) };
}
