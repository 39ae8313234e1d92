/** Server-sent events as an async iterator that reconnects, and says where it left off. */
import type { LoopEvent } from "../server/contract.ts";
import { errorOf, RetrainApiError, unreachable } from "./errors.ts";
import { headersOf, type Transport, urlOf } from "./request.ts";

export interface StreamOptions {
  readonly model?: string;
  readonly signal?: AbortSignal;
  /** Wait before connecting again after a cut, in ms. Default 1000. */
  readonly reconnectMs?: number;
}
/** `reset`: events were missed for good; read the pages again. */
export type StreamItem = LoopEvent | { readonly type: "reset" };

interface Frame {
  readonly id: string | undefined;
  readonly type: string;
  readonly data: string;
}

/** Ends when the signal aborts; throws when the server refuses (a token, a role). */
export async function* streamEvents(transport: Transport, options: StreamOptions = {}): AsyncGenerator<StreamItem> {
  const { signal } = options;
  // A function, because the compiler thinks that a field it saw once keeps its value.
  const isOver = () => signal?.aborted === true;
  let lastId: string | undefined;
  while (!isOver()) {
    const response = await connect(transport, options, lastId);
    if (response?.body) {
      try {
        for await (const frame of frames(response.body)) {
          if (frame.id !== undefined) lastId = frame.id;
          if (frame.type === "reset") yield { type: "reset" };
          else if (frame.data !== "") yield JSON.parse(frame.data) as LoopEvent;
        }
      } catch (error) {
        if (isOver()) return;
        if (error instanceof SyntaxError) throw error;
        // The connection was cut: connect again and go on after the last id.
      }
    }
    if (!isOver()) await pause(options.reconnectMs ?? 1000, signal);
  }
}

async function connect(transport: Transport, options: StreamOptions, lastId: string | undefined) {
  const headers: Record<string, string> = { ...headersOf(transport), accept: "text/event-stream" };
  if (lastId !== undefined) headers["last-event-id"] = lastId;
  const { signal, model } = options;
  try {
    const url = urlOf(transport, "/stream", { model });
    const response = await transport.fetch(url, { headers, ...(signal === undefined ? {} : { signal }) });
    if (response.ok) return response;
    const error = await errorOf(response);
    if (error.status < 500) throw error;
    return undefined;
  } catch (error) {
    if (error instanceof RetrainApiError) throw error;
    if (signal?.aborted === true) return undefined;
    // The very first connection must work; later ones are tried again for as long as it takes.
    if (lastId === undefined) throw unreachable(transport.baseUrl, error);
    return undefined;
  }
}

/** The frames of an event stream; comments (heartbeats) are skipped. */
export async function* frames(body: ReadableStream<Uint8Array>): AsyncGenerator<Frame> {
  const decoder = new TextDecoder();
  let rest = "";
  const reader = body.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const blocks = rest.split(/\r?\n\r?\n/);
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const frame = parseFrame(block);
        if (frame !== undefined) yield frame;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function parseFrame(block: string): Frame | undefined {
  let id: string | undefined;
  let type = "message";
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "id") id = value;
    else if (field === "event") type = value;
    else if (field === "data") data.push(value);
  }
  return data.length === 0 && id === undefined ? undefined : { id, type, data: data.join("\n") };
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    signal?.addEventListener("abort", done, { once: true });
  });
}
