/**
 * Number columns counted from the pages of two Parquet files, without DuckDB between: every vector it hands over is copied twice and
 * left to the collector of garbage, which takes longer than decoding and counting together. What a page holds that this reader does not
 * follow, DuckDB reads.
 */
import type { FeatureProfile, NumberGrid } from "../../data/index.ts";
import { MemoryPlan } from "../../learn/wasm.ts";
import type { FileColumns, RowRange } from "../column-file.ts";
import { type ParquetColumn, ParquetFile, type PhysicalType } from "../parquet/footer.ts";
import { type PageColumn, type PageRoom, readGroup, reservePages } from "../parquet/pages.ts";
import { UnreadablePage } from "../parquet/thrift.ts";
import { CellCounts, type Places, reservePlaces, type Values } from "./cell-counts.ts";
import type { ColumnProfile } from "./column-profile.ts";
import type { PageKernels, ProfileKernels } from "./kernel-contract.ts";
import { openProfileKernels } from "./kernels.ts";

/** DuckDB's types whose values a page holds as they are. */
const STORED: Readonly<Record<string, PhysicalType>> = {
  TINYINT: "INT32",
  UTINYINT: "INT32",
  SMALLINT: "INT32",
  USMALLINT: "INT32",
  INTEGER: "INT32",
  UINTEGER: "INT32",
  BIGINT: "INT64",
  UBIGINT: "INT64",
  FLOAT: "FLOAT",
  DOUBLE: "DOUBLE",
};

/** Held at a time; more rows of one column are DuckDB's to read in blocks. */
const MOST_BYTES = 1 << 30;

/** The profiles of those columns that could be read so, by name. */
export async function countPages(
  before: FileColumns,
  now: FileColumns,
  names: readonly string[],
): Promise<ReadonlyMap<string, ColumnProfile>> {
  const first = ParquetFile.open(before.path);
  const second = first === undefined ? undefined : ParquetFile.open(now.path);
  try {
    if (first === undefined || second === undefined) return new Map();
    const pairs = names.flatMap((name) => {
      const [one, other] = [pageColumn(first, before, name), pageColumn(second, now, name)];
      return one === undefined || other === undefined ? [] : [{ name, one, other }];
    });
    return pairs.length === 0 ? new Map() : await countPairs(before.rows, pairs);
  } finally {
    first?.close();
    second?.close();
  }
}

function pageColumn(file: ParquetFile, { types, range }: FileColumns, name: string): RangedColumn | undefined {
  const column = file.columns.get(name);
  const type = types.get(name) ?? "";
  if (column === undefined || range === undefined || STORED[type] !== column.type) return undefined;
  return { file, column, isUnsigned: type.startsWith("U"), range };
}

interface RangedColumn extends PageColumn {
  readonly range: RowRange;
}

interface Pair {
  readonly name: string;
  readonly one: RangedColumn;
  readonly other: RangedColumn;
}

async function countPairs(rows: number, pairs: readonly Pair[]): Promise<ReadonlyMap<string, ColumnProfile>> {
  const counter = PageCounter.open(
    rows,
    pairs.flatMap(({ one, other }) => [one.column, other.column]),
  );
  const found = new Map<string, ColumnProfile>();
  if (counter === undefined) return found;
  for (const { name, one, other } of pairs) {
    const profile = counter.compare(name, one, other);
    if (profile !== undefined) found.set(name, profile);
    await othersTurn();
  }
  return found;
}

/** Answers to the questions DuckDB is asked meanwhile. */
const othersTurn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** One column after the other in the same memory: of the reference all rows, of the current file a group at a time. */
class PageCounter {
  readonly #pages: PageKernels;
  readonly #buffer: ArrayBuffer;
  readonly #cells: CellCounts;
  readonly #room: PageRoom;
  readonly #places: Places;
  readonly #kept: number;
  readonly #rows: number;

  /** @returns undefined where there is no WebAssembly, or not memory enough */
  static open(rows: number, columns: readonly ParquetColumn[]): PageCounter | undefined {
    const plan = new MemoryPlan();
    const places = reservePlaces(plan);
    const kept = plan.reserve(rows * 4);
    const room = reservePages(plan, columns);
    if (plan.used > MOST_BYTES) return undefined;
    const kernels = openProfileKernels(plan.used, "auto");
    return kernels.pages === undefined
      ? undefined
      : new PageCounter({ kernels, pages: kernels.pages, places, kept, room, rows });
  }

  private constructor(own: {
    readonly kernels: ProfileKernels;
    readonly pages: PageKernels;
    readonly places: Places;
    readonly kept: number;
    readonly room: PageRoom;
    readonly rows: number;
  }) {
    this.#pages = own.pages;
    this.#buffer = own.kernels.buffer;
    this.#cells = new CellCounts(own.kernels);
    this.#room = own.room;
    this.#places = own.places;
    this.#kept = own.kept;
    this.#rows = own.rows;
  }

  /** @returns undefined where a page is of a kind that is not followed */
  compare(name: string, before: RangedColumn, now: RangedColumn): ColumnProfile | undefined {
    try {
      return this.#compare(name, before, now);
    } catch (error) {
      if (error instanceof UnreadablePage) return undefined;
      throw error;
    }
  }

  #compare(name: string, before: RangedColumn, now: RangedColumn): ColumnProfile {
    let end = this.#kept;
    const keep = ({ at, rows }: Values) => {
      if (at !== end) this.#cells.floats.copyWithin(end / 4, at / 4, at / 4 + rows);
      end += rows * 4;
    };
    this.#eachGroup(before, { take: keep, whole: () => end });
    const kept = { at: this.#kept, rows: this.#rows };
    const grid = this.#cells.gridOf(name, { ...kept, ends: this.#places.ends });
    const count = (values: Values) => this.#cells.count(grid, this.#places, values);
    this.#cells.index(grid, this.#places);
    count(kept);
    const reference = this.#taken(grid);
    this.#eachGroup(now, { take: count, whole: () => this.#room.rows });
    return { grid, reference, current: this.#taken(grid) };
  }

  #taken(grid: NumberGrid): FeatureProfile {
    return this.#cells.take([grid], [this.#places])[0] as FeatureProfile;
  }

  /** Reads the groups that have rows of the range; `whole` says where one goes of which every row is wanted. */
  #eachGroup(
    { range, ...from }: RangedColumn,
    { take, whole }: { readonly take: (values: Values) => void; readonly whole: () => number },
  ): void {
    const reading = { ...from, kernels: this.#pages, buffer: this.#buffer, room: this.#room };
    let start = 0;
    for (const group of from.column.groups) {
      const [low, high] = [Math.max(range.from, start), Math.min(range.to, start + group.rows)];
      if (low < high) {
        const to = high - low === group.rows ? whole() : this.#room.rows;
        readGroup(reading, group, to);
        take({ at: to + (low - start) * 4, rows: high - low });
      }
      start += group.rows;
    }
    if (start < range.to) throw new UnreadablePage("fewer rows than the file says");
  }
}
