/**
 * Two files as profiles over the grid of the first, without rows: DuckDB counts texts and booleans itself and hands numbers
 * over as typed vectors, which the counting kernels take. Both files are read at once; the second is being decoded while the
 * first is counted. Columns are read in blocks, so that what is held at a time does not grow with their number.
 */
import type { DuckDBConnection, DuckDBResult, DuckDBVector } from "@duckdb/node-api";
import {
  type FeatureGrid,
  type FeatureProfile,
  isFreeText,
  MAX_COUNTED_CATEGORIES,
  type Profile,
  profileBoth,
  RARE_REMEMBERED,
  type ReferenceProfile,
  withTexts,
} from "../data/index.ts";
import { type ColumnKind, columnName, type FileColumns, reading } from "./column-file.ts";
import { countPages } from "./counting/page-columns.ts";
import type { ColumnProfile } from "./counting/column-profile.ts";
import { NumberColumns } from "./counting/number-columns.ts";
import { readSample } from "./frame-file.ts";

export interface FileProfiles {
  readonly reference: ReferenceProfile;
  readonly current: Profile;
}

interface Side {
  readonly connection: DuckDBConnection;
  readonly file: FileColumns;
}

/**
 * @param third a connection for texts and booleans, which DuckDB counts meanwhile
 * @throws FILE_INVALID
 */
