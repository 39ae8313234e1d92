/**
 * GET /stream: the loop's events as server-sent events. Ids count up within one process; a client that reconnects with
 * `Last-Event-ID` gets what it missed while the last events are still at hand, and a `reset` event where they are not, so it
 * knows to read its pages again. A client that does not read is dropped rather than buffered for.
 */
import type { FastifyInstance, FastifyReply } from "fastify";
import { fail } from "../../core/index.ts";
import type { LoopEvent } from "../../loop/contract.ts";
import { addRoute, modelName, object, type ServerContext } from "../route.ts";

const KEPT_EVENTS = 1000;
const MAX_CLIENTS = 100;
/** Proxies cut idle connections after 30 to 60 s. */
const HEARTBEAT_MS = 15_000;
const MAX_BUFFERED_BYTES = 1024 * 1024;

interface Numbered {
  readonly id: number;
  readonly event: LoopEvent;
}
interface Client {
  readonly reply: FastifyReply;
  readonly model: string | undefined;
}

export class EventStream {
  readonly #kept: Numbered[] = [];
  readonly #clients = new Set<Client>();
  /** Tells two processes apart: an id of another one cannot be continued. */
  readonly #epoch: string;
  #lastId = 0;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(epoch: string) {
    this.#epoch = epoch;
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  publish(event: LoopEvent): void {
    const numbered = { id: ++this.#lastId, event };
    this.#kept.push(numbered);
    if (this.#kept.length > KEPT_EVENTS) this.#kept.shift();
    if (this.#clients.size === 0) return;
    const text = this.#text(numbered);
    for (const client of this.#clients) if (isFor(client, event)) this.#write(client, text);
  }

  open(reply: FastifyReply, model: string | undefined, lastEventId: string | undefined): void {
    if (this.#clients.size >= MAX_CLIENTS) {
      throw fail("TOO_MANY_REQUESTS", {
        message: `${MAX_CLIENTS} listeners are connected already.`,
        remedy: "Close one, or poll.",
        retryable: true,
      });
    }
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      "x-content-type-options": "nosniff",
    });
    const client: Client = { reply, model };
    raw.on("close", () => this.#drop(client));
    raw.write(`retry: 2000\n\n${this.#missed(client, lastEventId)}`);
    this.#clients.add(client);
    this.#heartbeat ??= setInterval(() => {
      for (const each of this.#clients) this.#write(each, ": heartbeat\n\n");
    }, HEARTBEAT_MS).unref();
  }

  close(): void {
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
    for (const client of this.#clients) client.reply.raw.end();
    this.#clients.clear();
  }

  #missed(client: Client, lastEventId: string | undefined): string {
    const match = /^([0-9a-f]+)-(\d{1,15})$/.exec(lastEventId ?? "");
    if (match === null) return lastEventId === undefined ? "" : "event: reset\ndata: {}\n\n";
    const after = Number(match[2]);
    const oldest = this.#kept[0]?.id ?? this.#lastId + 1;
    if (match[1] !== this.#epoch || after < oldest - 1) return "event: reset\ndata: {}\n\n";
    const missed = this.#kept.filter(({ id, event }) => id > after && isFor(client, event));
    return missed.map((numbered) => this.#text(numbered)).join("");
  }

  #text({ id, event }: Numbered): string {
    return `id: ${this.#epoch}-${id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
  }

  #write(client: Client, text: string): void {
    const { raw } = client.reply;
    if (raw.writableLength > MAX_BUFFERED_BYTES) {
      raw.destroy();
      this.#drop(client);
      return;
    }
    raw.write(text);
  }

  #drop(client: Client): void {
    this.#clients.delete(client);
    if (this.#clients.size > 0) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
  }
}

function isFor(client: Client, event: LoopEvent): boolean {
  return client.model === undefined || event.model === null || event.model === client.model;
}

export function addStreamRoute(app: FastifyInstance, context: ServerContext, stream: EventStream): void {
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/stream",
    summary: "Events of the loop as server-sent events",
    tag: "events",
    access: { role: "viewer" },
    query: object({ model: modelName }),
    answer: "text/event-stream of LoopEvent",
    handler: async (request, reply) => {
      const header = request.raw.headers["last-event-id"];
      stream.open(reply, (request.query as { model?: string }).model, typeof header === "string" ? header : undefined);
      return reply;
    },
  });
}
