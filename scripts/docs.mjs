// Writes the pages of docs/ that restate the code: errors.md and glossary.md. Tests compare page and code both ways.
//
// The remedy column of errors.md is written by hand and kept; a code without one shows "(write the remedy)", which the
// test refuses.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureBuilt } from "./build.mjs";
import { ensureDependencies, ROOT } from "./dependencies.mjs";

ensureDependencies();
ensureBuilt(["server"]);
const { ERROR_CODES } = await import("../dist/src/core/errors.js");

const errorsPath = join(ROOT, "docs", "errors.md");
const ROW = /^\| `([A-Z_]+)` \|(?:[^|]*\|){3} (.*) \|$/gm;
const before = existsSync(errorsPath) ? readFileSync(errorsPath, "utf8") : "";
const remedies = new Map([...before.matchAll(ROW)].map((match) => [match[1], match[2]]));
const rows = Object.entries(ERROR_CODES).map(([code, { status, exit, meaning }]) => {
  const remedy = remedies.get(code) ?? "(write the remedy)";
  return `| \`${code}\` | ${status} | ${exit} | ${meaning} | ${remedy} |`;
});
writeFileSync(
  errorsPath,
  `# Errors

Every error carries a stable code, a message (what happened, and why) and a remedy for the case at hand. Over HTTP it is a
problem document (RFC 9457) whose \`code\` is the first column; a command ends with the exit code. The remedy below is the
usual one; the error itself names the exact key or command.

| code | HTTP | exit | meaning | usual remedy |
| --- | --- | --- | --- | --- |
${rows.join("\n")}
`,
);

const records = readFileSync(join(ROOT, "src", "core", "records.ts"), "utf8");
const block = /GLOSSARY-BEGIN\n([\s\S]*?)\n[^\n]*GLOSSARY-END/.exec(records)?.[1] ?? "";
const terms = block.split("\n").map((line) => /^ \* ([^:]+): (.*)$/.exec(line));
writeFileSync(
  join(ROOT, "docs", "glossary.md"),
  `# Glossary

One word for one thing, in the code, the console, the API and these pages. The same terms open \`src/core/records.ts\`.

${terms.map((match) => `- **${match?.[1]}**: ${match?.[2]}`).join("\n")}
`,
);
