/**
 * A process that writes rows to an embedded database and prints each one it was told is durable, until it is killed:
 *   store-writer.ts DIRECTORY ACKED_FILE FIRST_ID rows|wal
 * Lines out: `ready`, `missing N` (acknowledged earlier, gone now), `unequal N M` (index and heap disagree), `ack ID`,
 * `down CODE` (the first failed write of a series), `up` (the first good one after it).
 * `wal` adds a large message to the log with each row, so that the log, not the table, meets the end of the disk.
 */
import { readFileSync, writeSync } from "node:fs";
import { fail, systemClock } from "../../src/core/index.ts";
import { type Database, openDatabase } from "../../src/storage/pool.ts";

const [directory, ackedFile, firstId, mode] = process.argv.slice(2) as [string, string, string, "rows" | "wal"];
const WRITERS = 4;
const MESSAGE_BYTES = 200_000;

/** Written at once, so that what was said before a kill is in the pipe; a full pipe (a busy parent) is waited for. */
function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
  }
}

async function check(database: Database): Promise<void> {
  await database.query("create table if not exists item (id bigint primary key, body text not null)");
  await database.query("create index if not exists item_body on item (left(body, 20))");
  const { rows } = await database.query<{ id: number }>("select id from item");
  const found = new Set(rows.map(({ id }) => id));
  const missing = readFileSync(ackedFile, "utf8")
    .split("\n")
    .filter(Boolean)
    .map(Number)
    .filter((id) => !found.has(id));
  say(`missing ${missing.length}`);
  const byIndex = await database.transaction(async (tx) => {
    await tx.query("set local enable_seqscan = off");
    await tx.query("set local enable_bitmapscan = off");
    return await tx.query<{ n: number }>("select count(*) as n from item where id >= 0");
  });
  if (byIndex.rows[0]?.n !== rows.length) say(`unequal ${byIndex.rows[0]?.n} ${rows.length}`);
}

async function write(database: Database, id: number): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.query("insert into item (id, body) values ($1, $2)", [id, `${id} ${"x".repeat(1_500)}`]);
    if (mode === "wal") await tx.query(`select pg_logical_emit_message(true, 'fill', repeat('x', ${MESSAGE_BYTES}))`);
  });
}

async function main(): Promise<void> {
  const database = await openDatabase({ directory, systemClock });
  await check(database);
  say("ready");
  let nextId = Number(firstId);
  let isDown = false;
  const writer = async () => {
    for (;;) {
      const id = nextId++;
      try {
        await write(database, id);
        if (isDown) say("up");
        isDown = false;
        say(`ack ${id}`);
      } catch (error) {
        if (!isDown) say(`down ${String((error as { code?: unknown }).code)}`);
        isDown = true;
        await systemClock.sleep(20);
      }
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
}

if (!directory || !ackedFile) {
  throw fail("USAGE", { message: "Two arguments are missing.", remedy: "Give the directory and the file of ids." });
}
await main();
