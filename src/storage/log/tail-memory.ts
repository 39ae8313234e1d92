/**
 * The tail of a model as the only writer read it and went on writing it. A tick asks for the events after several cursors and for the
 * facts of every example they name; each of these questions costs the database a pass of the tail. It is read once, and what is
 * written afterwards is taken from the commit.
 *
 * What is here is the whole tail of one generation of the segment set, so an answer goes with the segments of that generation like
 * one of the database. A tail that is too long to keep is asked there as ever. Segments are changed by this process alone, which
 * calls `clear` whenever it has; with other writers this is not used.
 */
import type { EventKind, Instant, LogCursor, LoggedEvent } from "../../core/index.ts";
import { LOG_START } from "../../core/index.ts";
import type { SqlDatabase } from "../sql.ts";
import type { TailRow } from "./columns.ts";
import { type CommittedRows, kindOf, loggedRow } from "./committed-rows.ts";
import { columnId, encodeText, isLabelled } from "./encode.ts";
import { compareToCursor } from "./cursor.ts";
import { tailAfter, type TailView, toLoggedEvent } from "./tail.ts";

/** Rows kept per model: half a minute, which is how long rows wait for their compaction, of 300 a second. */
const MAX_ROWS = 10_000;
/** Text of the bodies kept, in characters, of one model and of all: rows with images would otherwise fill the memory. */
const MAX_MODEL_BYTES = 8 * 1024 * 1024;
const MAX_BYTES = 32 * 1024 * 1024;

interface Kept {
  readonly row: TailRow;
  readonly kind: EventKind;
  /** There while it is among the newest: the folds of a tick ask for the same rows one after the other. */
  event: LoggedEvent | undefined;
}
interface Tail {
  readonly generation: number;
  horizon: bigint;
  /** Of how many rows the model had been sent the tail knows. */
  written: number;
  bytes: number;
  readonly rows: Kept[];
  /** Not among the rows yet: most of what is written fast nobody asks for. */
  news: CommittedRows[];
  newsRows: number;
  /** Rows by their ids in column form. */
  readonly byExample: Map<string, Kept[]>;
  readonly byPrediction: Map<string, Kept[]>;
  newest: readonly Kept[];
}
/** Too long to keep: not asked for again before the next compaction. */
const LONG = "long";

export interface WantedRows {
  readonly kinds: readonly { readonly kind: EventKind; readonly labelledOnly?: boolean }[];
  readonly predictionIds: readonly string[];
  readonly exampleIds: readonly string[];
  readonly asOf: Instant;
}

export class TailMemory {
  readonly #database: SqlDatabase;
  readonly #tails = new Map<string, Tail | typeof LONG>();
  readonly #loading = new Map<string, Promise<unknown>>();
  readonly #written = new Map<string, number>();
  /** What `#written` was at the last `clear`: the tail holds about as many rows as came since. */
  #clearedAt = new Map<string, number>();
  /** Grows with every `clear`: what was read before one is not kept after it. */
  #cleared = 0;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** To be called with every commit in their order, before its callers learn of it. */
  note(committed: readonly CommittedRows[]): void {
    for (const news of committed) {
      const before = this.#writtenTo(news.model);
      this.#written.set(news.model, before + news.rows);
      const tail = this.#tail(news.model);
      if (tail?.written === before) extend(tail, news);
    }
    this.#makeRoom();
  }

  /** To be called after every change of the segment set, whatever became of it. */
  clear(): void {
    this.#cleared += 1;
    this.#tails.clear();
    this.#clearedAt = new Map(this.#written);
  }

