import { cpSync, fstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { createRequire, syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/core/index.ts";
import { DurableNodeFS, parseFault } from "../../src/storage/pglite/durable-fs.ts";
import { type FileStream, type NodeFileSystem, SyncedFiles } from "../../src/storage/pglite/synced-files.ts";
import { openDatabase } from "../../src/storage/pool.ts";

/** What of Emscripten's file system the test does to files. */
interface EmscriptenFiles {
  open(path: string, flags: string): FileStream;
  close(stream: FileStream): void;
  write(stream: FileStream, bytes: Uint8Array, offset: number, length: number, position: number): void;
  truncate(path: string, size: number): void;
  rename(from: string, to: string): void;
  unlink(path: string): void;
  writeFile(path: string, text: string): void;
}

const DATA = "/pglite/data";
/** With fsync on, as the server runs it. */
const startParams = [
  ...PGlite.defaultStartParams.filter((parameter) => parameter !== "-F"),
  "-c",
  "wal_sync_method=fsync",
];
let home: string;
let crashed: string;

/** A copy of a cluster whose database is running: what a kill leaves. */
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "retrain-synced-"));
  const directory = join(home, "running");
  const database = await openDatabase({ directory, systemClock });
  await database.query("create table item (id int)");
  await database.query("insert into item values (1), (2)");
  crashed = join(home, "crashed");
  cpSync(join(directory, "database"), crashed, { recursive: true });
  // The database itself leaves this folder alone while it recovers.
  writeFileSync(join(crashed, "pg_serial", "old"), "");
  await database.close();
}, 60_000);
afterAll(() => rmSync(home, { recursive: true, force: true }));

async function openCopy(name: string, synced?: SyncedFiles) {
  const folder = join(home, name);
  cpSync(crashed, folder, { recursive: true });
  const files = new DurableNodeFS(folder, parseFault(undefined), synced ?? (await SyncedFiles.of(folder)));
  const database = await PGlite.create({ fs: files, startParams });
  return { folder, files, database };
}

describe("a commit", () => {
  it("reaches the disk by a call of the system, for each that is counted", async () => {
    // The very object the module's named import follows: counting alone would satisfy the probe at start.
    const system = createRequire(import.meta.url)("node:fs") as { fsyncSync: (descriptor: number) => void };
    const { fsyncSync } = system;
    const calls = { file: 0, folder: 0 };
    system.fsyncSync = (descriptor) => {
      calls[fstatSync(descriptor).isDirectory() ? "folder" : "file"] += 1;
      fsyncSync(descriptor);
    };
    syncBuiltinESMExports();
    try {
      const { files, database } = await openCopy("counted");
      files.opened();
      const before = files.fsyncs;
      for (let id = 3; id < 8; id++) await database.query("insert into item values ($1)", [id]);
      expect(files.fsyncs - before).toBeGreaterThanOrEqual(5);
      // Renames a file into its place, for which the folder has to be synced.
      const { folder } = calls;
      await database.exec("alter system set work_mem = '5MB'");
      expect(calls.folder).toBeGreaterThan(folder);
      expect(calls.file + calls.folder).toBe(files.fsyncs);
      await database.close();
    } finally {
      system.fsyncSync = fsyncSync;
      syncBuiltinESMExports();
    }
  }, 60_000);
});

describe("an fsync that fails", () => {
  it.each([
    ["ENOSPC", 51],
    ["EIO", 29],
  ])(
    "is told to the database (%s)",
    async (code, errno) => {
      const system = createRequire(import.meta.url)("node:fs") as { fsyncSync: (descriptor: number) => void };
      const { fsyncSync } = system;
      const { files, database } = await openCopy(code);
      files.opened();
      const { FS, NODEFS } = database.Module as unknown as { FS: EmscriptenFiles; NODEFS: NodeFileSystem };
      const stream = FS.open(`${DATA}/PG_VERSION`, "r");
      expect(NODEFS.stream_ops.fsync?.(stream)).toBe(0);
      system.fsyncSync = () => {
        throw Object.assign(new Error(code), { code });
      };
      syncBuiltinESMExports();
      try {
        expect(NODEFS.stream_ops.fsync?.(stream)).toBe(errno);
      } finally {
        system.fsyncSync = fsyncSync;
        syncBuiltinESMExports();
      }
      FS.close(stream);
      await database.close();
    },
    60_000,
  );
});

