// Sizes, names and depths of files and folders.
import type { Breach, SourceFile } from "./files.ts";

const HARD_LIMIT_LINES = 500;

/** Files allowed past the limit, each with its reason. */
const EXEMPT = new Map<string, string>([]);

/** The loop itself, which must read like the README. */
const LOOP_FILES = ["src/loop/tick.ts", "src/loop/run.ts"];
const LOOP_LIMIT_LINES = 200;

const NAMELESS = new Set(["utils", "util", "helpers", "common", "misc", "lib"]);

export function countLines(text: string): number {
  return text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
}

export function checkShape(files: readonly SourceFile[]): Breach[] {
  const breaches: Breach[] = [];
  const report = (rule: string, file: string, message: string) => breaches.push({ rule, file, line: 1, message });
  for (const { path, text } of files) {
    const lines = countLines(text);
    if (lines > HARD_LIMIT_LINES && !EXEMPT.has(path))
      report("size", path, `${lines} lines; ${HARD_LIMIT_LINES} at most`);
    if (!path.startsWith("src/")) continue;
    const words = path.split("/");
    const folders = words.slice(1, -1);
    if (folders.length > 2) report("depth", path, `${folders.length} folders below src; 2 at most`);
    const nameless = [...folders, (words.at(-1) ?? "").replace(/\.ts$/, "")].find((word) => NAMELESS.has(word));
    if (nameless) report("nameless", path, `"${nameless}" says nothing: name the noun it is about`);
    const odd = words.slice(1).find((word) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.ts)?$/.test(word));
    if (odd) report("kebab-case", path, `"${odd}" is not kebab-case`);
  }
  const loop = files.filter((file) => LOOP_FILES.includes(file.path));
  const total = loop.reduce((sum, file) => sum + countLines(file.text), 0);
  if (total > LOOP_LIMIT_LINES) {
    report("loop-size", LOOP_FILES[0] ?? "", `tick.ts and run.ts have ${total} lines; ${LOOP_LIMIT_LINES} at most`);
  }
  return breaches;
}
