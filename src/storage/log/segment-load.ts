/** Brings the blocks of a model into the tables of its segments, one per kind: plain rows by DuckDB, the others one by one. */
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";
import type { EventKind, LogSchema } from "../../core/index.ts";
import { chunksOf } from "../analytics.ts";
import { rowsOf, SAME_IDS, type TailBlock } from "./block.ts";
import { layoutOf, type TailRow } from "./columns.ts";
import { KINDS } from "./encode.ts";
import { type RowSelects, rowSelects } from "./plain-rows.ts";
import { SegmentTable } from "./segment-write.ts";

/** Rows taken in by one statement, which costs as much as some 2,000 of them. */
const LOAD_ROWS = 10_000;
/** The same in characters of their bodies, for rows with images. */
const LOAD_CHARACTERS = 8 * 1024 * 1024;
const BLOCKS = "compact_blocks";

interface Target {
  readonly table: SegmentTable;
  readonly selects: RowSelects;
  /** Rows in the blocks that wait. */
  waiting: number;
}

export class SegmentLoader {
  readonly #connection: DuckDBConnection;
  readonly #schema: LogSchema | undefined;
  readonly #targets = new Map<EventKind, Target>();
  #blocks: TailBlock[] = [];
  #rows = 0;
  #characters = 0;

  constructor(connection: DuckDBConnection, schema: LogSchema | undefined) {
    this.#connection = connection;
    this.#schema = schema;
  }

  get tables(): readonly SegmentTable[] {
    return [...this.#targets.values()].map(({ table }) => table);
  }

  /** Blocks come in the order of the log. */
  async add(block: TailBlock): Promise<void> {
    for (const row of rowsOf(block)) {
      const kind = KINDS[row.kind] as EventKind;
      const target = this.#targets.get(kind) ?? (await this.#open(kind));
      target.table.note(row);
      target.waiting += 1;
    }
    this.#blocks.push(block);
    this.#rows += block.rows;
    this.#characters += block.bodies.length;
    if (this.#rows >= LOAD_ROWS || this.#characters >= LOAD_CHARACTERS) await this.load();
  }

  /** After this the tables hold every row. */
  async load(): Promise<void> {
    if (this.#rows === 0) return;
    await this.#connection.run(
      `create or replace temp table ${BLOCKS} (transaction_id bigint, last_seq bigint, rows integer, received_at bigint, kinds varchar,
        known_at varchar, ats varchar, example_ids varchar, prediction_ids varchar, bodies varchar)`,
    );
    const appender = await this.#connection.createAppender(BLOCKS);
    for (const block of this.#blocks) {
      appender.appendBigInt(block.transactionId);
      appender.appendBigInt(block.lastSeq);
      appender.appendInteger(block.rows);
      appender.appendBigInt(BigInt(block.receivedAt));
      appender.appendVarchar(block.kinds);
      if (block.knownAt === null) appender.appendNull();
      else appender.appendVarchar(block.knownAt);
      const exampleIds = block.exampleIds === SAME_IDS ? block.predictionIds : block.exampleIds;
      for (const text of [block.ats, exampleIds, block.predictionIds, block.bodies]) appender.appendVarchar(text);
      appender.endRow();
    }
    appender.closeSync();
    this.#blocks = [];
    this.#rows = 0;
    this.#characters = 0;
    for (const target of this.#targets.values()) await this.#take(target);
  }

  async drop(): Promise<void> {
    for (const table of this.tables) await table.drop();
    await this.#connection.run(`drop table if exists ${BLOCKS}`);
  }

  async #open(kind: EventKind): Promise<Target> {
    const layout = layoutOf(kind, this.#schema);
    const target: Target = {
      table: new SegmentTable(this.#connection, layout, `compact_${kind}`),
      selects: rowSelects(layout),
      waiting: 0,
    };
    await target.table.create();
    this.#targets.set(kind, target);
    return target;
  }

  async #take(target: Target): Promise<void> {
    const { table, selects, waiting } = target;
    target.waiting = 0;
    if (waiting === 0) return;
    const plain = selects.plain === undefined ? 0 : await table.putSelected(selects.plain(BLOCKS));
    if (plain === waiting) return;
    for await (const { rowCount, columns } of chunksOf(this.#connection, selects.others(BLOCKS))) {
      for (let i = 0; i < rowCount; i++) table.put(tailRow(columns, i));
    }
  }
}

function tailRow(columns: readonly (readonly DuckDBValue[])[], i: number): TailRow {
  const cell = (column: number) => columns[column]?.[i] ?? null;
  const importedAt = cell(3);
  return {
    transactionId: cell(0) as bigint,
    seq: cell(1) as bigint,
    receivedAt: Number(cell(2)),
    importedAt: importedAt === null ? null : Number(importedAt),
    at: Number(cell(4)),
    exampleId: cell(5) as string | null,
    predictionId: cell(6) as string | null,
    body: cell(7) as string,
  };
}
