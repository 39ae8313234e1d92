import { appendFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSource, type Source, type SourceBatch } from "../../src/collect/index.ts";
import { type JsonObject, systemClock } from "../../src/core/index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "source-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const fileSource = (path: string): Source =>
  createSource({ name: "s", model: "m", kind: "file", path: join(folder, path), pollMs: 1, missing: [] }, systemClock);

/** Polls like the loop: each batch's position is stored with its rows. */
function follow(source: Source) {
  let position: JsonObject | undefined;
  return {
    position: () => position,
    async poll(limit = Number.POSITIVE_INFINITY): Promise<SourceBatch[]> {
      const batches: SourceBatch[] = [];
      for await (const batch of source.poll(position)) {
        // Through JSON, as the store does.
        position = JSON.parse(JSON.stringify(batch.position)) as JsonObject;
        batches.push(batch);
        if (batches.length >= limit) break;
      }
      return batches;
    },
  };
}
const ids = (batches: readonly SourceBatch[]) =>
  batches.flatMap((batch) => batch.rows.map((one) => ("row" in one ? one.row["id"] : one.problem.code)));
/** As if nobody had written to the file for a minute. */
const rest = (path: string) => {
  const at = new Date(systemClock.now() - 60_000);
  utimesSync(path, at, at);
};
const codes = (batches: readonly SourceBatch[]) => batches.flatMap((batch) => batch.anomalies.map((one) => one.code));

