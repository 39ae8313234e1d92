/**
 * The embedded database's file system with a working fsync. As published, PGlite never calls fsync: a killed process
 * loses nothing, a power cut would. Emscripten forwards PostgreSQL's fsync to `stream_ops.fsync` of the mounted file
 * system, which is absent; this puts it there. The place moved between releases before, hence the pinned version and
 * the probe at start (`worker.ts`), which refuses to run when no fsync was seen.
 */
import { fsyncSync } from "node:fs";
import type { PGlite } from "@electric-sql/pglite";
import { NodeFS } from "@electric-sql/pglite/nodefs";
import type { FileStream, NodeFileSystem, SyncedFiles } from "./synced-files.ts";

/** WASI error numbers. A thrown error instead would leave PostgreSQL's loop running for ever. */
const ENOSPC = 51;
const EIO = 29;

/** `no-fsync`: leave the hook out. `fsync-eio:N`: the Nth fsync after start fails once, as a dying disk reports it. */
export interface FsyncFault {
  readonly isHookMissing: boolean;
  readonly failsAt: number | undefined;
}

export function parseFault(text: string | undefined): FsyncFault {
  const match = /^fsync-eio:(\d+)$/.exec(text ?? "");
  return { isHookMissing: text === "no-fsync", failsAt: match ? Number(match[1]) : undefined };
}

export class DurableNodeFS extends NodeFS {
  /** Calls since the object was made; the start-up probe compares it before and after one commit. */
  fsyncs = 0;
  readonly #fault: FsyncFault;
  readonly #synced: SyncedFiles;
  #endWatch = () => {};

  /** `synced` may answer for the disk until `opened`. */
  constructor(directory: string, fault: FsyncFault, synced: SyncedFiles) {
    super(directory);
    this.#fault = fault;
    this.#synced = synced;
  }

  /** The database is open: from here on every call reaches the disk. */
  opened(): void {
    this.#endWatch();
  }

  override async init(pg: PGlite, options: Parameters<NodeFS["init"]>[1]): ReturnType<NodeFS["init"]> {
    const result = await super.init(pg, options);
    result.emscriptenOpts.preRun?.push((module: unknown) => {
      if (this.#fault.isHookMissing) return;
      const files = (module as { NODEFS: NodeFileSystem }).NODEFS;
      files.stream_ops.fsync = (stream) => this.#fsync(stream, files);
      this.#endWatch = this.#synced.watch(files);
    });
    return result;
  }

  #fsync(stream: FileStream, files: NodeFileSystem): number {
    if (this.#synced.has(stream, files)) return 0;
    this.fsyncs += 1;
    if (this.fsyncs === this.#fault.failsAt) return EIO;
    try {
      fsyncSync(stream.nfd);
      return 0;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "ENOSPC" ? ENOSPC : EIO;
    }
  }
}
