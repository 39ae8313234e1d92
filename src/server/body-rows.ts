/**
 * The rows of a request body, whatever its form. JSON is parsed by the router; the other forms are read as they arrive, so a
 * delivery of any length needs little memory. With an Idempotency-Key the body is gathered first: its hash must be known before
 * its first row is written.
 */
import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import type { FastifyRequest } from "fastify";
import { type Format, formatOfContentType, formatOfPath, readRows } from "../collect/read-rows.ts";
import { canonicalJson, fail, sha256Hex } from "../core/index.ts";
import type { IngestRequest, RowReading } from "../loop/contract.ts";

export interface ReadBody {
  readonly rows: IngestRequest["rows"];
  readonly payloadHash?: string;
}
export interface BodyOptions {
  readonly form?: "observation" | "label";
  /** The key rows stand under in an object; default: `rows`, or `labels`. */
  readonly list?: string;
  /** Gather and hash the body before reading it. */
  readonly hash: boolean;
}

/** A streamed delivery: larger ones belong in several, so that a cut connection does not cost an hour. */
const STREAM_LIMIT_BYTES = 1024 * 1024 * 1024;
/** A gathered one is held in memory. */
const GATHERED_LIMIT_BYTES = 64 * 1024 * 1024;
export async function openBody(request: FastifyRequest, options: BodyOptions): Promise<ReadBody> {
  const contentType = request.headers["content-type"];
  if (contentType?.startsWith("multipart/form-data") === true) {
    const part = await request.file();
    if (part === undefined) {
      throw fail("BODY_INVALID", {
        message: "The form holds no file.",
        remedy: "Send one file, named .csv, .ndjson, .json or .parquet.",
      });
    }
    return streamBody(part.file, formatOfPath(part.filename), options);
  }
  const format = formatOfContentType(contentType);
  return format === "json" ? jsonBody(request.body, options) : streamBody(request.body as Readable, format, options);
}

function jsonBody(body: unknown, options: BodyOptions): ReadBody {
  const list = options.list ?? (options.form === "label" ? "labels" : "rows");
  const values = Array.isArray(body) ? body : listIn(body, list);
  const rows = values.map((value: unknown, i): RowReading => {
    const rowNumber = i + 1;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return { rowNumber, row: value as Record<string, unknown> };
    }
    const problem = { code: "ROW_INVALID", message: "The row is not a JSON object." };
    return { rowNumber, problem, raw: JSON.stringify(value) };
  });
  const hashed = options.hash ? { payloadHash: sha256Hex(canonicalJson(body)) } : {};
  return { rows, ...hashed };
}

function listIn(body: unknown, list: string): readonly unknown[] {
  if (typeof body !== "object" || body === null) {
    throw fail("BODY_INVALID", {
      message: "The body is neither a row nor a list of rows.",
      remedy: `Send {…}, […] or {"${list}": […]}.`,
    });
  }
  const inner = (body as Readonly<Record<string, unknown>>)[list];
  return Array.isArray(inner) ? inner : [body];
}

async function streamBody(stream: Readable, format: Format, options: BodyOptions): Promise<ReadBody> {
  const limited = limit(stream, options.hash ? GATHERED_LIMIT_BYTES : STREAM_LIMIT_BYTES);
  if (!options.hash) return { rows: readRows(format, limited) };
  const chunks: Buffer[] = [];
  const hash = createHash("sha256");
  for await (const chunk of limited) {
    chunks.push(chunk as Buffer);
    hash.update(chunk as Buffer);
  }
  return { rows: readRows(format, Buffer.concat(chunks)), payloadHash: hash.digest("hex") };
}

/** The stream, ended by BODY_TOO_LARGE at the limit. */
async function* limit(stream: Readable, limitBytes: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > limitBytes) {
      throw fail("BODY_TOO_LARGE", {
        message: `The body is larger than ${limitBytes / 1024 / 1024} MiB.`,
        remedy: "Split the delivery, or send it without an Idempotency-Key: then it is streamed.",
      });
    }
    yield chunk;
  }
}
