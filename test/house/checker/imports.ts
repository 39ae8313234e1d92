// Who may import whom. The table is STYLE's; the three limits stand below it.
import { type Breach, childNode, importsOf, lineAt, type Node, type SourceFile } from "./files.ts";

/** A folder imports only what stands on an earlier line; folders of one line never import each other. */
export const LAYERS: readonly (readonly string[])[] = [
  ["core"],
  ["stats"],
  ["data"],
  ["learn"],
  ["model"],
  ["collect", "monitor", "trigger", "train", "evaluate", "deploy", "feedback", "alert", "storage", "engine"],
  ["config"],
  ["loop", "job"],
  ["replay"],
  ["backtest"],
  ["server"],
  ["cli"],
];

const RANK = new Map(LAYERS.flatMap((folders, rank) => folders.map((folder) => [folder, rank] as const)));
/** The published test kit assembles a whole system, as cli does, and knows the client, as cli does. */
const COMPOSITION_ROOTS = new Set(["cli", "testing"]);
const ADAPTERS = new Set(["storage", "engine"]);
/** The composition root as a function, for programs that embed the product. */
const LIBRARY_ROOT = "src/cli/create-retrain.ts";
const CONTRACT = "src/server/contract.ts";
/** What of the training process others may load: pure readers. What it does with them stays in a process that can be killed. */
const SHARED_WITH_JOB = new Set(["src/job/chunk-readers.ts"]);

/** The part of src/ a path lies in; undefined for files directly in src/ and outside it. */
export function partOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

function whyForbidden(file: string, target: string, typeOnly: boolean): string | undefined {
  const from = partOf(file);
  const to = partOf(target);
  if (from === to) return undefined;
  if (from === "client") {
    if (target === CONTRACT && typeOnly) return undefined;
    return `client imports types from ${CONTRACT} and nothing else of ours`;
  }
  if (to === undefined) return `${target} is the public surface; parts import each other directly`;
  const isRoot = COMPOSITION_ROOTS.has(from ?? "") || file === "src/job/main.ts";
  if (ADAPTERS.has(to)) {
    return isRoot ? undefined : `${to} is imported by cli/, job/main.ts and testing/ alone; others use core's ports`;
  }
  if (to === "testing") return "testing is for users' tests; nothing of ours imports it";
  if (to === "client")
    return COMPOSITION_ROOTS.has(from ?? "") ? undefined : "client is imported by cli and testing alone";
  if (from === undefined) {
    const isLibrary = target === LIBRARY_ROOT;
    return to === "cli" && !isLibrary ? `the public surface reaches into cli for ${LIBRARY_ROOT} alone` : undefined;
  }
  if (to === "job" && !SHARED_WITH_JOB.has(target))
    return "job is a program of its own, started by the pool of processes";
  if (from === "testing") return to === "cli" ? "testing does not import cli" : undefined;
  const rankFrom = RANK.get(from);
  const rankTo = RANK.get(to);
  if (rankFrom === undefined) return `src/${from} has no place in the order of folders`;
  if (rankTo === undefined) return `src/${to} has no place in the order of folders`;
  if (rankTo < rankFrom) return undefined;
  return rankTo === rankFrom ? `${from} and ${to} never import each other` : `${to} stands above ${from}`;
}

export function checkDirection(files: readonly SourceFile[]): Breach[] {
  const known = new Set(files.map((file) => file.path));
  return files
    .filter((file) => file.path.startsWith("src/"))
    .flatMap((file) =>
      importsOf(file).flatMap((found): Breach[] => {
        const at = { file: file.path, line: found.line };
        if (/^retrain(\/|$)/.test(found.specifier)) {
          return [{ rule: "self-import", ...at, message: `"${found.specifier}" is for users; import the file itself` }];
        }
        if (found.target === undefined) return [];
        if (!found.target.endsWith(".ts") || !known.has(found.target)) {
          return [{ rule: "specifier", ...at, message: `"${found.specifier}" names no .ts file in src` }];
        }
        const why = whyForbidden(file.path, found.target, found.isTypeOnly);
        return why ? [{ rule: "direction", ...at, message: `imports ${found.target}: ${why}` }] : [];
      }),
    );
}

/** The console knows the HTTP contract's types only; kernels know nothing of ours. */
export function checkOutsiders(files: readonly SourceFile[]): Breach[] {
  return files.flatMap((file) => {
    const folder = ["console", "kernels"].find((name) => file.path.startsWith(`${name}/`));
    if (!folder) return [];
    return importsOf(file).flatMap((found): Breach[] => {
      const isOurs = found.target !== undefined && !found.target.startsWith(`${folder}/`);
      if (!isOurs && !/^retrain(\/|$)/.test(found.specifier)) return [];
      if (folder === "console" && found.target === CONTRACT && found.isTypeOnly) return [];
      const rule = folder === "console" ? "console-import" : "kernel-import";
      return [{ rule, file: file.path, line: found.line, message: `${folder} may not import "${found.specifier}"` }];
    });
  });
}

/** Every import cycle between files of src/ and console/, type-only imports included, each reported once. */
export function checkCycles(files: readonly SourceFile[]): Breach[] {
  const own = files.filter((file) => /^(src|console|scripts|bench)\//.test(file.path));
  const edges = new Map(own.map((file) => [file.path, importsOf(file).flatMap(({ target }) => target ?? [])]));
  const state = new Map<string, "open" | "done">();
  const breaches: Breach[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    if (state.get(path) === "done") return;
    if (state.get(path) === "open") {
      const cycle = [...trail.slice(trail.indexOf(path)), path];
      breaches.push({ rule: "cycle", file: path, line: 1, message: `imports itself through ${cycle.join(" -> ")}` });
      return;
    }
    state.set(path, "open");
    for (const target of edges.get(path) ?? []) if (edges.has(target)) visit(target, [...trail, path]);
    state.set(path, "done");
  };
  for (const file of own) visit(file.path, []);
  return breaches;
}

/** src/index.ts re-exports and does nothing else, so that what is public is read in one place. */
export function checkSurface(files: readonly SourceFile[]): Breach[] {
  const surface = files.find((file) => file.path === "src/index.ts");
  if (!surface?.program) return [];
  const body = surface.program["body"] as Node[];
  return body
    .filter((node) => !(node.type.startsWith("Export") && childNode(node, "source")))
    .map((node) => ({
      rule: "surface",
      file: surface.path,
      line: lineAt(surface.text, node.start),
      message: "src/index.ts holds re-exports only",
    }));
}
