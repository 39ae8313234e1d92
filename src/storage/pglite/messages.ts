/** What the thread of the database and the main thread say to each other. */

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

export type FromWorker =
  | { readonly kind: "ready"; readonly probeFsyncs: number }
  | { readonly kind: "reply"; readonly connection: number; readonly bytes: Uint8Array }
  /** The database cannot be trusted from here on; no reply follows. */
  | { readonly kind: "fatal"; readonly reason: string }
  | { readonly kind: "closed" };
