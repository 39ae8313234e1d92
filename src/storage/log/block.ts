/**
 * The tail in blocks. A commit puts its rows into the database not one by one but up to 250 to a row of the table: their bodies as
 * one text, their ids, times and kinds as another each. What a row of the table costs, whatever is in it (the tuple, its place in
 * the index, splitting the texts, the way back through the protocol), is then shared: a prediction took the embedded database 20 us
 * to take in and 5 to give out for compaction, and takes 10 and 1.
 *
 * Texts of a block hold a line per row; blocks of one insert are set apart by U+001E. No text of ours holds either: canonical JSON
 * escapes control characters, and ids are in column form.
 */
import { type AppendRequest, fail, type LogCursor } from "../../core/index.ts";
import { type SqlRow, toNumber } from "../sql.ts";
import type { TailRow } from "./columns.ts";
import type { CommitPlace, WrittenRequest } from "./committed-rows.ts";
import { columnId, eventBody, isLabelled, isUnasked, KIND_CODES } from "./encode.ts";

/** Rows of a block: a reader takes a block whole, and some 2 ms of the event loop with these. */
export const BLOCK_ROWS = 250;
/** Characters of the bodies of a block, beyond which no row is added: rows with images are blocks of their own. */
const BLOCK_CHARACTERS = 256 * 1024;
/**
 * A commit takes so many numbers of the log at once, and its rows the first of them in their order; the others stay unused. There are
 * enough for nine trillion commits.
 */
export const COMMIT_SEQS = 2 ** 20;

/** Stands for the example ids of a block that are its prediction ids, as they are for rows without an id of their own. */
export const SAME_IDS = "\u0002";

/** Added to the digit of a kind: see `isMarked`. */
export const MARK = 4;
/** The digit of a prediction nobody asked for: a challenger's mirrored answer. Counted, it would pass for a request. */
export const UNASKED = MARK + KIND_CODES.prediction;

/** The kind of a row by its digit. */
export const codeOf = (digit: number): number => digit % MARK;
/** True for the digit of a row that is labelled; of a prediction, for one nobody asked for. */
export const isMarked = (digit: number): boolean => digit >= MARK;
/** The digits of a kind, marked or not. */
export const digitsOf = (code: number): string => `${code}${code + MARK}`;

/** Rows that stay together. */
interface Part {
  readonly rows: number;
  readonly kinds: string;
  readonly ats: string;
  /** A line per row, empty where a row has none. */
  readonly exampleIds: string;
  readonly predictionIds: string;
  readonly bodies: string;
  /** Of an import: when each row was known. */
  readonly knownAt: string;
}
/** A request with its texts made, waiting for its batch. */
export interface EncodedRequest extends WrittenRequest {
  readonly bytes: number;
  readonly parts: readonly Part[];
}

type Event = AppendRequest["events"][number];

const digitOf = (event: Event): number => KIND_CODES[event.kind] + (isLabelled(event) || isUnasked(event) ? MARK : 0);
const predictionIdOf = (event: Event) => ("predictionId" in event ? event.predictionId : undefined);

class PartBuilder {
  rows = 0;
  characters = 0;
  #kinds = "";
  #ats = "";
  #exampleIds = "";
  #predictionIds = "";
  #knownAt = "";
  readonly #bodies: string[] = [];

  add(event: Event, knownAt: number | undefined): void {
    const body = eventBody(event);
    const comma = this.rows === 0 ? "" : ",";
    const line = this.rows === 0 ? "" : "\n";
    this.rows += 1;
    this.characters += body.length;
    this.#bodies.push(body);
    this.#kinds += digitOf(event);
    this.#ats += comma + event.at;
    this.#exampleIds += line + (columnId(event.exampleId) ?? "");
    this.#predictionIds += line + (columnId(predictionIdOf(event)) ?? "");
    if (knownAt !== undefined) this.#knownAt += comma + knownAt;
  }

  part(): Part {
    return {
      rows: this.rows,
      kinds: this.#kinds,
      ats: this.#ats,
      exampleIds: this.#exampleIds,
      predictionIds: this.#predictionIds,
      bodies: this.#bodies.length === 1 ? (this.#bodies[0] as string) : this.#bodies.join("\n"),
      knownAt: this.#knownAt,
    };
  }
}

/** A request of one event, as nearly all predictions are: what a builder gives, without one. */
function encodeOne(request: AppendRequest, event: Event): EncodedRequest {
  const bodies = eventBody(event);
  const predictionId = predictionIdOf(event);
  const exampleIds = columnId(event.exampleId) ?? "";
  const part: Part = {
    rows: 1,
    kinds: String(digitOf(event)),
    ats: String(event.at),
    exampleIds,
    predictionIds: predictionId === event.exampleId ? exampleIds : (columnId(predictionId) ?? ""),
    bodies,
    knownAt: request.knownAt === undefined ? "" : String(request.knownAt[0]),
  };
  return { request, rows: 1, bytes: bodies.length, parts: [part], kinds: part.kinds, bodies };
}

