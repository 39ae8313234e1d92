/**
 * The little of PostgreSQL's wire protocol (version 3) that a stand-in for a socket must know: where one request ends,
 * how a session begins, and what a reply says about the transaction and the server's health. A message is one type byte,
 * a big-endian length that counts itself, and a body; only the startup message lacks the type byte.
 * Source: PostgreSQL 18 documentation, chapter 54.
 */

const PARSE = code("P");
const BIND = code("B");
const DESCRIBE = code("D");
const CLOSE = code("C");
const TERMINATE = code("X");
/** Messages after which the server answers: Query, Sync, Flush, CopyDone, CopyFail. */
const ENDS_REQUEST = new Set(["Q", "S", "H", "c", "f"].map(code));

const READY = code("Z");
const ERROR = code("E");
const NOTIFICATION = code("A");

function code(letter: string): number {
  return letter.charCodeAt(0);
}

/** Client messages that the server answers as one; nothing of another connection may come between them. */
export interface RequestBatch {
  readonly kind: "batch";
  readonly bytes: Uint8Array;
  /** Statement names this batch prepares, already made unique to the connection. */
  readonly prepares: readonly string[];
  readonly listens: boolean;
}
export type Request = RequestBatch | { readonly kind: "terminate" };

/**
 * Cuts what a client writes into requests. Names of prepared statements get the connection's prefix, because all
 * connections share one session; unnamed ones need none: a request that uses one also parses it.
 */
export class RequestSplitter {
  readonly #prefix: string;
  #pending: Buffer = Buffer.alloc(0);
  /** Where the next message starts in `#pending`; all before it is complete but not yet answered. */
  #scanned = 0;
  #named = false;
  #listens = false;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  push(chunk: Buffer): Request[] {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const requests: Request[] = [];
    while (this.#pending.length - this.#scanned >= 5) {
      const start = this.#scanned;
      const type = this.#pending[start] as number;
      const end = start + 1 + this.#pending.readUInt32BE(start + 1);
      if (end > this.#pending.length) break;
      this.#scanned = end;
      if (type === TERMINATE) {
        requests.push({ kind: "terminate" });
        this.#cut();
        continue;
      }
      this.#note(type, this.#pending.subarray(start + 5, end));
      if (ENDS_REQUEST.has(type)) requests.push(this.#batch());
    }
    return requests;
  }

  #note(type: number, body: Buffer): void {
    if (type === PARSE || type === CLOSE || type === DESCRIBE || type === BIND) {
      if (statementNameAt(type, body) !== undefined) this.#named = true;
    }
    if (
      (type === PARSE || type === code("Q")) &&
      /^\s*listen\s/i.test(body.toString("latin1", 0, 40).replace(/\0/g, " "))
    ) {
      this.#listens = true;
    }
  }

