/**
 * The newest events of a model as the only writer wrote them. A fold that follows closely behind the writing reads them here: no
 * question to the database, nothing parsed, whatever the rate. What is here is everything after a position of the log, without a
 * gap, wherever compaction has moved it meanwhile; a cursor before that position is answered by tail and segments as ever.
 */
import type { AppendRequest, EventKind, ExampleEvent, Instant, LogCursor, LoggedEvent } from "../../core/index.ts";
import { compareToCursor } from "./cursor.ts";

/** Rows kept per model: three seconds of 5,000 a second, while a fold looks every second. */
const MAX_ROWS = 16_384;
/** Text of the bodies, in characters, of one model and of all: rows with images would otherwise fill the memory. */
const MAX_MODEL_BYTES = 8 * 1024 * 1024;
const MAX_BYTES = 32 * 1024 * 1024;
/** What is left of a full memory. */
const KEPT_SHARE = 0.75;

/** Where the rows of one commit are in the log: in the order of the requests, from `firstSeq` on without a gap. */
export interface CommitPlace {
  readonly transactionId: bigint;
  readonly firstSeq: bigint;
  readonly receivedAt: Instant;
}

/** A request and the characters of its bodies. */
export interface WrittenRequest {
  readonly request: AppendRequest;
  readonly bytes: number;
}

/** Events of one model that follow one another in one commit. */
interface Block extends CommitPlace {
  readonly events: ExampleEvent[];
  readonly knownAt: readonly Instant[] | undefined;
  lastSeq: bigint;
  bytes: number;
  /** Made for the first reader: most of what is imported nobody asks for here. */
  logged: readonly LoggedEvent[] | undefined;
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

  /** To be called with every commit in their order, before its callers learn of it. @param place undefined where it is not known */
  note(written: readonly WrittenRequest[], place: CommitPlace | undefined): void {
    let next = place?.firstSeq ?? 0n;
    for (let i = 0; i < written.length; ) {
      const { model, knownAt } = (written[i] as WrittenRequest).request;
      const events: ExampleEvent[] = [];
      let bytes = 0;
      do {
        const { request, bytes: own } = written[i++] as WrittenRequest;
        for (const event of request.events) events.push(event);
        bytes += own;
      } while (knownAt === undefined && isSameBlock(model, written[i]?.request));
      if (events.length === 0) continue;
      const firstSeq = next;
      next += BigInt(events.length);
      if (place === undefined) this.#forget(model);
      else {
        const { transactionId, receivedAt } = place;
        const lastSeq = next - 1n;
        this.#add(model, { transactionId, receivedAt, firstSeq, lastSeq, events, knownAt, bytes, logged: undefined });
      }
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
    for (let i = firstBlockAfter(newest.blocks, cursor); i < newest.blocks.length; i++) {
      for (const event of loggedOf(newest.blocks[i] as Block)) {
        if (found.length === limit) return found;
        if (compareToCursor(event, cursor) > 0 && (kinds === undefined || kinds.includes(event.kind)))
          found.push(event);
      }
    }
    return found;
  }

  #add(model: string, block: Block): void {
    let newest = this.#models.get(model);
    if (newest === undefined) {
      // All rows of its transaction are this commit's.
      newest = { from: { transactionId: block.transactionId, seq: 0n }, blocks: [], rows: 0, bytes: 0 };
    }
    // Whoever wrote last is forgotten last.
    this.#models.delete(model);
    this.#models.set(model, newest);
    newest.blocks.push(block);
    newest.rows += block.events.length;
    newest.bytes += block.bytes;
    this.#bytes += block.bytes;
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
      const { events, bytes, transactionId, lastSeq } = blocks[count] as Block;
      newest.rows -= events.length;
      newest.bytes -= bytes;
      this.#bytes -= bytes;
      newest.from = { transactionId, seq: lastSeq };
      count += 1;
    }
    blocks.splice(0, count);
  }

  #forget(model: string): void {
    this.#bytes -= this.#models.get(model)?.bytes ?? 0;
    this.#models.delete(model);
  }
}

const isSameBlock = (model: string, next: AppendRequest | undefined) =>
  next !== undefined && next.model === model && next.knownAt === undefined;

function loggedOf(block: Block): readonly LoggedEvent[] {
  block.logged ??= block.events.map((event, i) => loggedAt(event, block, i, block.knownAt));
  return block.logged;
}

/** An event of a request as the log gives it back. @param i its place in the request, whose rows begin at `place` */
export function loggedAt(
  event: ExampleEvent,
  place: CommitPlace,
  i: number,
  knownAt: readonly Instant[] | undefined,
): LoggedEvent {
  const { transactionId, receivedAt } = place;
  const seq = place.firstSeq + BigInt(i);
  // The event last: what is added to a copy that was spread first costs Node 20 some microseconds a key.
  if (knownAt === undefined) return { transactionId, seq, receivedAt, ...event };
  return { transactionId, seq, receivedAt: knownAt[i] as Instant, importedAt: receivedAt, ...event };
}

/** Index of the first block that ends after the cursor. */
function firstBlockAfter(blocks: readonly Block[], cursor: LogCursor): number {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { transactionId, lastSeq } = blocks[middle] as Block;
    if (compareToCursor({ transactionId, seq: lastSeq }, cursor) > 0) high = middle;
    else low = middle + 1;
  }
  return low;
}
