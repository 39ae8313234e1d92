/**
 * Rows as a commit wrote them, kept for readers that follow closely behind: their bodies as one text, which is what was sent to the
 * database anyway. Events kept as objects would cost the garbage collector more than parsing the few that are asked for: at
 * 5,000 predictions a second it copied each of them twice.
 */
import type { AppendRequest, EventKind, ExampleEvent, Instant, LoggedEvent } from "../../core/index.ts";
import { KINDS } from "./encode.ts";

/** Where the rows of one commit are in the log: in the order of the requests, from `firstSeq` on without a gap. */
export interface CommitPlace {
  readonly transactionId: bigint;
  readonly firstSeq: bigint;
  readonly receivedAt: Instant;
}

/** A commit and the bodies of its rows, each a line. */
export interface CommitText {
  readonly place: CommitPlace;
  readonly bodies: string;
}

/** A request as it was written. */
export interface WrittenRequest {
  readonly request: AppendRequest;
  readonly rows: number;
  /** One digit per row: its kind, plus 4 where it is labelled, or a mirrored answer. */
  readonly kinds: string;
  /** A line per row. */
  readonly bodies: string;
}

/** Rows of one model that follow one another in one commit. */
export interface CommittedRows {
  readonly model: string;
  readonly rows: number;
  /** Where they are; undefined where nobody knows whether the commit came about, or others wrote between its rows. */
  readonly place: CommitPlace | undefined;
  readonly knownAt: readonly Instant[] | undefined;
  /** A digit per row, `kindOf` reads it. */
  readonly kinds: string;
  /** A line per row. */
  readonly bodies: string;
}

/** The rows of a commit by model. @param commit undefined where nobody knows whether, or where in the log, it came about */
export function committedRows(written: readonly WrittenRequest[], commit: CommitText | undefined): CommittedRows[] {
  const found: CommittedRows[] = [];
  let firstSeq = commit?.place.firstSeq ?? 0n;
  let start = 0;
  for (let i = 0; i < written.length; ) {
    const { model, knownAt } = (written[i] as WrittenRequest).request;
    let rows = 0;
    let length = -1;
    let kinds = "";
    do {
      const one = written[i++] as WrittenRequest;
      if (one.rows === 0) continue;
      rows += one.rows;
      kinds += one.kinds;
      length += one.bodies.length + 1;
    } while (knownAt === undefined && continues(model, written[i]));
    if (rows === 0) continue;
    const place = commit === undefined ? undefined : { ...commit.place, firstSeq };
    const bodies = commit?.bodies.slice(start, start + length) ?? "";
    found.push({ model, rows, place, knownAt, kinds, bodies });
    firstSeq += BigInt(rows);
    start += length + 1;
  }
  return found;
}

const continues = (model: string, next: WrittenRequest | undefined) =>
  next !== undefined && next.request.model === model && next.request.knownAt === undefined;

export function kindOf({ kinds }: CommittedRows, i: number): EventKind {
  return KINDS[(kinds.charCodeAt(i) - 48) % KINDS.length] as EventKind;
}

/** The event of a row as the log gives it back. @param i its place among the rows @param body its line */
export function loggedRow({ knownAt }: CommittedRows, place: CommitPlace, i: number, body: string): LoggedEvent {
  const { transactionId, receivedAt } = place;
  const seq = place.firstSeq + BigInt(i);
  const event = JSON.parse(body) as ExampleEvent;
  // The event last: what is added to a copy that was spread first costs Node 20 some microseconds a key.
  if (knownAt === undefined) return { transactionId, seq, receivedAt, ...event };
  return { transactionId, seq, receivedAt: knownAt[i] as Instant, importedAt: receivedAt, ...event };
}
