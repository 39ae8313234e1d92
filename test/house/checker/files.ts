import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { parseSync } from "vite";

/** One broken rule at one place. */
export interface Breach {
  readonly rule: string;
  /** Path below the root, with forward slashes. */
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** A node of the syntax tree as the parser gives it; its fields depend on `type`. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly [field: string]: unknown;
}

export interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** Undefined where the dialect is not TypeScript's (kernels). */
  readonly program: Node | undefined;
}

const SKIPPED = new Set(["node_modules", "dist", "coverage", "golden", "results", ".git"]);

function pathsBelow(root: string, folder: string): string[] {
  let entries;
  try {
    entries = readdirSync(join(root, folder), { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    if (SKIPPED.has(entry.name) || entry.name.startsWith(".")) return [];
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory()) return pathsBelow(root, path);
    return /\.(ts|tsx|mts|mjs|js)$/.test(entry.name) ? [path] : [];
  });
}

/** All code files of the repository's own folders, parsed. A file that does not parse is an error, not a breach. */
export function readSources(root: string): SourceFile[] {
  const folders = ["src", "console", "kernels", "scripts", "bench", "test", "examples"];
  return folders
    .flatMap((folder) => pathsBelow(root, folder))
    .map((path) => {
      const text = readFileSync(join(root, path), "utf8");
      if (path.startsWith("kernels/")) return { path, text, program: undefined };
      const parsed = parseSync(path, text);
      if (parsed.errors.length > 0) throw new Error(`${path} does not parse: ${parsed.errors[0]?.message}`);
      return { path, text, program: parsed.program as unknown as Node };
    });
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}

/** Calls `visit` on every node below and including `node`, parents first. */
export function walk(node: Node, visit: (node: Node) => void): void {
  visit(node);
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) walk(item, visit);
    } else if (isNode(value)) walk(value, visit);
  }
}

export function childNode(node: Node, field: string): Node | undefined {
  const value = node[field];
  return isNode(value) ? value : undefined;
}

export function childNodes(node: Node, field: string): Node[] {
  const value = node[field];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

/** The text of a string literal, or of a template without placeholders. */
export function stringOf(node: Node | undefined): string | undefined {
  if (node?.type === "Literal" && typeof node["value"] === "string") return node["value"];
  if (node?.type !== "TemplateLiteral") return undefined;
  const quasis = childNodes(node, "quasis");
  const value = quasis.length === 1 ? (quasis[0]?.["value"] as { cooked?: string } | undefined) : undefined;
  return value?.cooked;
}

export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let i = 0; i < offset; i += 1) if (text.charCodeAt(i) === 10) line += 1;
  return line;
}

export interface Import {
  readonly specifier: string;
  /** The file it names, for a relative specifier. */
  readonly target: string | undefined;
  readonly isTypeOnly: boolean;
  readonly line: number;
}

function isTypeOnly(node: Node): boolean {
  if (node["importKind"] === "type" || node["exportKind"] === "type") return true;
  const specifiers = childNodes(node, "specifiers");
  const isType = (item: Node) => item["importKind"] === "type" || item["exportKind"] === "type";
  return specifiers.length > 0 && specifiers.every(isType);
}

/** Everything a file imports: statements, `export … from`, `import()`, `import("…")` types and `require`. */
export function importsOf(file: SourceFile): Import[] {
  const found: Import[] = [];
  const add = (node: Node, source: Node | undefined, typeOnly: boolean) => {
    const specifier = stringOf(source);
    if (specifier === undefined) return;
    const isRelative = specifier.startsWith(".");
    const target = isRelative ? posix.normalize(posix.join(dirname(file.path), specifier)) : undefined;
    found.push({ specifier, target, isTypeOnly: typeOnly, line: lineAt(file.text, node.start) });
  };
  if (!file.program) {
    for (const match of file.text.matchAll(/\bfrom\s*["']([^"']+)["']/g)) {
      add({ type: "Import", start: match.index }, { type: "Literal", start: 0, value: match[1] }, false);
    }
    return found;
  }
  walk(file.program, (node) => {
    switch (node.type) {
      case "ImportDeclaration":
      case "ExportNamedDeclaration":
      case "ExportAllDeclaration":
        return add(node, childNode(node, "source"), isTypeOnly(node));
      case "ImportExpression":
        return add(node, childNode(node, "source"), false);
      case "TSImportType":
        return add(node, childNode(node, "source"), true);
      case "TSExternalModuleReference":
        return add(node, childNode(node, "expression"), false);
      case "CallExpression":
        if (childNode(node, "callee")?.["name"] === "require") add(node, childNodes(node, "arguments")[0], false);
    }
  });
  return found;
}
