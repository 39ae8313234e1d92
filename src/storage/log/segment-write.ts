/**
 * Writes one segment: rows go into a DuckDB table a chunk at a time, then to Parquet under a temporary name, then fsync,
 * rename, fsync of the folder. Until its row stands in the `segment` table the file is an orphan and readers do not see it.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type DuckDBAppender, type DuckDBConnection, DuckDBDataChunk, type DuckDBValue } from "@duckdb/node-api";
import { uuidInstant } from "../../core/index.ts";
import { identifier, literal } from "../analytics.ts";
import { hashFile, publishFile, writeFileDurably } from "../files/durable.ts";
import { type Layout, putRow, type TailRow } from "./columns.ts";
import { buildIndex, hashId, indexBytes, type SegmentIndex } from "./segment-index.ts";

/** A sixteenth of DuckDB's vector: handing over a full one of 25 columns would hold the event loop for 30 ms, on busy cores for 150. */
const CHUNK_ROWS = 128;
/**
 * Chunks handed to the table at a time, which has a cost of its own whatever their rows: 8 us a row for each chunk alone, 2 for eight,
 * whose 2 ms hold the event loop less than the filling of a large chunk would.
 */
const CHUNKS_AT_ONCE = 8;
/** Rows per row group: small enough that a lookup by cursor or id skips most of a merged segment. */
export const ROW_GROUP_ROWS = 20_480;

export interface SegmentStats {
  readonly rows: number;
  readonly minAt: number;
  readonly maxAt: number;
  readonly minReceivedAt: number;
  readonly maxReceivedAt: number;
  readonly minTransactionId: bigint;
  readonly maxTransactionId: bigint;
  /** The largest seq of the largest transaction id. */
  readonly maxSeq: bigint;
  /** Times inside the UUIDv7 prediction ids; null when there is none. */
  readonly minIdTime: number | null;
  readonly maxIdTime: number | null;
  /** True when a prediction id is no UUIDv7, so that times say nothing about it. */
  readonly hasOtherIds: boolean;
}
export interface WrittenSegment extends SegmentStats {
  readonly id: string;
  /** Of the Parquet file and its index. */
  readonly bytes: number;
  /** Of the Parquet file; null for one written before hashes were kept. */
  readonly sha256: string | null;
}

export class SegmentTable {
  readonly layout: Layout;
  readonly table: string;
  private readonly connection: DuckDBConnection;
  private appender: DuckDBAppender | undefined;
  private cells: DuckDBValue[][];
  private pending = 0;
  private unflushed = 0;
  private readonly exampleHashes: number[] = [];
  private readonly predictionHashes: number[] = [];
  private stats: { -readonly [K in keyof SegmentStats]: SegmentStats[K] };

  /** @param table unique among the temporary tables of the connection */
  constructor(connection: DuckDBConnection, layout: Layout, table: string) {
    this.connection = connection;
    this.layout = layout;
    this.table = table;
    this.cells = layout.columns.map(() => []);
    this.stats = {
      rows: 0,
      minAt: Number.POSITIVE_INFINITY,
      maxAt: Number.NEGATIVE_INFINITY,
      minReceivedAt: Number.POSITIVE_INFINITY,
      maxReceivedAt: Number.NEGATIVE_INFINITY,
      minTransactionId: 0n,
      maxTransactionId: 0n,
      maxSeq: 0n,
      minIdTime: null,
      maxIdTime: null,
      hasOtherIds: false,
    };
  }

  get rows(): number {
    return this.stats.rows;
  }

  async create(): Promise<void> {
    const columns = this.layout.columns.map(({ name, type }) => `${identifier(name)} ${type.toString()}`);
    await this.connection.run(`create or replace temp table ${this.table} (${columns.join(", ")})`);
    this.appender = await this.connection.createAppender(this.table);
  }

  /** Rows come in the order of the log. */
  add(row: TailRow): void {
    this.note(row);
    this.put(row);
  }

  /** A row that was noted before. */
  put(row: TailRow): void {
    putRow(this.cells, row, this.layout);
    this.pending += 1;
    if (this.pending === CHUNK_ROWS) this.appendChunk();
  }

