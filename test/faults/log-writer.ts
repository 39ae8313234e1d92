/**
 * A process that appends observations, predictions and labels to the log of an embedded store while compaction runs beside,
 * and prints each request it was told is durable, until it is killed:
 *   log-writer.ts DIRECTORY ACKED_FILE FIRST_ID
 * At its start it reads the whole log and compares it with what was acknowledged before. Lines out:
 * `check {"events":…,"lost":…,"doubled":…,"torn":…,"miscounted":…,"misfound":…}`, `ready`, `ack ID`, `compacted`,
 * `health STATE` at each change, `refused CODE` for a failed request unless the one before it failed so too.
 */
import { readFileSync, writeSync } from "node:fs";
import {
  fail,
  liveWorldClock,
  LOG_START,
  type LogCursor,
  secureBytes,
  type Store,
  systemClock,
} from "../../src/core/index.ts";
import { openDatabase } from "../../src/storage/pool.ts";
import { openStore } from "../../src/storage/store.ts";
import { label, logSchema, observation, prediction } from "../storage/support/events.ts";

const [directory, ackedFile, firstId] = process.argv.slice(2) as [string, string, string];
const MODEL = "kill";
const WRITERS = 6;
const KINDS_PER_REQUEST = 3;
/** RETRAIN_TEST_FILLER: bytes per request that fill a disk soon, each time others, so that they do not compress away. */
const fillerBytes = Number(process.env["RETRAIN_TEST_FILLER"] ?? 0);
const filler = () => Buffer.from(secureBytes(Math.floor(fillerBytes / 2))).toString("hex");

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

/** How often each (request, kind) stands in the log. */
async function readLog(store: Store): Promise<Map<string, Map<string, number>>> {
  const seen = new Map<string, Map<string, number>>();
  let cursor: LogCursor = LOG_START;
  for (;;) {
    const page = await store.log.readAfter(MODEL, cursor, { limit: 5000 });
    for (const { exampleId = "", kind } of page.events) {
      const kinds = seen.get(exampleId) ?? new Map<string, number>();
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      seen.set(exampleId, kinds);
    }
    cursor = page.cursor;
    if (!page.more) return seen;
  }
}

async function check(store: Store): Promise<void> {
  const acked = readFileSync(ackedFile, "utf8").split("\n").filter(Boolean);
  const seen = await readLog(store);
  let events = 0;
  let doubled = 0;
  let torn = 0;
  for (const kinds of seen.values()) {
    for (const count of kinds.values()) {
      events += count;
      if (count > 1) doubled += 1;
    }
    // A request is one transaction: all of its events are there, or none.
    if (kinds.size !== KINDS_PER_REQUEST) torn += 1;
  }
  const lost = acked.filter((id) => !seen.has(id)).length;
  const counts = await store.log.counts(MODEL, {});
  const counted = counts.events.observation + counts.events.prediction + counts.events.label;
  const sample = acked.filter((_, i) => i % 97 === 0);
  const found = await store.log.findPredictions(MODEL, { predictionIds: sample.map((id) => `p${id}`) });
  say(
    `check ${JSON.stringify({ events, lost, doubled, torn, miscounted: counted - events, misfound: sample.length - found.length })}`,
  );
}

async function main(): Promise<void> {
  const database = await openDatabase({ directory, systemClock });
  const store = await openStore({
    database,
    directory,
    worldClock: liveWorldClock,
    systemClock,
    schemaOf: logSchema,
  });
  await check(store);
  say("ready");
  store.onHealth(({ state }) => say(`health ${state}`));
  let nextId = Number(firstId);
  let lastRefusal = "";
  const writer = async () => {
    for (;;) {
      const id = `${nextId++}`;
      const events = [observation(id, { job: filler() }), prediction(`p${id}`, id), label(id, true)];
      try {
        await store.log.append({ model: MODEL, events });
        lastRefusal = "";
        say(`ack ${id}`);
      } catch (error) {
        const code = String((error as { code?: unknown }).code);
        if (code !== lastRefusal) say(`refused ${code}`);
        lastRefusal = code;
        await systemClock.sleep(20);
      }
    }
  };
  const compacter = async () => {
    for (let round = 1; ; round++) {
      await systemClock.sleep(20);
      try {
        await store.log.compact();
        if (round % 5 === 0) await store.log.maintain();
        say("compacted");
      } catch (error) {
        if (store.health().state === "up") throw error;
      }
    }
  };
  await Promise.all([compacter(), ...Array.from({ length: WRITERS }, writer)]);
}

if (!directory || !ackedFile) {
  throw fail("USAGE", { message: "Two arguments are missing.", remedy: "Give the directory and the file of ids." });
}
await main();
