// What code may not contain: direct clocks and randomness, inexact powers, `any`, enums and other non-erasable syntax.
import { type Breach, childNode, childNodes, lineAt, type Node, type SourceFile, stringOf, walk } from "./files.ts";
import { partOf } from "./imports.ts";

/** Calls that make a run impossible to replay, as object and property. */
const CLOCK_AND_RANDOM = new Map([
  ["Date", new Set(["now"])],
  ["Math", new Set(["random"])],
  ["performance", new Set(["now", "timeOrigin"])],
  ["process", new Set(["hrtime", "uptime"])],
  ["Now", new Set(["instant", "zonedDateTimeISO", "plainDateISO", "plainDateTimeISO", "plainTimeISO"])],
]);
/** core wraps clocks and randomness; the client runs in its user's program, outside every replay, and may not import core. */
const FREE_OF_REPLAY = new Set(["core", "client"]);
const CRYPTO_RANDOM = new Set(["randomUUID", "randomBytes", "getRandomValues", "randomInt", "randomFillSync"]);
const CRYPTO_MODULES = /^(node:)?crypto$/;

/** `Math.pow` and `**` may differ in the last bit between engines; results must be equal everywhere. */
const NUMERIC_PARTS = new Set(["stats", "learn", "data", "model", "monitor", "evaluate"]);

interface Found {
  readonly rule: string;
  readonly node: Node;
  readonly message: string;
}

function nameOf(node: Node | undefined): string | undefined {
  if (node?.type === "Identifier") return node["name"] as string;
  return node?.type === "MemberExpression" ? propertyOf(node) : undefined;
}

function propertyOf(member: Node): string | undefined {
  const property = childNode(member, "property");
  return member["computed"] === true ? stringOf(property) : (property?.["name"] as string | undefined);
}

/** `object.property` pairs a node reads, through member access or by taking an object apart. */
function readsOf(node: Node): { object: string; property: string }[] {
  if (node.type === "MemberExpression") {
    const object = nameOf(childNode(node, "object"));
    const property = propertyOf(node);
    return object !== undefined && property !== undefined ? [{ object, property }] : [];
  }
  if (node.type !== "VariableDeclarator") return [];
  const pattern = childNode(node, "id");
  const object = nameOf(childNode(node, "init"));
  if (pattern?.type !== "ObjectPattern" || object === undefined) return [];
  return childNodes(pattern, "properties").flatMap((item) => {
    const property = nameOf(childNode(item, "key"));
    return property === undefined ? [] : [{ object, property }];
  });
}

function importedNames(node: Node, from: RegExp): string[] {
  if (node.type !== "ImportDeclaration" || !from.test(stringOf(childNode(node, "source")) ?? "")) return [];
  return childNodes(node, "specifiers").flatMap((item) => nameOf(childNode(item, "imported")) ?? []);
}

function clockUse(node: Node): Found[] {
  const found: Found[] = [];
  const report = (text: string) =>
    found.push({ rule: "clock", node, message: `${text}: take clocks, ids and randomness from core` });
  for (const { object, property } of readsOf(node)) {
    const isRandom = /crypto$/i.test(object) && CRYPTO_RANDOM.has(property);
    if (isRandom || CLOCK_AND_RANDOM.get(object)?.has(property)) report(`${object}.${property}`);
  }
  for (const name of importedNames(node, CRYPTO_MODULES)) if (CRYPTO_RANDOM.has(name)) report(name);
  for (const name of importedNames(node, /^(node:)?process$/)) if (name === "hrtime") report(name);
  const isDate = nameOf(childNode(node, "callee")) === "Date";
  if (isDate && node.type === "CallExpression") report("Date()");
  if (isDate && node.type === "NewExpression" && childNodes(node, "arguments").length === 0) report("new Date()");
  return found;
}

function powerUse(node: Node): Found[] {
  const operator = node["operator"];
  const isOperator = (operator === "**" || operator === "**=") && node.type.endsWith("Expression");
  const isCall = readsOf(node).some(({ object, property }) => object === "Math" && property === "pow");
  if (!isOperator && !isCall) return [];
  return [{ rule: "power", node, message: "Math.pow and ** are not equal on all engines: multiply, or use stats" }];
}

const SYNTAX = new Map([
  ["TSAnyKeyword", ["any", "`any` switches the compiler off: use `unknown` and parse it"]],
  ["TSEnumDeclaration", ["enum", "use a literal union or an `as const` object"]],
  ["TSModuleDeclaration", ["namespace", "use a module"]],
  ["TSParameterProperty", ["parameter-property", "declare the field and assign it"]],
  ["ExportDefaultDeclaration", ["default-export", "export by name"]],
] as const);

function syntaxUse(node: Node): Found[] {
  // `declare module "fastify"` adds to a library's types and leaves nothing at run time.
  const isAugmentation = node.type === "TSModuleDeclaration" && childNode(node, "id")?.type === "Literal";
  const known = isAugmentation ? undefined : SYNTAX.get(node.type as "TSAnyKeyword");
  return known ? [{ rule: known[0], node, message: known[1] }] : [];
}

/** Kernels are AssemblyScript, which TypeScript's parser does not read whole: comments and strings are cut by hand. */
function checkKernel(file: SourceFile): Breach[] {
  const blank = (match: string) => match.replace(/[^\n]/g, " ");
  const code = file.text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, blank);
  return [...code.matchAll(/\*\*|\bMathf?\.pow\b/g)].map((match) => ({
    rule: "power",
    file: file.path,
    line: lineAt(file.text, match.index),
    message: `${match[0]} is not equal on all engines: multiply`,
  }));
}

export function checkConstructs(files: readonly SourceFile[]): Breach[] {
  return files.flatMap((file) => {
    if (file.path.startsWith("kernels/")) return checkKernel(file);
    const isSource = file.path.startsWith("src/");
    if (!file.program || !(isSource || file.path.startsWith("console/src/"))) return [];
    const part = partOf(file.path);
    const found: Found[] = [];
    walk(file.program, (node) => {
      found.push(...syntaxUse(node));
      if (isSource && !FREE_OF_REPLAY.has(part ?? "")) found.push(...clockUse(node));
      if (isSource && NUMERIC_PARTS.has(part ?? "")) found.push(...powerUse(node));
    });
    return found.map(({ rule, node, message }) => ({
      rule,
      file: file.path,
      line: lineAt(file.text, node.start),
      message,
    }));
  });
}