  /** Puts rows that were noted before, by a select of the columns of the layout. @returns how many they were */
  async putSelected(select: string): Promise<number> {
    return (await this.connection.run(`insert into ${this.table} ${select}`)).rowsChanged;
  }

  /** What the segment says of a row, which has to be put too. Rows come in the order of the log. */
  note(row: Omit<TailRow, "body" | "importedAt">): void {
    const { stats } = this;
    if (stats.rows === 0) stats.minTransactionId = row.transactionId;
    stats.rows += 1;
    stats.minAt = Math.min(stats.minAt, row.at);
    stats.maxAt = Math.max(stats.maxAt, row.at);
    stats.minReceivedAt = Math.min(stats.minReceivedAt, row.receivedAt);
    stats.maxReceivedAt = Math.max(stats.maxReceivedAt, row.receivedAt);
    stats.maxTransactionId = row.transactionId;
    stats.maxSeq = row.seq;
    if (row.exampleId !== null) this.exampleHashes.push(hashId(row.exampleId));
    if (row.predictionId === null) return;
    this.predictionHashes.push(hashId(row.predictionId));
    const time = uuidInstant(row.predictionId);
    if (time === undefined) stats.hasOtherIds = true;
    else {
      stats.minIdTime = Math.min(stats.minIdTime ?? time, time);
      stats.maxIdTime = Math.max(stats.maxIdTime ?? time, time);
    }
  }

  private appendChunk(): void {
    if (this.pending === 0) return;
    const chunk = DuckDBDataChunk.create(
      this.layout.columns.map((column) => column.type),
      this.pending,
    );
    chunk.setColumns(this.cells);
    this.appender?.appendDataChunk(chunk);
    this.cells = this.layout.columns.map(() => []);
    this.pending = 0;
    this.unflushed += 1;
    if (this.unflushed < CHUNKS_AT_ONCE) return;
    // Some milliseconds now and then instead of all of them at the end, when the event loop would stand still for a tenth of a second.
    this.appender?.flushSync();
    this.unflushed = 0;
  }

  /** After this the table holds every row, for queries or for `write`. */
  finish(): void {
    this.appendChunk();
    this.appender?.closeSync();
    this.appender = undefined;
  }

  /** Also after an error: what waits is thrown away with the table, and the error stays the one that is seen. */
  async drop(): Promise<void> {
    this.pending = 0;
    this.finish();
    await this.connection.run(`drop table if exists ${this.table}`);
  }

  async write(folder: string, id: string): Promise<WrittenSegment> {
    this.finish();
    const written = await writeSegmentFiles({
      connection: this.connection,
      // Rows that were put in different ways stand one after the other.
      select: `select * from ${this.table} order by transaction_id, seq`,
      folder,
      id,
      index: buildIndex(this.exampleHashes, this.predictionHashes),
    });
    return { ...this.stats, id, ...written };
  }
}

export function segmentPath(folder: string, id: string): string {
  return join(folder, `${id}.parquet`);
}
export function indexPath(folder: string, id: string): string {
  return join(folder, `${id}.idx`);
}

/** Writes the Parquet file and its index durably; the hash is taken of what the disk gave back before the file got its name. */
export async function writeSegmentFiles(options: {
  connection: DuckDBConnection;
  select: string;
  folder: string;
  id: string;
  index: SegmentIndex | undefined;
}): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const { connection, select, folder, id, index } = options;
  const path = segmentPath(folder, id);
  const temporary = `${path}.tmp`;
  await connection.run(
    `copy (${select}) to ${literal(temporary)} (format parquet, compression zstd, row_group_size ${ROW_GROUP_ROWS})`,
  );
  let bytes = (await stat(temporary)).size;
  if (index) {
    const content = indexBytes(index);
    bytes += content.byteLength;
    // The index first: a segment that is there has its index.
    await writeFileDurably(`${indexPath(folder, id)}.tmp`, indexPath(folder, id), content);
  }
  const sha256 = await hashFile(temporary);
  await publishFile(temporary, path);
  return { bytes, sha256 };
}