describe("a growing file", () => {
  it("gives each appended line once, with the header of the first part", async () => {
    const path = join(folder, "a.csv");
    const following = follow(fileSource("a.csv"));
    expect(await following.poll()).toEqual([]);
    writeFileSync(path, "id;n\n1;5\n2;6\n");
    expect(ids(await following.poll())).toEqual(["1", "2"]);
    expect(await following.poll()).toEqual([]);
    appendFileSync(path, "3;7\n");
    const [batch] = await following.poll();
    expect(batch?.rows).toMatchObject([{ row: { id: "3", n: "7" }, text: true }]);
    expect(batch?.origin).toBe("file:a.csv");
  });

  it("lets an incomplete last line wait, also inside quotes", async () => {
    const path = join(folder, "a.csv");
    writeFileSync(path, "id,t\n1,x\n2,");
    const following = follow(fileSource("a.csv"));
    expect(ids(await following.poll())).toEqual(["1"]);
    appendFileSync(path, '"half\n');
    expect(ids(await following.poll())).toEqual([]);
    appendFileSync(path, 'whole"\n');
    expect((await following.poll())[0]?.rows).toMatchObject([{ row: { id: "2", t: "half\nwhole" } }]);
  });

  it.each([
    ["a.csv", "id,n\n1,5\n2,6", "\n3,7\n", "\r\n3,7"],
    ["a.ndjson", '{"id":"1"}\n{"id":"2"}', '\n{"id":"3"}\n', '\n{"id":"3"}'],
  ])("takes a whole last line without its end once the file has rested (%s)", async (name, text, ended, open) => {
    const path = join(folder, name);
    for (const more of [ended, open]) {
      writeFileSync(path, text);
      const following = follow(fileSource(name));
      expect(ids(await following.poll())).toEqual(["1"]);
      rest(path);
      expect(ids(await following.poll())).toEqual(["2"]);
      expect(await following.poll()).toEqual([]);
      appendFileSync(path, more);
      rest(path);
      const next = await following.poll();
      expect([codes(next), ids(next), next[0]?.rows[0]?.rowNumber]).toEqual([[], ["3"], 3]);
    }
  });

  it("reads again when a last line that had rested is written on", async () => {
    const path = join(folder, "a.csv");
    writeFileSync(path, "id,n\n1,5\n2,6");
    rest(path);
    const following = follow(fileSource("a.csv"));
    expect(ids(await following.poll())).toEqual(["1", "2"]);
    appendFileSync(path, "7\n");
    const again = await following.poll();
    expect(codes(again)).toEqual(["SOURCE_REWRITTEN"]);
    expect(again[0]).toMatchObject({ mayBeKnown: true, rows: [{ row: { n: "5" } }, { row: { n: "67" } }] });
  });

  it.each([
    ["half a row", "id,n\n1,5\n2"],
    ["an open quote", 'id,n\n1,5\n2,"six'],
    ["a header alone", "id,n"],
  ])("lets %s wait, however long the file rests", async (_, text) => {
    const path = join(folder, "a.csv");
    writeFileSync(path, text);
    rest(path);
    const following = follow(fileSource("a.csv"));
    const before = ids(await following.poll());
    expect([...before, ...ids(await following.poll())]).toEqual(text.includes("1") ? ["1"] : []);
  });

  it("names the line of a broken row by its place in the file, also in a part that was appended", async () => {
    const path = join(folder, "a.csv");
    writeFileSync(path, 'id,t\n\n1,"two\nlines"\n');
    const first = follow(fileSource("a.csv"));
    expect(ids(await first.poll())).toEqual(["1"]);
    appendFileSync(path, "2\n");
    for await (const { rows } of fileSource("a.csv").poll(first.position()))
      expect(rows).toMatchObject([{ problem: { message: "Line 5 has 1 field; the header names 2 columns." } }]);
  });

  it("says once that a quote is never closed and what it costs, and reads on after it is", async () => {
    const path = join(folder, "a.csv");
    writeFileSync(path, 'id,t\n1,x\n2,"y\n3,z\n4,z\n');
    const following = follow(fileSource("a.csv"));
    expect(ids(await following.poll())).toEqual(["1"]);
    rest(path);
    const told = await following.poll();
    expect(ids(told)).toEqual([]);
    expect(told[0]?.anomalies).toMatchObject([
      {
        code: "QUOTE_UNCLOSED",
        message: expect.stringContaining("opened in line 3 of a.csv is not closed"),
        blocking: false,
      },
    ]);
    expect(await following.poll()).toEqual([]);
    writeFileSync(path, 'id,t\n1,x\n2,"y"\n3,z\n4,z\n');
    rest(path);
    expect(ids(await following.poll())).toEqual(["2", "3", "4"]);
  });

  it("says that it waits for a file that is not there", async () => {
    const source = fileSource("a.csv");
    const following = follow(source);
    await following.poll();
    expect(source.waitsFor?.()).toMatch(/^There is no file .*a\.csv\. Create it, or correct its path\.$/);
    writeFileSync(join(folder, "a.csv"), "id,t\n1,x\n");
    await following.poll();
    expect(source.waitsFor?.()).toBeUndefined();
  });

  it("follows NDJSON, and goes on after the position in a new process", async () => {
    const path = join(folder, "a.ndjson");
    writeFileSync(path, '{"id":1}\n{"id":2}\n');
    const first = follow(fileSource("a.ndjson"));
    expect(ids(await first.poll())).toEqual([1, 2]);
    appendFileSync(path, '{"id":3}\n');
    const rest: unknown[] = [];
    for await (const batch of fileSource("a.ndjson").poll(first.position())) rest.push(...ids([batch]));
    expect(rest).toEqual([3]);
  });

  it("gives large files in batches, each with a position from which the rest follows", async () => {
    const lines = Array.from({ length: 4_500 }, (_, i) => `${i},"ü ""${i}"""`);
    writeFileSync(join(folder, "a.csv"), `id,t\n${lines.join("\n")}\n`);
    const following = follow(fileSource("a.csv"));
    const seen: unknown[] = [];
    // A crash after every batch: only what was stored counts.
    for (let round = 0; round < 6; round++) seen.push(...ids(await following.poll(1)));
    expect(seen).toEqual(Array.from({ length: 4_500 }, (_, i) => String(i)));
  });

  it.each([
    ["a changed line", "id\n1\nX\n", false],
    ["a changed header", "ID\n1\n2\n", false],
    ["a shorter file", "id\n1\n", true],
  ])("names %s before the position and reads it again from the start", async (_, content, shorter) => {
    const path = join(folder, "a.csv");
    writeFileSync(path, "id\n1\n2\n");
    const following = follow(fileSource("a.csv"));
    await following.poll();
    writeFileSync(path, content);
    const batches = await following.poll();
    expect(codes(batches)).toEqual(["SOURCE_REWRITTEN"]);
    expect(batches[0]?.anomalies[0]).toMatchObject({ blocking: false, details: { offset: 7, shorter } });
    expect(batches[0]?.rows).toHaveLength(content.split("\n").length - 2);
    expect(batches.every(({ mayBeKnown }) => mayBeKnown === true)).toBe(true);
    appendFileSync(path, "9\n");
    const next = await following.poll();
    expect([codes(next), next[0]?.rows.length, next[0]?.mayBeKnown]).toEqual([[], 1, undefined]);
  });

  it("numbers rows by their place in the file, whatever was read before", async () => {
    for (const [name, header] of [
      ["a.csv", "n\n"],
      ["b.ndjson", ""],
    ] as const) {
      const path = join(folder, name);
      const line = (n: number) => (header === "" ? `{"n":${n}}\n` : `${n}\n`);
      writeFileSync(path, header + line(1) + line(2));
      const following = follow(fileSource(name));
      await following.poll();
      appendFileSync(path, line(3));
      const [batch] = await following.poll();
      expect(batch?.rows.map(({ rowNumber }) => rowNumber)).toEqual([3]);
    }
  });

  it("still knows after a crash that what it reads again may have been taken", async () => {
    const path = join(folder, "a.csv");
    const lines = (first: string) => ["id", first, ...Array.from({ length: 2499 }, (_, i) => `r${i}`), ""].join("\n");
    writeFileSync(path, lines("a"));
    const following = follow(fileSource("a.csv"));
    await following.poll();
    writeFileSync(path, lines("b"));
    expect(await following.poll(1)).toHaveLength(1);
    const after = await following.poll();
    expect(after.map(({ mayBeKnown }) => mayBeKnown)).toEqual([true, true]);
  });

  it("does not take a file saved anew with the same beginning for a changed one", async () => {
    const path = join(folder, "a.csv");
    writeFileSync(path, "id\n1\n2\n");
    const following = follow(fileSource("a.csv"));
    await following.poll();
    rmSync(path);
    writeFileSync(path, "id\n1\n2\n3\n");
    const batches = await following.poll();
    expect([codes(batches), ids(batches)]).toEqual([[], ["3"]]);
  });

  it("names a file that was emptied", async () => {
    const path = join(folder, "a.csv");
    writeFileSync(path, "id\n1\n");
    const following = follow(fileSource("a.csv"));
    await following.poll();
    truncateSync(path);
    expect(codes(await following.poll())).toEqual(["SOURCE_REWRITTEN"]);
    expect(await following.poll()).toEqual([]);
  });
});

