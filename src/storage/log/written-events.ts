/**
 * The newest events of a model as the only writer wrote them. A fold that follows closely behind the writing reads them here: no
 * question to the database, whatever the rate. What is here is everything after a position of the log, without a
 * gap, wherever compaction has moved it meanwhile; a cursor before that position is answered by tail and segments as ever.
 */
import type { EventKind, LogCursor, LoggedEvent } from "../../core/index.ts";
import { type CommitPlace, type CommittedRows, kindOf, loggedRow } from "./committed-rows.ts";
import { compareToCursor } from "./cursor.ts";

/** Rows kept per model: three seconds of 5,000 a second, while a fold looks every second. */
const MAX_ROWS = 16_384;
/** Text of the bodies, in characters, of one model and of all: rows with images would otherwise fill the memory. */
const MAX_MODEL_BYTES = 8 * 1024 * 1024;
const MAX_BYTES = 32 * 1024 * 1024;
/** What is left of a full memory. */
const KEPT_SHARE = 0.75;
/** Rows whose events wait for a second reader: two folds follow each other through the same thousand rows. */
const SHARED_ROWS = 2500;

interface Block {
  readonly rows: CommittedRows;
  readonly place: CommitPlace;
  readonly lastSeq: bigint;
  /** Where the line of each row ends, for the first reader: most of what is imported nobody asks for here. */
  ends: Uint32Array | undefined;
  /** Events that were read once. The second reader takes them away: kept longer, they would cost more than parsing them again. */
  events: (LoggedEvent | undefined)[] | undefined;
}

interface Newest {
  /** Everything after it is here. */
  from: LogCursor;
  readonly blocks: Block[];
  rows: number;
  bytes: number;
}

export class WrittenEvents {
  readonly #models = new Map<string, Newest>();
  #bytes = 0;
  #shared: Block[] = [];
  #sharedRows = 0;

  /** To be called with every commit in their order, before its callers learn of it. */
  note(committed: readonly CommittedRows[]): void {
    for (const rows of committed) {
      const { model, place } = rows;
      if (place === undefined) this.#forget(model);
      else
        this.#add({ rows, place, lastSeq: place.firstSeq + BigInt(rows.rows - 1), ends: undefined, events: undefined });
    }
    for (const model of this.#models.keys()) {
      if (this.#bytes <= MAX_BYTES) break;
      this.#forget(model);
    }
  }

  /** To be called when events were deleted. */
  clear(): void {
    this.#models.clear();
    this.#bytes = 0;
    this.#shared = [];
    this.#sharedRows = 0;
  }

  /** Events after the cursor in log order; undefined when older ones are asked for too. */
  after(
    model: string,
    cursor: LogCursor,
    { limit, kinds }: { readonly limit: number; readonly kinds?: readonly EventKind[] },
  ): LoggedEvent[] | undefined {
    const newest = this.#models.get(model);
    if (newest === undefined || compareToCursor(newest.from, cursor) > 0) return undefined;
    const found: LoggedEvent[] = [];
    for (let b = firstBlockAfter(newest.blocks, cursor); b < newest.blocks.length; b++) {
      const block = newest.blocks[b] as Block;
      for (let i = firstRowAfter(block, cursor); i < block.rows.rows; i++) {
        if (found.length === limit) return found;
        if (kinds === undefined || kinds.includes(kindOf(block.rows, i))) found.push(this.#eventOf(block, i));
      }
    }
    return found;
  }

  #eventOf(block: Block, i: number): LoggedEvent {
    const known = block.events?.[i];
    if (known !== undefined) {
      (block.events as (LoggedEvent | undefined)[])[i] = undefined;
      return known;
    }
    const event = loggedRow(block.rows, block.place, i, bodyOf(block, i));
    this.#share(block)[i] = event;
    return event;
  }

  #share(block: Block): (LoggedEvent | undefined)[] {
    if (block.events !== undefined) return block.events;
    block.events = [];
    this.#shared.push(block);
    this.#sharedRows += block.rows.rows;
    while (this.#sharedRows > SHARED_ROWS && this.#shared.length > 1) {
      const oldest = this.#shared.shift() as Block;
      oldest.events = undefined;
      this.#sharedRows -= oldest.rows.rows;
    }
    return block.events;
  }

  #add(block: Block): void {
    const { model, rows, bodies } = block.rows;
    let newest = this.#models.get(model);
    if (newest === undefined) {
      // All rows of its transaction are this commit's.
      newest = { from: { transactionId: block.place.transactionId, seq: 0n }, blocks: [], rows: 0, bytes: 0 };
    }
    // Whoever wrote last is forgotten last.
    this.#models.delete(model);
    this.#models.set(model, newest);
    newest.blocks.push(block);
    newest.rows += rows;
    newest.bytes += bodies.length;
    this.#bytes += bodies.length;
    if (newest.rows > MAX_ROWS || newest.bytes > MAX_MODEL_BYTES) this.#trim(newest);
  }

  /** Lets the oldest go, many at once: taking one from the front of a long list for every one added would move them all. */
  #trim(newest: Newest): void {
    const { blocks } = newest;
    let count = 0;
    while (
      count < blocks.length &&
      (newest.rows > KEPT_SHARE * MAX_ROWS || newest.bytes > KEPT_SHARE * MAX_MODEL_BYTES)
    ) {
      const { rows, place, lastSeq } = blocks[count] as Block;
      newest.rows -= rows.rows;
      newest.bytes -= rows.bodies.length;
      this.#bytes -= rows.bodies.length;
      newest.from = { transactionId: place.transactionId, seq: lastSeq };
      count += 1;
    }
    blocks.splice(0, count);
  }

  #forget(model: string): void {
    this.#bytes -= this.#models.get(model)?.bytes ?? 0;
    this.#models.delete(model);
  }
}

/** Index of the first row of the block after the cursor, which lies before its end. */
function firstRowAfter({ place }: Block, cursor: LogCursor): number {
  const isWithin = cursor.transactionId === place.transactionId && cursor.seq >= place.firstSeq;
  return isWithin ? Number(cursor.seq - place.firstSeq) + 1 : 0;
}

function bodyOf(block: Block, i: number): string {
  block.ends ??= endsOf(block.rows);
  const start = i === 0 ? 0 : (block.ends[i - 1] as number) + 1;
  return block.rows.bodies.slice(start, block.ends[i]);
}

function endsOf({ rows, bodies }: CommittedRows): Uint32Array {
  const ends = new Uint32Array(rows).fill(bodies.length);
  for (let i = 0, from = 0; i < rows - 1; i++) {
    const end = bodies.indexOf("\n", from);
    ends[i] = end;
    from = end + 1;
  }
  return ends;
}

/** Index of the first block that ends after the cursor. */
function firstBlockAfter(blocks: readonly Block[], cursor: LogCursor): number {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { place, lastSeq } = blocks[middle] as Block;
    if (compareToCursor({ transactionId: place.transactionId, seq: lastSeq }, cursor) > 0) high = middle;
    else low = middle + 1;
  }
  return low;
}