describe("a cluster that was not shut down", () => {
  it("has every file and folder synced by a call of the system each", async () => {
    const handle = await open(join(crashed, "PG_VERSION"));
    const sync = vi.spyOn(Object.getPrototypeOf(handle) as FileHandle, "sync");
    try {
      await SyncedFiles.of(crashed);
      // The folder itself is the one more.
      expect(sync).toHaveBeenCalledTimes(readdirSync(crashed, { recursive: true }).length + 1);
    } finally {
      sync.mockRestore();
      await handle.close();
    }
  });

  it("is synced before it opens, and then asks the disk for what its recovery wrote alone", async () => {
    const { files, database } = await openCopy("prepared");
    expect((await database.query("select id from item order by 1")).rows).toEqual([{ id: 1 }, { id: 2 }]);
    const prepared = files.fsyncs;
    await database.close();
    const bare = await openCopy("bare", await SyncedFiles.of(join(home, "nowhere")));
    await bare.database.close();
    // The database itself asks twice for each of some seven hundred files.
    expect(bare.files.fsyncs).toBeGreaterThan(500);
    expect(prepared).toBeGreaterThan(0);
    expect(prepared).toBeLessThan(bare.files.fsyncs / 10);
  }, 60_000);

  it("counts nothing as synced once the database is open", async () => {
    const folder = join(home, "open");
    cpSync(crashed, folder, { recursive: true });
    const synced = await SyncedFiles.of(folder);
    const { files, database } = await openCopy("open", synced);
    const { FS, NODEFS } = database.Module as unknown as { FS: EmscriptenFiles; NODEFS: NodeFileSystem };
    const stream = FS.open(`${DATA}/PG_VERSION`, "r");
    expect(synced.has(stream, NODEFS)).toBe(true);
    files.opened();
    expect(synced.has(stream, NODEFS)).toBe(false);
    FS.close(stream);
    await database.close();
  }, 60_000);

  it("counts a file as synced only until something is done to it", async () => {
    const synced = await SyncedFiles.of(crashed);
    const files = new DurableNodeFS(crashed, parseFault(undefined), synced);
    const database = await PGlite.create({ fs: files, startParams });
    const module = database.Module as unknown as { FS: EmscriptenFiles; NODEFS: NodeFileSystem };
    const { FS, NODEFS } = module;
    const isSynced = (path: string) => {
      const stream = FS.open(`${DATA}/${path}`, "r");
      try {
        return synced.has(stream, NODEFS);
      } finally {
        FS.close(stream);
      }
    };
    const changes: Record<string, { touched: string; change: () => void }> = {
      "a write": {
        touched: "pg_hba.conf",
        change: () => {
          const stream = FS.open(`${DATA}/pg_hba.conf`, "r+");
          FS.write(stream, Buffer.from("#"), 0, 1, 0);
          FS.close(stream);
        },
      },
      "a new length": { touched: "pg_ident.conf", change: () => FS.truncate(`${DATA}/pg_ident.conf`, 1) },
      "another file in its place": {
        touched: "PG_VERSION",
        change: () => {
          FS.writeFile(`${DATA}/version.new`, readFileSync(join(crashed, "PG_VERSION"), "latin1"));
          FS.rename(`${DATA}/version.new`, `${DATA}/PG_VERSION`);
        },
      },
      "a new file, for its folder": {
        touched: "pg_twophase",
        change: () => FS.writeFile(`${DATA}/pg_twophase/one`, "new"),
      },
      "a file that goes, for its folder": {
        touched: "pg_serial",
        change: () => FS.unlink(`${DATA}/pg_serial/old`),
      },
      "a folder that moves, for all there is": {
        touched: "base",
        change: () => FS.rename(`${DATA}/pg_tblspc`, `${DATA}/pg_moved`),
      },
    };
    for (const [name, { touched, change }] of Object.entries(changes)) {
      expect([name, isSynced(touched)]).toEqual([name, true]);
      change();
      expect([name, isSynced(touched)]).toEqual([name, false]);
    }
    await database.close();
  }, 60_000);
});
