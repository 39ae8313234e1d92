/** What the driver takes for a socket: a Duplex that hands requests to the hub and receives replies from it. */
import { Duplex } from "node:stream";
import { type RequestBatch, RequestSplitter, startupReply } from "./protocol.ts";

export interface StreamOwner {
  submit(connection: number, batch: RequestBatch): void;
  drop(connection: number): void;
  /** Why new connections cannot be served, if so. */
  refusal(): Error | undefined;
}

export class PgliteStream extends Duplex {
  readonly connection: number;
  readonly #owner: StreamOwner;
  readonly #splitter: RequestSplitter;
  #started = false;

  constructor(connection: number, owner: StreamOwner) {
    super();
    this.connection = connection;
    this.#owner = owner;
    this.#splitter = new RequestSplitter(`c${connection}_`);
  }

  // The parts of a socket's interface that the driver uses.
  connect(): this {
    const refusal = this.#owner.refusal();
    if (refusal) process.nextTick(() => this.destroy(refusal));
    else process.nextTick(() => this.emit("connect"));
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }

  receive(reply: Uint8Array): void {
    if (!this.destroyed) this.push(Buffer.from(reply.buffer, reply.byteOffset, reply.byteLength));
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#take(chunk);
    done();
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#take(chunks.length === 1 ? (chunks[0]?.chunk as Buffer) : Buffer.concat(chunks.map(({ chunk }) => chunk)));
    done();
  }

  override _final(done: (error?: Error | null) => void): void {
    done();
    this.push(null);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#owner.drop(this.connection);
    done(error);
  }

  #take(chunk: Buffer): void {
    if (!this.#started) {
      // The startup message (or a request to cancel, which has nobody to reach here) comes whole: the driver writes it at once.
      this.#started = true;
      this.push(startupReply(this.connection));
      return;
    }
    for (const request of this.#splitter.push(chunk)) {
      if (request.kind === "batch") this.#owner.submit(this.connection, request);
      else this.destroy();
    }
  }
}
