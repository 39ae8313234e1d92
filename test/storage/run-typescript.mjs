// node run-typescript.mjs FILE ARGUMENTS: runs a TypeScript file of this repository on Node 20, for tests that kill it.
// jiti's loader hooks do the same, but translate everything again at each start; this keeps what it translated.
import { createJiti } from "jiti";

process.argv.splice(1, 1);
await createJiti(import.meta.url).import(process.argv[1]);