/** @throws NUMBER_NOT_FINITE, ROW_INVALID, BODY_TOO_LARGE */
export function encodeRequest(request: AppendRequest): EncodedRequest {
  const { events, knownAt } = request;
  if (events.length === 1) return encodeOne(request, events[0] as Event);
  if (events.length > COMMIT_SEQS) throw tooManyRows(events.length);
  const parts: Part[] = [];
  let bytes = 0;
  let builder = new PartBuilder();
  const close = () => {
    if (builder.rows === 0) return;
    bytes += builder.characters;
    parts.push(builder.part());
    builder = new PartBuilder();
  };
  for (let i = 0; i < events.length; i++) {
    if (builder.rows === BLOCK_ROWS || builder.characters > BLOCK_CHARACTERS) close();
    builder.add(events[i] as Event, knownAt?.[i]);
  }
  close();
  const [first] = parts;
  const isOne = parts.length === 1 && first !== undefined;
  return {
    request,
    rows: events.length,
    bytes,
    parts,
    kinds: isOne ? first.kinds : parts.map(({ kinds }) => kinds).join(""),
    bodies: isOne ? first.bodies : parts.map(({ bodies }) => bodies).join("\n"),
  };
}

function tooManyRows(rows: number) {
  return fail("BODY_TOO_LARGE", {
    message: `A request of ${rows} rows is larger than a commit can be: ${COMMIT_SEQS} rows.`,
    remedy: "Send the rows in several requests.",
  });
}

/** Rows as they are inserted. */
export interface NewBlock {
  readonly model: string;
  /** Of its first row among the rows of the insert, from 0 on. */
  readonly offset: number;
  readonly rows: number;
  readonly parts: readonly Part[];
}

/** The blocks of a batch, in its order: parts that follow one another share a block while there is room. */
export function blocksOf(batch: readonly EncodedRequest[]): NewBlock[] {
  const blocks: (NewBlock & { rows: number; characters: number; parts: Part[] })[] = [];
  let open: (typeof blocks)[number] | undefined;
  let offset = 0;
  for (const { request, parts } of batch) {
    for (const part of parts) {
      const fits =
        open !== undefined &&
        open.model === request.model &&
        open.rows + part.rows <= BLOCK_ROWS &&
        open.characters + part.bodies.length <= BLOCK_CHARACTERS &&
        (open.parts[0]?.knownAt === "") === (part.knownAt === "");
      if (!fits || open === undefined) {
        open = { model: request.model, offset, rows: 0, characters: 0, parts: [] };
        blocks.push(open);
      }
      open.rows += part.rows;
      open.characters += part.bodies.length;
      open.parts.push(part);
      offset += part.rows;
    }
  }
  return blocks;
}

/** A block as the database gives it back. */
export interface TailBlock {
  readonly transactionId: bigint;
  readonly lastSeq: bigint;
  readonly rows: number;
  /** Of the commit. */
  readonly receivedAt: number;
  readonly kinds: string;
  readonly knownAt: string | null;
  readonly ats: string;
  readonly exampleIds: string;
  readonly predictionIds: string;
  readonly bodies: string;
}
export const BLOCK_COLUMNS =
  "xid::text as xid, last_seq, rows, received_at, kinds, known_at, ats, example_ids, prediction_ids, bodies";

export function toTailBlock(row: SqlRow): TailBlock {
  return {
    transactionId: BigInt(row["xid"] as string),
    lastSeq: BigInt(row["last_seq"] as number),
    rows: toNumber(row["rows"]),
    receivedAt: toNumber(row["received_at"]),
    kinds: row["kinds"] as string,
    knownAt: row["known_at"] as string | null,
    ats: row["ats"] as string,
    exampleIds: row["example_ids"] as string,
    predictionIds: row["prediction_ids"] as string,
    bodies: row["bodies"] as string,
  };
}

export type CodedRow = TailRow & { readonly kind: number; readonly isMarked: boolean };

/** The rows of a block in their order. */
export function rowsOf(block: TailBlock): CodedRow[] {
  const { transactionId, kinds, receivedAt } = block;
  const ats = block.ats.split(",");
  const known = block.knownAt?.split(",");
  const predictionIds = block.predictionIds.split("\n");
  const exampleIds = block.exampleIds === SAME_IDS ? predictionIds : block.exampleIds.split("\n");
  let seq = block.lastSeq - BigInt(block.rows);
  return block.bodies.split("\n").map((body, i): CodedRow => {
    const digit = kinds.charCodeAt(i) - 48;
    seq += 1n;
    return {
      transactionId,
      seq,
      receivedAt: known === undefined ? receivedAt : Number(known[i]),
      importedAt: known === undefined ? null : receivedAt,
      at: Number(ats[i]),
      exampleId: exampleIds[i] || null,
      predictionId: predictionIds[i] || null,
      body,
      kind: codeOf(digit),
      isMarked: isMarked(digit),
    };
  });
}

/** Where the last row of a block stands. */
export const endOf = ({ transactionId, lastSeq }: TailBlock): LogCursor => ({ transactionId, seq: lastSeq });

/** Where the rows of an insert stand. */
export function placeOf(row: SqlRow, receivedAt: number): CommitPlace {
  return {
    transactionId: BigInt(row["xid"] as string),
    firstSeq: BigInt(row["first"] as number),
    receivedAt,
  };
}