export async function profileFiles(
  before: Side,
  now: Side,
  third: DuckDBConnection,
  columns: readonly (readonly [string, ColumnKind])[],
): Promise<FileProfiles> {
  const named = (kind: ColumnKind) => columns.filter(([, own]) => own === kind).map(([name]) => name);
  const profiles = await allOf([
    countByBlocks(before, now, named("number")),
    countBySql(
      { ...before, connection: third },
      { ...now, connection: third },
      { booleans: named("boolean"), categories: named("category") },
    ),
  ]);
  const found = byColumn(profiles.flat());
  const all = columns.flatMap(([name]) => found.get(name) ?? []);
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

const wholeName = (grid: FeatureGrid): string => (grid.kind === "boolean" ? grid.name : (grid.part?.of ?? grid.name));

function byColumn(profiles: readonly ColumnProfile[]): ReadonlyMap<string, readonly ColumnProfile[]> {
  const found = new Map<string, ColumnProfile[]>();
  for (const one of profiles) found.set(wholeName(one.grid), [...(found.get(wholeName(one.grid)) ?? []), one]);
  return found;
}

/** All of them, or the first failure when none is at work any more: connections are closed then. */
async function allOf<T>(work: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(work);
  return Promise.all(work);
}

async function countByBlocks(before: Side, now: Side, names: readonly string[]): Promise<ColumnProfile[]> {
  const found: ColumnProfile[] = [];
  for (const block of blocksOf(names, before.file.rows)) {
    const direct = await countPages(before.file, now.file, block);
    const rest = block.filter((name) => !direct.has(name));
    found.push(...direct.values(), ...(rest.length === 0 ? [] : await countNumbers(before, now, rest)));
  }
  return found;
}

async function countBySql(
  before: Side,
  now: Side,
  { booleans, categories }: { readonly booleans: readonly string[]; readonly categories: readonly string[] },
): Promise<ColumnProfile[]> {
  const found = await countBooleans(before, now, booleans);
  for (const name of categories) found.push(...(await countTexts(before, now, name)));
  return found;
}

/** Numbers held at a time, of four bytes: 64 million are a quarter of a gigabyte. */
const NUMBERS_HELD = 64_000_000;

function blocksOf(names: readonly string[], rows: number): readonly string[][] {
  const size = Math.max(1, Math.floor(NUMBERS_HELD / Math.max(1, rows)));
  return Array.from({ length: Math.ceil(names.length / size) }, (_, i) => names.slice(i * size, (i + 1) * size));
}

/** What DuckDB hands over as a typed array as it is. */
const TYPED = /^(U?(TINY|SMALL)INT|U?INTEGER|FLOAT|DOUBLE)$/;

/** The rest is asked for as float32; what that cannot hold is no usable value and comes as missing. */
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

/** Decoded while the main thread counts. */
const READ_AHEAD = "64MB";

async function eachChunk(
  file: FileColumns,
  result: DuckDBResult,
  take: (rows: number, vectors: readonly DuckDBVector[]) => void,
): Promise<void> {
  await reading(file.path, async () => {
    let next = result.fetchChunk();
    try {
      for (;;) {
        const chunk = await next;
        if (chunk === null || chunk.rowCount === 0) return;
        // Fetched by another thread while this one is counted.
        next = result.fetchChunk();
        take(
          chunk.rowCount,
          Array.from({ length: chunk.columnCount }, (_, i) => chunk.getColumnVector(i)),
        );
      }
    } finally {
      await next.catch(() => undefined);
    }
  });
}

async function countNumbers(before: Side, now: Side, names: readonly string[]): Promise<ColumnProfile[]> {
  const [first, second] = [runNumbers(before, names), runNumbers(now, names)];
  // A second failure while the first is awaited must not end the process.
  second.catch(() => undefined);
  const columns = new NumberColumns({ names, rows: before.file.rows });
  await eachChunk(before.file, await first, (rows, vectors) => columns.keep(rows, vectors));
  const { grids, profiles } = columns.reference();
  await eachChunk(now.file, await second, (rows, vectors) => columns.add(rows, vectors));
  const current = columns.current();
  return grids.map((grid, i) => ({
    grid,
    reference: profiles[i] as FeatureProfile,
    current: current[i] as FeatureProfile,
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

/** Texts read of each side where most occur once: so many that a tenth of a standard deviation shows. */
const FREE_TEXTS = 20_000;

async function countTexts(before: Side, now: Side, name: string): Promise<ColumnProfile[]> {
  const ranked = await topTexts(before, name);
  if (!isFreeText(ranked.once, ranked.present)) return [await countCategories(before, now, { name, ranked })];
  const read = async ({ connection, file }: Side) =>
    withTexts(await readSample(connection, file, [[name, "category"]], FREE_TEXTS), [name]);
  const { reference, current } = profileBoth(await read(before), await read(now));
  return reference.grid.map((grid, i) => {
    const rare = reference.rare[grid.name];
    return {
      grid,
      reference: reference.reference.features[i] as FeatureProfile,
      current: current.features[i] as FeatureProfile,
      ...(rare === undefined ? {} : { rare }),
    };
  });
}

async function countCategories(
  before: Side,
  now: Side,
  { name, ranked }: { readonly name: string; readonly ranked: Texts },
): Promise<ColumnProfile> {
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

interface RankedTexts extends Texts {
  /** Rows whose text no other has. */
  readonly once: number;
}

const asText = (name: string) => `CAST(${columnName(name)} AS VARCHAR)`;

/** As many texts as a reference remembers. Equal counts are in the order of their texts, as everywhere. */
async function topTexts({ connection, file }: Side, name: string): Promise<RankedTexts> {
  const limit = MAX_COUNTED_CATEGORIES + RARE_REMEMBERED;
  const result = await reading(file.path, () =>
    connection.runAndReadAll(
      `SELECT t, n::DOUBLE, (sum(n) OVER ())::DOUBLE, (count_if(n = 1) OVER ())::DOUBLE FROM (SELECT ${asText(name)} AS t, count(*) AS n FROM ${file.source} GROUP BY 1)
       WHERE t IS NOT NULL ORDER BY n DESC, t LIMIT ${limit}`,
    ),
  );
  const rows = result.getRows();
  const texts = rows
    .map((row) => [String(row[0]), Number(row[1])] as const)
    .sort((left, right) => right[1] - left[1] || (left[0] < right[0] ? -1 : 1));
  return { texts, present: Number(rows[0]?.[2] ?? 0), once: Number(rows[0]?.[3] ?? 0) };
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
