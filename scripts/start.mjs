// `npm start`: everything a fresh clone needs, then the bank story on the real server. Arguments are passed on.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureBuilt } from "./build.mjs";
import { ensureDependencies, ROOT } from "./dependencies.mjs";

const COMMAND = ["demo", "--bank"];

ensureDependencies();
ensureBuilt();

// In this process, not a child: signals, exit code and terminal are the server's own. Imported only now, because
// before the two lines above there may have been nothing to import.
const main = join(ROOT, "dist", "src", "cli", "main.js");
process.argv = [process.execPath, main, ...COMMAND, ...process.argv.slice(2)];
await import(pathToFileURL(main).href);
