// Writes src/server/answer-schemas.ts: the JSON Schema of every answer below /api/v1, made from the interface `Api` of the HTTP
// contract, so that the description of the API cannot say anything else than the types its routes are written against.
//
// Named types become schemas of that name; what a generic or an anonymous type makes is written where it is used. Answers may grow
// new fields, so schemas are open. With --check nothing is written: the status says whether the file is current.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { API, TypeFlags } from "typescript/unstable/sync";
import { ROOT } from "./dependencies.mjs";

const OUTPUT = join(ROOT, "src", "server", "answer-schemas.ts");
/** Any JSON, which schemas say without words; written out they would be three recursive unions. */
const FREE = { Json: {}, JsonObject: { type: "object" } };
/** Longer than the deepest answer; a type that is nested deeper recurses without a name. */
const DEEPEST = 24;

const api = new API({ cwd: ROOT });
try {
  const config = join(ROOT, "tsconfig.json");
  const project = api.updateSnapshot({ openProjects: [config] }).getProject(config);
  const { answers, schemas } = describe(project);
  const text = fileText(answers, schemas);
  if (process.argv.includes("--check")) {
    if (readFileSync(OUTPUT, "utf8") !== text) process.exitCode = 1;
  } else writeFileSync(OUTPUT, text);
} finally {
  api.close();
}

function describe({ program, checker }) {
  const file = program.getSourceFile(join(ROOT, "src", "server", "contract.ts"));
  const declaration = file.statements.find((one) => one.name?.text === "Api");
  const routes = checker.getPropertiesOfType(checker.getTypeAtLocation(declaration.name));
  const schemas = new Map(Object.entries(FREE).map(([name, schema]) => [name, { schema }]));
  const schemaOf = schemaWriter(checker, schemas);
  const answers = new Map(routes.map((route) => [route.name, schemaOf(checker.getTypeOfSymbol(route), 0)]));
  return { answers, schemas: new Map([...schemas].map(([name, { schema }]) => [name, schema])) };
}

