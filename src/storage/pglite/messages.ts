/** What the thread of the database and the main thread say to each other. */
import type { MessagePort } from "node:worker_threads";

/** What a thread is told before it is asked to open anything. */
export interface ThreadData {
  /** Folder of the template to read ahead. */
  readonly template: string | undefined;
}

export interface OpenMessage {
  readonly kind: "open";
  /** The folder of the PostgreSQL cluster. */
  readonly directory: string;
  /** The folder of the template that a new cluster is unpacked from. */
  readonly template: string | undefined;
  /** A planned failure, for the fault tests: see `durable-fs.ts`. */
  readonly fault: string | undefined;
  /** Where replies go: a port of their own can be looked at without waiting for the event loop. */
  readonly replies: MessagePort;
}

export type ToWorker =
  | OpenMessage
  | {
      readonly kind: "batch";
      readonly connection: number;
      readonly bytes: Uint8Array;
      readonly prepares: readonly string[];
      readonly listens: boolean;
    }
  | { readonly kind: "drop"; readonly connection: number }
  | { readonly kind: "close" };

export interface Reply {
  readonly connection: number;
  readonly bytes: Uint8Array;
}

export type FromWorker =
  | { readonly kind: "ready"; readonly probeFsyncs: number }
  /** The database cannot be trusted from here on; no reply follows. */
  | { readonly kind: "fatal"; readonly reason: string }
  | { readonly kind: "closed" };
