/** Migrates the database at a URL (argument) once a line arrives on stdin, and prints the names of what ran as JSON. */
import { once } from "node:events";
import { systemClock } from "../../src/core/index.ts";
import { migrate } from "../../src/storage/migrations.ts";
import { openDatabase } from "../../src/storage/pool.ts";

const database = await openDatabase({ url: process.argv[2] as string, systemClock });
console.log("ready");
await once(process.stdin, "data");
console.log(JSON.stringify(await migrate(database)));
await database.close();
process.exit(0);
