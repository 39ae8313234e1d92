/**
 * CloudEvents 1.0 over HTTP: structured (one JSON object) and binary (attributes in `ce-` headers, the body is the data). Senders are
 * other people's systems, so a subject may be any text: it is a model's name only where there is one of that name.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Json, JsonObject } from "../core/index.ts";
import { text } from "./route.ts";

export interface CloudEvent {
  readonly specversion: string;
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject?: string;
  readonly data?: Json;
}

export const CLOUD_EVENT = {
  type: "object",
  properties: {
    specversion: { const: "1.0" },
    id: text(256),
    source: text(1024),
    type: text(128),
    subject: text(1024),
  },
  required: ["specversion", "id", "source", "type"],
};

const ATTRIBUTES = ["specversion", "id", "source", "type", "subject"] as const;

/** A request in binary mode as the event it carries, to be checked like a structured one; any other body as it is. */
export function readEventBody(headers: IncomingHttpHeaders, body: unknown): unknown {
  if (headers["ce-specversion"] === undefined) return body;
  const attributes = ATTRIBUTES.flatMap((name) => {
    const value = headers[`ce-${name}`];
    return typeof value === "string" ? [[name, decoded(value)]] : [];
  });
  return { ...Object.fromEntries(attributes), data: body };
}

/** Headers carry other letters than ASCII percent-encoded. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

const isFacts = (data: Json): data is JsonObject => typeof data === "object" && data !== null && !Array.isArray(data);

/** @param models names of the models there are */
export function ownEvent(
  event: CloudEvent,
  models: readonly string[],
): { readonly name: string; readonly model: string | undefined; readonly details: JsonObject } {
  const { id, source, type, subject, data } = event;
  const facts: JsonObject = data === undefined ? {} : isFacts(data) ? data : { data };
  const about: JsonObject = subject === undefined ? {} : { subject };
  return {
    name: type,
    model: subject !== undefined && models.includes(subject) ? subject : undefined,
    details: { ...facts, ...about, cloudEventId: id, source },
  };
}