function schemaWriter(checker, schemas) {
  const reference = (name) => ({ $ref: `#/components/schemas/${name}` });

  /** The name others may use: of an alias or an interface that takes no parameters. */
  function nameOf(type) {
    const alias = type.getAliasSymbol();
    if (alias !== undefined) return type.getAliasTypeArguments().length > 0 ? undefined : alias.name;
    if (!(type.flags & TypeFlags.Object) || checker.isArrayLikeType(type)) return undefined;
    const name = type.getSymbol()?.name;
    if (name === undefined || name.startsWith("__") || !type.isClassOrInterface()) return undefined;
    return type.getTypeParameters().length > 0 ? undefined : name;
  }

  function schemaOf(type, depth) {
    if (depth > DEEPEST) throw new Error(`${checker.typeToString(type)} is nested without an end: give it a name.`);
    const name = type.flags & (TypeFlags.Object | TypeFlags.Union | TypeFlags.Intersection) ? nameOf(type) : undefined;
    if (name === undefined) return bare(type, depth);
    const known = schemas.get(name);
    if (known === undefined) {
      const entry = { type: type.id, schema: undefined };
      schemas.set(name, entry);
      entry.schema = bare(type, depth + 1);
    } else if (known.type !== undefined && known.type !== type.id) {
      throw new Error(`Two types of the contract are called ${name}.`);
    }
    return reference(name);
  }

  function bare(type, depth) {
    const { flags } = type;
    if (flags & TypeFlags.AnyOrUnknown) return {};
    if (flags & TypeFlags.Null) return { type: "null" };
    if (type.isLiteralType()) return { const: type.value };
    if (flags & TypeFlags.BooleanLike) return { type: "boolean" };
    if (flags & TypeFlags.NumberLike) return { type: "number" };
    if (flags & (TypeFlags.StringLike | TypeFlags.TemplateLiteral)) return { type: "string" };
    if (flags & TypeFlags.Never) return { not: {} };
    if (flags & TypeFlags.Union) return union(type.getTypes(), depth);
    if (flags & (TypeFlags.Object | TypeFlags.Intersection)) return composed(type, depth);
    throw new Error(`${checker.typeToString(type)} has no JSON form.`);
  }

  function union(types, depth) {
    const present = types.filter(({ flags }) => !(flags & (TypeFlags.Undefined | TypeFlags.Void)));
    const literals = present.filter((one) => one.isLiteralType());
    const isBoolean = literals.filter(({ flags }) => flags & TypeFlags.BooleanLiteral).length === 2;
    const values = literals.filter(({ flags }) => !(isBoolean && flags & TypeFlags.BooleanLiteral));
    const options = [
      ...(values.length === 0 ? [] : [{ enum: values.map(({ value }) => value).sort() }]),
      ...(isBoolean ? [{ type: "boolean" }] : []),
      ...present.filter((one) => !one.isLiteralType()).map((one) => schemaOf(one, depth + 1)),
    ];
    const distinct = [...new Map(options.map((one) => [JSON.stringify(one), one])).values()];
    return distinct.length === 1 ? distinct[0] : { anyOf: distinct };
  }

  function composed(type, depth) {
    if (checker.isTupleType(type)) {
      const items = checker.getTypeArguments(type).map((one) => schemaOf(one, depth + 1));
      return { type: "array", items: items.length === 1 ? items[0] : anyOf(items) };
    }
    if (checker.isArrayLikeType(type)) {
      return { type: "array", items: schemaOf(checker.getTypeArguments(type)[0], depth + 1) };
    }
    const properties = {};
    const required = [];
    for (const property of checker.getPropertiesOfType(type)) {
      const own = checker.getTypeOfSymbol(property);
      const types = own.flags & TypeFlags.Union ? own.getTypes() : [own];
      const isOptional = types.some(({ flags }) => flags & TypeFlags.Undefined) || isMarkedOptional(property);
      properties[property.name] = schemaOf(own, depth + 1);
      if (!isOptional) required.push(property.name);
    }
    const [index] = checker.getIndexInfosOfType(type);
    return {
      type: "object",
      ...(Object.keys(properties).length === 0 ? {} : { properties }),
      ...(required.length === 0 ? {} : { required }),
      ...(index === undefined ? {} : { additionalProperties: schemaOf(index.valueType, depth + 1) }),
    };
  }

  return schemaOf;
}

function anyOf(schemas) {
  const distinct = [...new Map(schemas.map((one) => [JSON.stringify(one), one])).values()];
  return distinct.length === 1 ? distinct[0] : { anyOf: distinct };
}

/** SymbolFlags.Optional */
function isMarkedOptional({ flags }) {
  return (flags & 16_777_216) !== 0;
}

function fileText(answers, schemas) {
  const lines = (entries) =>
    [...entries]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([name, schema]) => {
        const key = /^\w+$/.test(name) ? name : JSON.stringify(name);
        const value = literal(JSON.stringify(schema));
        // As the formatter would: a value that does not fit goes to a line of its own.
        const fits = `  ${key}: ${value},`.length <= 120;
        return `  ${key}:${fits ? " " : "\n    "}${value},`;
      })
      .join("\n");
  return `/**
 * The JSON Schema of every answer below \`/api/v1\`, as text that is read when somebody asks for the description of the API.
 * Generated by scripts/answer-schemas.mjs from the interface \`Api\` of contract.ts; a test compares.
 */

/** By route, as \`Api\` names them. */
export const ANSWER_SCHEMAS: Readonly<Record<string, string>> = {
${lines(answers)}
};

/** Named types that the answers are made of. */
export const TYPE_SCHEMAS: Readonly<Record<string, string>> = {
${lines(schemas)}
};
`;
}

function literal(text) {
  if (!text.includes('"')) return JSON.stringify(text);
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