  /** Events after the cursor in log order; undefined when the database has to be asked. */
  async after(
    model: string,
    cursor: LogCursor,
    options: { readonly limit: number; readonly kinds?: readonly EventKind[] },
  ): Promise<TailView<LoggedEvent[]> | undefined> {
    const tail = await this.#current(model);
    if (tail === undefined) return undefined;
    const events: LoggedEvent[] = [];
    for (let i = firstAfter(tail.rows, cursor); i < tail.rows.length && events.length < options.limit; i++) {
      const kept = tail.rows[i] as Kept;
      if (options.kinds === undefined || options.kinds.includes(kept.kind)) events.push(eventOf(kept));
    }
    return { generation: tail.generation, horizon: tail.horizon, rows: events };
  }

  /** Events of the kinds that name one of the ids; undefined when the database has to be asked. */
  async byIds(model: string, wanted: WantedRows): Promise<TailView<LoggedEvent[]> | undefined> {
    const tail = await this.#current(model);
    if (tail === undefined) return undefined;
    const found = new Set<Kept>();
    for (const id of wanted.predictionIds)
      for (const kept of tail.byPrediction.get(encodeText(id)) ?? []) found.add(kept);
    for (const id of wanted.exampleIds) for (const kept of tail.byExample.get(encodeText(id)) ?? []) found.add(kept);
    const events = [...found].filter((kept) => isWanted(kept, wanted)).map(eventOf);
    return { generation: tail.generation, horizon: tail.horizon, rows: events };
  }

  /** The segment set has moved on since the tail was read: it is read again. */
  forget(model: string, generation: number): void {
    const tail = this.#tails.get(model);
    if (tail !== undefined && tail !== LONG && tail.generation === generation) this.#tails.delete(model);
  }

  #writtenTo(model: string): number {
    return this.#written.get(model) ?? 0;
  }

  /** The tail with everything committed at the call. */
  async #current(model: string): Promise<Tail | undefined> {
    for (;;) {
      const known = this.#tails.get(model);
      if (known === LONG) return undefined;
      if (known?.written === this.#writtenTo(model)) {
        this.#keep(model, known);
        return settled(known);
      }
      const loading = this.#loading.get(model);
      if (loading === undefined) break;
      // It may have begun before the rows this caller asks for were there.
      await loading.catch(() => {});
    }
    const load = this.#load(model).finally(() => this.#loading.delete(model));
    this.#loading.set(model, load);
    return load;
  }

  async #load(model: string): Promise<Tail | undefined> {
    const { written, cleared, known } = {
      written: this.#writtenTo(model),
      cleared: this.#cleared,
      known: this.#tail(model),
    };
    if (known !== undefined) settled(known);
    const news = written - (known?.written ?? this.#clearedAt.get(model) ?? 0);
    const room = MAX_ROWS - (known?.rows.length ?? 0);
    if (news > room) return this.#giveUp(model, cleared);
    const limit = room + 1;
    const read = await tailAfter(this.#database, model, known?.rows.at(-1)?.row ?? LOG_START, {
      limit,
      // Nobody knows how long a tail is that an earlier process wrote.
      isLong: known === undefined,
    });
    if (read.rows.length === limit) return this.#giveUp(model, cleared);
    const isSame = known !== undefined && read.generation === known.generation;
    if (known !== undefined && !isSame) {
      this.#tails.delete(model);
      return this.#load(model);
    }
    const tail = known ?? emptyTail(read.generation);
    take(tail, read, written);
    if (tail.bytes > MAX_MODEL_BYTES) {
      this.#giveUp(model, cleared);
      return tail;
    }
    if (cleared === this.#cleared) this.#keep(model, tail);
    return tail;
  }

  #tail(model: string): Tail | undefined {
    const known = this.#tails.get(model);
    return known === LONG ? undefined : known;
  }

  #giveUp(model: string, cleared: number): undefined {
    if (cleared === this.#cleared) this.#tails.set(model, LONG);
  }

  /** Newest last. */
  #keep(model: string, tail: Tail): void {
    this.#tails.delete(model);
    this.#tails.set(model, tail);
    this.#makeRoom();
  }

  /** When all are too much, the models nobody asked about for the longest time are forgotten. */
  #makeRoom(): void {
    let bytes = 0;
    for (const one of this.#tails.values()) if (one !== LONG) bytes += one.bytes;
    for (const [name, one] of this.#tails) {
      if (bytes <= MAX_BYTES) return;
      if (one === LONG) continue;
      bytes -= one.bytes;
      this.#tails.delete(name);
    }
  }
}

