/**
 * After a crash PostgreSQL asks for an fsync of every file of the cluster, twice over and one after the other: the dead process may
 * have written any of them, and it cannot know which. That is 1,400 waits for the disk. All of them are synced here before it opens,
 * side by side; while it opens, a file that nothing was done to since counts as synced. Exact because nobody else writes there: the
 * directory's lock keeps others out, and every change the database makes passes through the operations watched here.
 */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { syncTree } from "./sync-tree.ts";

/** What of Emscripten's file system on Node's is used: operations take the stream, the node or the folder's node first. */
export interface NodeFileSystem {
  readonly stream_ops: {
    fsync?: (stream: FileStream) => number;
    write: Operation<FileStream>;
    setattr: Operation<FileStream>;
  };
  readonly node_ops: { setattr: Operation<FileNode>; rename: Operation<FileNode> } & {
    [name in FolderChange]: Operation<FileNode>;
  };
  realPath(node: FileNode): string;
}
export interface FileStream {
  /** Of folders too. */
  readonly nfd: number;
  readonly node: FileNode;
}
export interface FileNode {
  readonly mode: number;
  readonly parent: FileNode;
}
/** The other arguments are passed on as they came; where a name is among them, it is the next. */
type Operation<First> = (first: First, ...rest: unknown[]) => unknown;
type FolderChange = (typeof FOLDER_CHANGES)[number];

const FOLDER_CHANGES = ["mknod", "unlink", "rmdir", "symlink"] as const;
const FILE_TYPE = 0o170000;
const FOLDER = 0o040000;

/** The file in which PostgreSQL keeps its state, at which byte, and what it reads after a shutdown (DB_SHUTDOWNED). */
const CONTROL_FILE = join("global", "pg_control");
const STATE_AT = 16;
const SHUT_DOWN = 1;

export class SyncedFiles {
  readonly #paths: Set<string>;

  private constructor(paths: Set<string>) {
    this.#paths = paths;
  }

  /** Syncs a cluster that was not shut down; one that was, or is not there yet, costs a look. */
  static async of(cluster: string): Promise<SyncedFiles> {
    const state = await stateOf(cluster);
    if (state === undefined || state === SHUT_DOWN) return new SyncedFiles(new Set());
    // A file that could not be synced is not among them: the database's own call meets the error.
    return new SyncedFiles((await syncTree(cluster)).paths);
  }

  has({ node }: FileStream, files: NodeFileSystem): boolean {
    return this.#paths.size > 0 && this.#paths.has(files.realPath(node));
  }

  /** Sees to it that what is changed from here on counts as synced no more. @returns the end of it: from then on nothing does */
  watch(files: NodeFileSystem): () => void {
    const { stream_ops: streams, node_ops: nodes } = files;
    const before = { streams: { ...streams }, nodes: { ...nodes } };
    const changed = (node: FileNode) => this.#paths.delete(files.realPath(node));
    const streamChanges = (operation: Operation<FileStream>): Operation<FileStream> => {
      return (stream, ...rest) => {
        changed(stream.node);
        return operation(stream, ...rest);
      };
    };
    streams.write = streamChanges(streams.write);
    streams.setattr = streamChanges(streams.setattr);
    nodes.setattr = (node, ...rest) => {
      changed(node);
      return before.nodes.setattr(node, ...rest);
    };
    for (const name of FOLDER_CHANGES) {
      nodes[name] = (folder, ...rest) => {
        this.#entryChanges(files.realPath(folder), rest[0]);
        return before.nodes[name](folder, ...rest);
      };
    }
    nodes.rename = (node, ...rest) => {
      // Below a moved folder every path means another file.
      if ((node.mode & FILE_TYPE) === FOLDER) this.#paths.clear();
      changed(node);
      changed(node.parent);
      this.#entryChanges(files.realPath(rest[0] as FileNode), rest[1]);
      return before.nodes.rename(node, ...rest);
    };
    return () => {
      Object.assign(streams, before.streams);
      Object.assign(nodes, before.nodes);
      this.#paths.clear();
    };
  }

  #entryChanges(folder: string, name: unknown): void {
    this.#paths.delete(folder);
    this.#paths.delete(join(folder, String(name)));
  }
}

/** Undefined where there is no cluster. */
async function stateOf(cluster: string): Promise<number | undefined> {
  try {
    const handle = await open(join(cluster, CONTROL_FILE), "r");
    try {
      const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, STATE_AT);
      return buffer.readUInt32LE(0);
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}