describe("a file that is replaced as a whole", () => {
  it("is read again when its content changed, and only then", async () => {
    const path = join(folder, "a.json");
    writeFileSync(path, '[{"id":1},{"id":2}]');
    const following = follow(fileSource("a.json"));
    expect(ids(await following.poll())).toEqual([1, 2]);
    utimesSync(path, 1, 1);
    expect(await following.poll()).toEqual([]);
    writeFileSync(path, '[{"id":3}]');
    expect(ids(await following.poll())).toEqual([3]);
  });
});

describe("a watched folder", () => {
  const past = (path: string, seconds: number) =>
    utimesSync(path, systemClock.now() / 1000 - seconds, systemClock.now() / 1000 - seconds);
  const put = (name: string, content: string, age = 10) => {
    writeFileSync(join(folder, name), content);
    past(join(folder, name), age);
  };
  const watch = () =>
    follow(createSource({ name: "s", model: "m", kind: "folder", path: folder, pollMs: 1, missing: [] }, systemClock));

  it("reads each finished file once, oldest first, and leaves it where it is", async () => {
    put("b.csv", "id\n1\n", 30);
    put("a.ndjson", '{"id":2}\n', 20);
    const following = watch();
    expect(ids(await following.poll())).toEqual(["1", 2]);
    expect(await following.poll()).toEqual([]);
    put("c.json", '[{"id":3}]');
    expect(ids(await following.poll())).toEqual([3]);
  });

  it("waits for files that are being written, and ignores unfinished, hidden and foreign ones", async () => {
    put("new.csv", "id\n1\n", 0);
    for (const name of [".hidden.csv", "a.csv.tmp", "a.csv.part", "b.csv~", "notes.txt"]) put(name, "id\n9\n");
    mkdirSync(join(folder, "sub.csv"));
    const following = watch();
    expect(await following.poll()).toEqual([]);
    past(join(folder, "new.csv"), 5);
    expect(ids(await following.poll())).toEqual(["1"]);
  });

  it("does not read a touched or copied file twice, but a changed one again", async () => {
    put("a.csv", "id\n1\n");
    const following = watch();
    await following.poll();
    past(join(folder, "a.csv"), 5);
    put("copy.csv", "id\n1\n");
    expect(ids(await following.poll())).toEqual([]);
    put("a.csv", "id\n1\n2\n", 4);
    expect(ids(await following.poll())).toEqual(["1", "2"]);
  });

  it("names a file that cannot be read, goes on with the others, and does not try it again", async () => {
    put("bad.csv", "id,id\n1,2\n", 30);
    put("good.csv", "id\n1\n");
    const following = watch();
    const batches = await following.poll();
    expect([codes(batches), ids(batches)]).toEqual([["HEADER_DUPLICATE"], ["1"]]);
    expect(await following.poll()).toEqual([]);
  });

  it("goes on in the middle of a large file after a crash", async () => {
    put("a.csv", `id\n${Array.from({ length: 5_000 }, (_, i) => i).join("\n")}\n`);
    const following = watch();
    const seen: unknown[] = [];
    for (let round = 0; round < 6; round++) seen.push(...ids(await following.poll(1)));
    expect(seen).toEqual(Array.from({ length: 5_000 }, (_, i) => String(i)));
    expect(await following.poll()).toEqual([]);
  });

  it("is empty where there is no such folder yet", async () => {
    rmSync(folder, { recursive: true });
    expect(await watch().poll()).toEqual([]);
  });
});
