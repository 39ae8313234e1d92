/**
 * Most rows are plain: an event of its kind with exactly the features of the schema, each of its type or null, and texts without
 * anything that JSON escapes. Their bodies are canonical, so one regular expression tells them, and DuckDB makes their columns itself
 * (`columns.ts` makes those of all others): a row costs 3 us instead of 15, and none of the event loop.
 */
import type { EventKind } from "../../core/index.ts";
import { identifier, literal } from "../analytics.ts";
import { type Layout, labelType } from "./columns.ts";
import { KIND_CODES } from "./encode.ts";
import { MARK } from "./block.ts";

/** Beyond, the expression is too large for RE2 to match in one pass, which makes it a hundred times slower. */
const MOST_FEATURES = 200;

/** As JavaScript writes it, but for -0, whose sign DuckDB loses. */
const NUMBER = "(?:0|-?(?:0\\.[0-9]+|[1-9][0-9]*(?:\\.[0-9]+)?)(?:e[+-]?[0-9]+)?)";
const TEXT = '"[^"\\\\\\x00-\\x1f]*"';
const BOOLEAN = "(?:true|false)";
const PATTERNS: Readonly<Record<string, string>> = { DOUBLE: NUMBER, VARCHAR: TEXT, BOOLEAN };

const orNull = (pattern: string) => `(?:${pattern}|null)`;
/** A text that stands for itself. */
const exactly = (text: string) =>
  text.replaceAll(/[^A-Za-z0-9_ ]/gu, (sign) => `\\x{${sign.codePointAt(0)?.toString(16)}}`);

interface Key {
  readonly name: string;
  readonly pattern: string;
  readonly isOptional?: boolean;
}

/** An object of these keys, in the order they have in canonical JSON. The first is never optional. */
function objectOf(keys: readonly Key[]): string {
  const sorted = [...keys].sort((left, right) => (left.name < right.name ? -1 : 1));
  const members = sorted.map(({ name, pattern, isOptional }, i) => {
    const member = `${i === 0 ? "" : ","}${exactly(JSON.stringify(name))}:${pattern}`;
    return isOptional === true ? `(?:${member})?` : member;
  });
  return `\\{${members.join("")}\\}`;
}

function typeOf(layout: Layout, column: number): string {
  return layout.columns[column]?.type.toString() ?? "";
}

interface Shape {
  readonly keys: readonly Key[];
  /** Type of each value that is read, by its key. */
  readonly types: Readonly<Record<string, string | readonly string[] | Readonly<Record<string, string>>>>;
  /** Own columns in the order of the layout, from a struct `s` of these values. */
  readonly select: readonly string[];
}

/** @param label type of labels and decisions, as a column has it */
function shapeOf(kind: EventKind, label: string, features: Key): Shape | undefined {
  const value = PATTERNS[label] as string;
  const at = { name: "at", pattern: "-?[0-9]+" };
  const text = (name: string, isOptional = false): Key => ({ name, pattern: TEXT, isOptional });
  const named: Key = { name: "kind", pattern: exactly(JSON.stringify(kind)) };
  switch (kind) {
    case "observation":
      return {
        keys: [
          at,
          text("exampleId"),
          features,
          named,
          { name: "label", pattern: value, isOptional: true },
          text("unit", true),
        ],
        types: { unit: "VARCHAR", label },
        select: ["s.unit", "s.label", "s.label is not null"],
      };
    case "prediction":
      return {
        keys: [
          at,
          { name: "decision", pattern: value },
          text("exampleId"),
          features,
          named,
          text("origin"),
          text("predictionId"),
          { name: "scores", pattern: `\\[${NUMBER}(?:,${NUMBER})*\\]` },
          text("unit", true),
          text("variant", true),
          text("version"),
        ],
        types: {
          unit: "VARCHAR",
          version: "VARCHAR",
          origin: "VARCHAR",
          variant: "VARCHAR",
          scores: ["DOUBLE"],
          decision: label,
        },
        select: ["prediction_id", "s.unit", "s.version", "s.origin", "s.variant", "s.scores", "s.decision"],
      };
    case "label":
      return {
        keys: [
          at,
          text("comment", true),
          text("exampleId", true),
          named,
          text("labelSource"),
          text("predictionId", true),
          { name: "value", pattern: orNull(value) },
        ],
        types: { value: label, labelSource: "VARCHAR", comment: "VARCHAR" },
        select: ["prediction_id", "s.value", "s.value is null", "s.labelSource", "s.comment"],
      };
    case "outcome":
      return undefined;
  }
}

/** Every row of the blocks in a table with the columns of `TailBlock`. */
const linesOf = (table: string): string => `(
  select transaction_id, seq, received_at as committed_at, digit::integer % ${MARK} as kind, known_at::bigint as known_at,
    "at"::bigint as "at", nullif(example_id, '') as example_id, nullif(prediction_id, '') as prediction_id, body
  from (
    select transaction_id, last_seq - rows + unnest(range(1, rows + 1)) as seq, received_at, unnest(string_split(kinds, '')) as digit,
      unnest(string_split(known_at, ',')) as known_at, unnest(string_split(ats, ',')) as "at",
      unnest(string_split(example_ids, chr(10))) as example_id, unnest(string_split(prediction_ids, chr(10))) as prediction_id,
      unnest(string_split(bodies, chr(10))) as body
    from ${table}
  ))`;
const BASE = `transaction_id, seq, coalesce(known_at, committed_at) as received_at,
  case when known_at is not null then committed_at end as imported_at, "at", example_id`;

/** Selects from a table of blocks. */
export interface RowSelects {
  /** Plain rows of the kind, in the columns of the layout; undefined where no row can be plain. */
  readonly plain: ((table: string) => string) | undefined;
  /** All other rows of the kind, in the columns of `TailRow`. */
  readonly others: (table: string) => string;
}

/** How the rows of a layout's kind are told and read. */
export function rowSelects(layout: Layout): RowSelects {
  const { kind } = layout;
  const ofKind = `kind = ${KIND_CODES[kind]}`;
  const shape = plainShape(layout);
  const others = (condition: string) => (table: string) =>
    `select ${BASE}, prediction_id, body from ${linesOf(table)} where ${condition}`;
  if (shape === undefined) return { plain: undefined, others: others(ofKind) };
  const isPlain = `regexp_full_match(body, ${literal(objectOf(shape.keys))})`;
  const columns = [BASE, ...shape.select, "null"].join(", ");
  return {
    plain: (table) =>
      `select ${columns} from (
         select * exclude (body), json_transform(body, ${literal(JSON.stringify(shape.types))}) as s from ${linesOf(table)}
         where ${ofKind} and ${isPlain})`,
    others: others(`${ofKind} and not ${isPlain}`),
  };
}

function plainShape(layout: Layout): Shape | undefined {
  const { kind, schema, features } = layout;
  const isTooWide = features.length > MOST_FEATURES || features.some(({ name }) => name === "");
  if (schema === undefined || isTooWide) return undefined;
  const cells = features.map(({ name, column }) => ({ name, type: typeOf(layout, column) }));
  const pattern = objectOf(cells.map(({ name, type }) => ({ name, pattern: orNull(PATTERNS[type] as string) })));
  const shape = shapeOf(kind, labelType(schema).toString(), { name: "features", pattern });
  if (shape === undefined || kind === "label" || cells.length === 0) return shape;
  return {
    keys: shape.keys,
    types: { ...shape.types, features: Object.fromEntries(cells.map(({ name, type }) => [name, type])) },
    select: [...shape.select, ...cells.map(({ name }) => `s.features.${identifier(name)}`)],
  };
}
