/**
 * Server-sent events by fetch: EventSource cannot send a token. Reconnects with the last id, so the server can send what was
 * missed; where it cannot it says `reset`, and everything is read again.
 */
import type { StreamEvent } from "../../../src/server/contract.ts";
import { authorization, refusal } from "./client.ts";

export interface StreamListener {
  onEvent(event: StreamEvent): void;
  /** Events were missed. */
  onReset(): void;
  onState(state: "connecting" | "live" | "lost"): void;
}

interface Message {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: string;
}

/** Waits between attempts: the first is short because a restart takes a second or two. */
const RETRY_MS = [500, 1000, 2000, 5000, 10_000];

/** Listens until `signal` ends it. Never throws: a lost connection is a state, not an error. */
export async function listen(listener: StreamListener, signal: AbortSignal): Promise<void> {
  let lastId: string | undefined;
  let failures = 0;
  while (!signal.aborted) {
    listener.onState(failures === 0 ? "connecting" : "lost");
    try {
      const headers = { accept: "text/event-stream", ...(lastId === undefined ? {} : { "last-event-id": lastId }) };
      const answer = await fetch("/api/v1/stream", { headers: { ...headers, ...authorization() }, signal });
      if (!answer.ok || answer.body === null) throw await refusal(answer);
      listener.onState("live");
      // What happened while nobody listened is unknown at the first connection after a failure without an id.
      if (failures > 0 && lastId === undefined) listener.onReset();
      failures = 0;
      for await (const message of messagesOf(answer.body)) {
        lastId = message.id ?? lastId;
        if (message.event === "reset") listener.onReset();
        else if (message.data !== "") listener.onEvent(JSON.parse(message.data) as StreamEvent);
      }
    } catch {
      // The next attempt, or the state shown meanwhile, is the answer to it.
    }
    failures += 1;
    await pause(RETRY_MS[Math.min(failures, RETRY_MS.length) - 1] ?? 10_000, signal);
  }
}

async function* messagesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Message> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let buffer = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      buffer += value;
      const blocks = buffer.split("\n\n");
      buffer = blocks.pop() ?? "";
      for (const block of blocks) {
        const message = parse(block);
        if (message !== undefined) yield message;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function parse(block: string): Message | undefined {
  const fields = new Map<string, string>();
  for (const line of block.split("\n")) {
    const at = line.indexOf(":");
    if (at > 0) fields.set(line.slice(0, at), line.slice(at + 1).trimStart());
  }
  const data = fields.get("data");
  if (data === undefined) return undefined;
  return { id: fields.get("id"), event: fields.get("event") ?? "message", data };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      done();
    });
  });
}
