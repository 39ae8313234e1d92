/** Takes the lock of a directory (argument), says so, and holds it until it is killed. */
import { systemClock } from "../../src/core/index.ts";
import { lockDirectory } from "../../src/storage/directory-lock.ts";

await lockDirectory(process.argv[2] as string);
console.log("locked");
await systemClock.sleep(600_000);
