import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type ObjectStore, sha256Hex } from "../../src/core/index.ts";
import { openFileStore } from "../../src/storage/files/object-store.ts";
import { TELLS_NAMES, watchSyncs } from "./support/syncs.ts";

describe("the object store in a local folder", () => {
  let home: string;
  let root: string;
  let objects: ObjectStore;
  let round = 0;
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "retrain-objects-"));
  });
  beforeEach(() => {
    round += 1;
    root = join(home, `store-${round}`);
    objects = openFileStore(root);
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  const bytes = (text: string) => Buffer.from(text);
  const makeFolder = (files: Record<string, string>) => {
    const folder = mkdtempSync(join(home, "source-"));
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(join(folder, name, ".."), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    return folder;
  };
  const codeOf = async (work: Promise<unknown>) => {
    const error: unknown = await work.catch((thrown: unknown) => thrown);
    return (error as { code?: string }).code;
  };

  it("gives back what was put, with its hash and size", async () => {
    const put = await objects.put("datasets/one.parquet", bytes("hello"));
    expect(put).toEqual({ sha256: sha256Hex("hello"), sizeBytes: 5 });
    expect(Buffer.from(await objects.get("datasets/one.parquet")).toString()).toBe("hello");
    await objects.put("datasets/one.parquet", bytes("again"));
    expect(Buffer.from(await objects.get("datasets/one.parquet")).toString()).toBe("again");
    expect(await objects.list("datasets")).toEqual(["datasets/one.parquet"]);
    expect(await codeOf(objects.get("datasets/two.parquet"))).toBe("NOT_FOUND");
    expect(await codeOf(objects.get("datasets"))).toBe("NOT_FOUND");
  });

  it("counts a folder only once its marker is there, which names every file with its hash", async () => {
    const folder = makeFolder({ "model.json": "{}", "state/weights.bin": "w" });
    expect(await objects.exists("artifacts/abc")).toBe(false);
    await objects.putFolder("artifacts/abc", folder);
    expect(await objects.exists("artifacts/abc")).toBe(true);
    expect(existsSync(folder)).toBe(false);
    const marker = JSON.parse(readFileSync(join(root, "artifacts/abc/complete.json"), "utf8"));
    expect(marker).toEqual({
      files: {
        "model.json": { sha256: sha256Hex("{}"), sizeBytes: 2 },
        "state/weights.bin": { sha256: sha256Hex("w"), sizeBytes: 1 },
      },
    });
    expect(await objects.list("artifacts/abc")).toEqual([
      "artifacts/abc/complete.json",
      "artifacts/abc/model.json",
      "artifacts/abc/state/weights.bin",
    ]);
  });

  it("repeats a folder that a dead process left without its marker, and keeps a whole one", async () => {
    await objects.putFolder("artifacts/a", makeFolder({ "model.json": "first" }));
    await objects.putFolder("artifacts/a", makeFolder({ "model.json": "second" }));
    expect(Buffer.from(await objects.get("artifacts/a/model.json")).toString()).toBe("first");
    unlinkSync(join(root, "artifacts/a/complete.json"));
    expect(await objects.exists("artifacts/a")).toBe(false);
    await objects.putFolder("artifacts/a", makeFolder({ "model.json": "third" }));
    expect(Buffer.from(await objects.get("artifacts/a/model.json")).toString()).toBe("third");
    expect(await objects.exists("artifacts/a")).toBe(true);
  });

  it("shows a reader the old content or the new one, never a part, while it is written over and over", async () => {
    const content = (i: number) => bytes(String(i % 10).repeat(200_000));
    await objects.put("one/file", content(0));
    let isDone = false;
    const writer = async () => {
      for (let i = 1; i <= 40; i++) await objects.put("one/file", content(i));
      isDone = true;
    };
    let reads = 0;
    const reader = async () => {
      while (!isDone) {
        const text = Buffer.from(await objects.get("one/file")).toString();
        expect(text).toBe((text[0] as string).repeat(200_000));
        reads += 1;
      }
    };
    await Promise.all([writer(), reader(), reader()]);
    expect(reads).toBeGreaterThan(5);
    expect(readdirSync(join(root, "one"))).toEqual(["file"]);
  });

  it("shows no part of a file of a folder while it is copied in", async () => {
    const size = 64_000_000;
    const folder = makeFolder({ "model.bin": "w".repeat(size) });
    const sizes = new Set<number>();
    let isDone = false;
    const putting = objects.putFolder("artifacts/large", folder).finally(() => (isDone = true));
    while (!isDone) {
      const found = statSync(join(root, "artifacts/large/model.bin"), { throwIfNoEntry: false });
      if (found !== undefined) sizes.add(found.size);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await putting;
    expect([...sizes]).toEqual([size]);
  });

  describe.skipIf(!TELLS_NAMES)("before it says that something is kept", () => {
    /** What was synced, relative to the store, and the names that stood in its folder at that time. */
    const syncedBy = async (work: () => Promise<unknown>) => {
      const synced: string[] = [];
      await watchSyncs(work, (path) => {
        const name = relative(root, path).replace(/\.tmp-[0-9a-f]+$/, ".tmp");
        const isFolder = statSync(path).isDirectory();
        synced.push(isFolder ? `${name}/ ${readdirSync(path).join(" ")}`.trimEnd() : name);
      });
      return synced;
    };

    it("syncs new folders, then the file without its name, then the folder with the name in it", async () => {
      expect(await syncedBy(() => objects.put("runs/r1/report.json", bytes("{}")))).toEqual([
        "runs/ r1",
        "/ runs",
        `../ ${readdirSync(home).join(" ")}`,
        "runs/r1/report.json.tmp",
        "runs/r1/ report.json",
      ]);
      expect(await syncedBy(() => objects.put("runs/r1/report.json", bytes("[]")))).toEqual([
        "runs/r1/report.json.tmp",
        "runs/r1/ report.json",
      ]);
    });

    it("syncs every file of a folder and where it stands, and last the marker", async () => {
      const folder = makeFolder({ "model.json": "{}", "state/weights.bin": "w" });
      const synced = await syncedBy(() => objects.putFolder("artifacts/a", folder));
      for (const [file, place] of [
        ["artifacts/a/model.json.tmp", /^artifacts\/a\/ .*model\.json\b(?!\.tmp)/],
        ["artifacts/a/state/weights.bin.tmp", /^artifacts\/a\/state\/ weights\.bin$/],
      ] as const) {
        const at = synced.indexOf(file);
        expect([file, at >= 0, synced.slice(at + 1, -2).some((one) => place.test(one))]).toEqual([file, true, true]);
      }
      expect(synced.slice(-2)).toEqual([
        "artifacts/a/complete.json.tmp",
        expect.stringMatching(/^artifacts\/a\/ complete\.json model\.json state$/),
      ]);
    });

    it("syncs a folder without its marker before it deletes what is in it", async () => {
      await objects.putFolder("artifacts/b", makeFolder({ "model.json": "{}" }));
      expect(await syncedBy(() => objects.deletePrefix("artifacts/b"))).toEqual(["artifacts/b/ model.json"]);
    });
  });

  it("leaves nothing behind where a file cannot be published", async () => {
    mkdirSync(join(root, "one", "file"), { recursive: true });
    await expect(objects.put("one/file", bytes("x"))).rejects.toMatchObject({ code: "EISDIR" });
    await expect(objects.putFolder("one", makeFolder({ file: "x" }))).rejects.toMatchObject({ code: "EISDIR" });
    expect(readdirSync(join(root, "one"))).toEqual(["file"]);
  });

  it("does not list what a killed process left half-written", async () => {
    await objects.put("one/file", bytes("x"));
    writeFileSync(join(root, "one/other.tmp-0011"), "half");
    expect(await objects.list("one")).toEqual(["one/file"]);
  });

  it("deletes a prefix with everything below it, and is content when nothing is there", async () => {
    await objects.putFolder("artifacts/a", makeFolder({ "model.json": "1" }));
    await objects.put("artifacts/b", bytes("2"));
    await objects.deletePrefix("artifacts/a");
    await objects.deletePrefix("artifacts/none");
    expect(await objects.exists("artifacts/a")).toBe(false);
    expect(await objects.list("artifacts")).toEqual(["artifacts/b"]);
  });

  it.each([
    "../outside",
    "a/../../b",
    "/etc/passwd",
    "a//b",
    "",
    ".hidden",
    "a/..",
    "a\\b",
    "a\u0000b",
    "a/%2e%2e",
    "a b",
  ])("refuses the key %j", async (key) => {
    expect(await codeOf(objects.put(key, bytes("x")))).toBe("NAME_INVALID");
    expect(await codeOf(objects.get(key))).toBe("NAME_INVALID");
    expect(await codeOf(objects.exists(key))).toBe("NAME_INVALID");
    expect(await codeOf(objects.list(key))).toBe("NAME_INVALID");
    expect(await codeOf(objects.putFolder(key, makeFolder({ a: "1" })))).toBe("NAME_INVALID");
    expect(await codeOf(objects.deletePrefix(key))).toBe("NAME_INVALID");
    expect(existsSync(root) ? readdirSync(root) : []).toEqual([]);
  });
});