function emptyTail(generation: number): Tail {
  return {
    generation,
    horizon: 0n,
    written: 0,
    bytes: 0,
    rows: [],
    news: [],
    newsRows: 0,
    byExample: new Map(),
    byPrediction: new Map(),
    newest: [],
  };
}

function take(tail: Tail, read: Awaited<ReturnType<typeof tailAfter>>, written: number): void {
  for (const row of read.rows) tail.bytes += row.body.length;
  add(
    tail,
    read.rows.map((row): Kept => ({ row, kind: row.kind, event: undefined })),
  );
  tail.horizon = read.horizon;
  tail.written = written;
}

/** A tail that has no room for it stays behind: it is read again, and found too long. */
function extend(tail: Tail, news: CommittedRows): void {
  const { rows, bodies, place } = news;
  if (place === undefined) return;
  if (tail.rows.length + tail.newsRows + rows > MAX_ROWS || tail.bytes + bodies.length > MAX_MODEL_BYTES) return;
  tail.written += rows;
  const last = tail.rows.at(-1)?.row;
  // A reader that came between the commit and this call has the rows already.
  if (last !== undefined && compareToCursor(last, { ...place, seq: place.firstSeq }) >= 0) return;
  tail.news.push(news);
  tail.newsRows += rows;
  tail.bytes += bodies.length;
}

/** The tail with its news among the rows. */
function settled(tail: Tail): Tail {
  if (tail.newsRows > 0) add(tail, tail.news.flatMap(keptOf));
  tail.news = [];
  tail.newsRows = 0;
  return tail;
}

function keptOf(news: CommittedRows): Kept[] {
  const { place, bodies } = news;
  if (place === undefined) return [];
  return bodies.split("\n").map((body, i): Kept => {
    const event = loggedRow(news, place, i, body);
    const { transactionId, seq, receivedAt, importedAt = null, at } = event;
    const exampleId = columnId(event.exampleId);
    const predictionId = columnId("predictionId" in event ? event.predictionId : undefined);
    return {
      row: { transactionId, seq, receivedAt, importedAt, at, exampleId, predictionId, body },
      kind: kindOf(news, i),
      event,
    };
  });
}

function add(tail: Tail, fresh: readonly Kept[]): void {
  for (const kept of tail.newest) kept.event = undefined;
  for (const kept of fresh) {
    tail.rows.push(kept);
    if (kept.row.exampleId !== null) put(tail.byExample, kept.row.exampleId, kept);
    if (kept.row.predictionId !== null) put(tail.byPrediction, kept.row.predictionId, kept);
  }
  tail.newest = fresh;
}

function put(lists: Map<string, Kept[]>, id: string, kept: Kept): void {
  const list = lists.get(id);
  if (list === undefined) lists.set(id, [kept]);
  else list.push(kept);
}

function eventOf(kept: Kept): LoggedEvent {
  kept.event ??= toLoggedEvent(kept.row);
  return kept.event;
}

function isWanted(kept: Kept, { kinds, asOf }: WantedRows): boolean {
  if (kept.row.receivedAt > asOf) return false;
  return kinds.some(
    ({ kind, labelledOnly }) => kind === kept.kind && (labelledOnly !== true || isLabelled(eventOf(kept))),
  );
}

/** Index of the first row after the cursor. */
function firstAfter(rows: readonly Kept[], cursor: LogCursor): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareToCursor((rows[middle] as Kept).row, cursor) > 0) high = middle;
    else low = middle + 1;
  }
  return low;
}