  #batch(): RequestBatch {
    const prepares: string[] = [];
    const bytes = this.#named
      ? renameStatements(this.#pending.subarray(0, this.#scanned), this.#prefix, prepares)
      : new Uint8Array(this.#pending.subarray(0, this.#scanned));
    const batch: RequestBatch = { kind: "batch", bytes, prepares, listens: this.#listens };
    this.#cut();
    return batch;
  }

  #cut(): void {
    this.#pending = this.#pending.subarray(this.#scanned);
    this.#scanned = 0;
    this.#named = false;
    this.#listens = false;
  }
}

/** Where the statement's name lies in the body and what it is; undefined for the unnamed one and for portals. */
function statementNameAt(type: number, body: Buffer): { start: number; end: number } | undefined {
  let start = 0;
  if (type === BIND) start = body.indexOf(0) + 1;
  else if (type === DESCRIBE || type === CLOSE) {
    if (body[0] !== code("S")) return undefined;
    start = 1;
  }
  const end = body.indexOf(0, start);
  return end > start ? { start, end } : undefined;
}

function renameStatements(batch: Buffer, prefix: string, prepares: string[]): Uint8Array {
  const parts: Buffer[] = [];
  for (let at = 0; at < batch.length; ) {
    const type = batch[at] as number;
    const end = at + 1 + batch.readUInt32BE(at + 1);
    const body = batch.subarray(at + 5, end);
    const isNamed = type === PARSE || type === BIND || type === DESCRIBE || type === CLOSE;
    const name = isNamed ? statementNameAt(type, body) : undefined;
    if (name) {
      const unique = prefix + body.toString("utf8", name.start, name.end);
      if (type === PARSE) prepares.push(unique);
      parts.push(
        message(type, Buffer.concat([body.subarray(0, name.start), Buffer.from(unique), body.subarray(name.end)])),
      );
    } else parts.push(batch.subarray(at, end));
    at = end;
  }
  return new Uint8Array(Buffer.concat(parts));
}

function message(type: number, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head[0] = type;
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** Ends a half-sent request and whatever transaction is open: for a connection that died. */
export const ABANDON: Uint8Array = new Uint8Array(
  Buffer.concat([message(code("S"), Buffer.alloc(0)), message(code("Q"), Buffer.from("ROLLBACK\0"))]),
);

/** Forgets prepared statements by name. */
export function closeStatements(names: Iterable<string>): Uint8Array {
  const closes = [...names].map((name) => message(CLOSE, Buffer.from(`S${name}\0`)));
  return new Uint8Array(Buffer.concat([...closes, message(code("S"), Buffer.alloc(0))]));
}

const PARAMETERS: Readonly<Record<string, string>> = {
  server_version: "18.3",
  server_encoding: "UTF8",
  client_encoding: "UTF8",
  DateStyle: "ISO, MDY",
  integer_datetimes: "on",
  standard_conforming_strings: "on",
  TimeZone: "UTC",
};

/** What a server says to a startup message when no password is asked; the stream answers it without asking the database. */
export function startupReply(connectionId: number): Buffer {
  const parameters = Object.entries(PARAMETERS).map(([name, value]) =>
    message(code("S"), Buffer.from(`${name}\0${value}\0`)),
  );
  const key = Buffer.alloc(8);
  key.writeUInt32BE(connectionId, 0);
  return Buffer.concat([
    message(code("R"), Buffer.alloc(4)),
    ...parameters,
    message(code("K"), key),
    message(READY, Buffer.from("I")),
  ]);
}

export interface ReplySummary {
  /** From the last ReadyForQuery: idle, in a transaction, in a failed one; undefined when the reply has none. */
  readonly status: "I" | "T" | "E" | undefined;
  /** The text of an error after which a real server would have ended the process or the session. */
  readonly fatal: string | undefined;
  readonly notifications: readonly Uint8Array[];
}

/** Walks the messages of a reply. Cost: one step a message, whatever its size. */
export function summarizeReply(reply: Uint8Array): ReplySummary {
  const view = new DataView(reply.buffer, reply.byteOffset, reply.byteLength);
  let status: ReplySummary["status"];
  let fatal: string | undefined;
  const notifications: Uint8Array[] = [];
  for (let at = 0; at + 5 <= reply.length; ) {
    const type = reply[at];
    const end = at + 1 + view.getUint32(at + 1);
    if (type === READY) status = String.fromCharCode(reply[at + 5] as number) as "I" | "T" | "E";
    else if (type === ERROR) fatal ??= fatalText(reply.subarray(at + 5, end));
    else if (type === NOTIFICATION) notifications.push(reply.slice(at, end));
    at = end;
  }
  return { status, fatal, notifications };
}

/** Fields of an ErrorResponse: a letter and a text each. V is the severity in English, M the message. */
function fatalText(body: Uint8Array): string | undefined {
  const fields = new Map<string, string>();
  for (const field of Buffer.from(body).toString("utf8").split("\0")) {
    if (field.length > 1) fields.set(field[0] as string, field.slice(1));
  }
  const severity = fields.get("V") ?? fields.get("S");
  if (severity !== "PANIC" && severity !== "FATAL") return undefined;
  return `${severity}: ${fields.get("M") ?? "no message"}`;
}
