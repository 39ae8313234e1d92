/**
 * The rows of a run, made by DuckDB alone: typed segments and tail go in, one Parquet file comes out, and no row becomes a
 * JavaScript object on the way. Only what was received at or before `asOf` is seen; a run repeated later with the same `asOf`
 * therefore freezes the same rows, however many labels and corrections came since.
 */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";
import {
  type DatasetFile,
  type DatasetRequest,
  type EventKind,
  LABEL_PRECEDENCE,
  LOG_START,
  type LogCursor,
} from "../../core/index.ts";
import { fileList, identifier, literal } from "../analytics.ts";
import { publishFile } from "../files/durable.ts";
import { featureType, labelType, type Layout, layoutOf, type TailRow } from "./columns.ts";
import { KINDS } from "./encode.ts";
import { consistently, layoutOfSegment, type LogParts } from "./read.ts";
import { ROW_GROUP_ROWS, SegmentTable, segmentPath } from "./segment-write.ts";
import type { StoredSegment } from "./segments.ts";
import { wholeTailPage } from "./tail.ts";

type Kind = Exclude<EventKind, "outcome">;
const USED: readonly Kind[] = ["observation", "prediction", "label"];

/** Whose rows, and what was known of them when. */
export type RowsRequest = Pick<DatasetRequest, "schema" | "asOf">;

/** A place rows of one kind and one set of columns are read from. */
export interface Relation {
  readonly kind: Kind;
  readonly from: string;
  readonly layout: Layout;
}

/** The path of a value in the body kept in `rest`, as a JSON pointer. */
function pointer(...names: readonly string[]): string {
  return literal(names.map((name) => `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`).join(""));
}

/** A value that has no column, out of the body in `rest`; NULL where its type is not the wanted one. */
function fromRest(type: string, ...path: readonly string[]): string {
  const at = pointer(...path);
  const kinds = { DOUBLE: "'DOUBLE', 'BIGINT', 'UBIGINT'", VARCHAR: "'VARCHAR'", BOOLEAN: "'BOOLEAN'" }[type];
  return `case when json_valid(rest) then case when json_type(rest, ${at}) in (${kinds})
    then try_cast(json_extract_string(rest, ${at}) as ${type}) end end`;
}

function hasColumn(layout: Layout, name: string, type: string): boolean {
  return layout.columns.some((column) => column.name === name && column.type.toString() === type);
}

function featureExpression(layout: Layout, name: string, type: string): string {
  const column = `f_${name}`;
  return hasColumn(layout, column, type) ? identifier(column) : fromRest(type, "features", name);
}

function labelExpression(layout: Layout, type: string): string {
  if (hasColumn(layout, "label", type)) return "label";
  return fromRest(type, layout.kind === "label" ? "value" : "label");
}

/** One select per relation, so that files of different schemas each are read with their own columns. */
function selectOf(relation: Relation, request: RowsRequest): string {
  const { kind, layout, from } = relation;
  const label = labelType(request.schema).toString();
  const features = request.schema.columns.map(
    ({ name, type }) =>
      `${featureExpression(layout, name, featureType(type).toString())} as ${identifier(`f_${name}`)}`,
  );
  // The filter that keeps the future out. Everything below sees these three relations only.
  const known = `where received_at <= ${BigInt(request.asOf)}`;
  switch (kind) {
    case "observation":
      return `select example_id, "at", received_at, seq, ${labelExpression(layout, label)} as label,
        ${features.join(", ")} from ${from} ${known}`;
    case "prediction":
      return `select example_id, prediction_id, "at", received_at, seq, origin,
        ${features.join(", ")} from ${from} ${known}`;
    case "label":
      return `select example_id, prediction_id, "at", received_at, seq, retraction, label_source,
        coalesce(${fromRest("BOOLEAN", "selective")}, false) as selective,
        ${labelExpression(layout, label)} as label from ${from} ${known}`;
  }
}

function unionOf(kind: Kind, relations: readonly Relation[], request: RowsRequest): string {
  return relations
    .filter((relation) => relation.kind === kind)
    .map((relation) => selectOf(relation, request))
    .join(" union all ");
}

/** One number that orders events as the log does: first by receipt, then by sequence (below 2^63). */
const logOrder = (table = "") => `${table}received_at::hugeint * 9223372036854775808 + ${table}seq`;

/**
 * The relations by name, and the label that counts for each example as `effective`; a statement goes on after it.
 * @param window a condition on `"at"`: only examples that have a row there are looked at, which the rest of the log does not cost
 */
export function effectiveLabels(relations: readonly Relation[], request: RowsRequest, window?: string): string {
  const rank = LABEL_PRECEDENCE.map((source, i) => `when ${literal(source)} then ${i}`).join(" ");
  const relevant = window === undefined ? "" : "semi join relevant using (example_id)";
  return `
with observation as (${unionOf("observation", relations, request)}),
prediction as (${unionOf("prediction", relations, request)}),
label as (${unionOf("label", relations, request)}),
prediction_key as (select example_id, prediction_id, "at", received_at, seq, origin from prediction),
observation_key as (select example_id, "at", received_at, seq, label from observation),${
    window === undefined
      ? ""
      : `
relevant as (
  select example_id from observation_key where ${window} union select example_id from prediction_key where ${window}
),`
  }
prediction_example as (
  select prediction_id, any_value(example_id) as example_id from prediction_key ${relevant} group by prediction_id
),
statement as (
  select coalesce(l.example_id, p.example_id) as example_id, l.label, l.retraction, l.label_source, l.selective, l."at",
    l.received_at, l.seq
  from label l left join prediction_example p on l.example_id is null and p.prediction_id = l.prediction_id
  union all
  select example_id, label, false, 'system', false, "at", received_at, seq from observation_key where label is not null
),
newest_by_source as (
  select example_id, label_source, arg_max({label: label, retraction: retraction, selective: selective, label_at: "at",
    received_at: received_at, seq: seq}, ${logOrder()}) as newest
  from statement ${relevant} where example_id is not null and (retraction or label is not null)
  group by example_id, label_source
),
effective as (
  select example_id, unnest(arg_min({label: newest.label, label_at: newest.label_at, label_received_at: newest.received_at,
    label_seq: newest.seq, label_source: label_source, selective: newest.selective}, case label_source ${rank} else 99 end))
  from newest_by_source where not newest.retraction group by example_id
),`;
}

/** The statement that gives the dataset, ordered by (at, example id). */
function datasetSql(relations: readonly Relation[], request: DatasetRequest): string {
  const names = request.schema.columns.map(({ name }) => identifier(`f_${name}`));
  const bounds = [
    ...(request.from === undefined ? [] : [`"at" >= ${BigInt(request.from)}`]),
    ...(request.to === undefined ? [] : [`"at" < ${BigInt(request.to)}`]),
  ].join(" and ");
  const window = bounds === "" ? undefined : bounds;
  const inWindow = `where ${window ?? "true"}`;
  const newest =
    request.maxRows === undefined
      ? "described"
      : `(select * from described order by "at" desc, example_id desc limit ${Math.max(0, Math.floor(request.maxRows))})`;
  return `${effectiveLabels(relations, request, window)}
before_label as (
  select p.example_id, max_by(p.seq, ${logOrder("p.")}) as seq
  from effective e join prediction_key p on p.example_id = e.example_id
  where p.origin in ('live', 'system')${request.featuresFrom === "observation" ? " and e.example_id not in (select example_id from observation_key)" : ""}
    and (p.received_at < e.label_received_at or (p.received_at = e.label_received_at and p.seq < e.label_seq))
  group by p.example_id
),
observed as (
  select o.example_id, max_by(o.seq, ${logOrder("o.")}) as seq
  from effective e join observation_key o on o.example_id = e.example_id
  where e.example_id not in (select example_id from before_label)
  group by o.example_id
),
described as (
  select p.example_id, p."at", p.received_at, ${names.join(", ")}
  from prediction p semi join before_label b on p.seq = b.seq ${inWindow}
  union all
  select o.example_id, o."at", o.received_at, ${names.join(", ")}
  from observation o semi join observed b on o.seq = b.seq ${inWindow}
)
select d.example_id, d."at", d.received_at, e.label_at, e.label_received_at, e.label, e.label_source, e.selective${names.map((name) => `, d.${name}`).join("")}
from ${newest} d join effective e using (example_id) order by d."at", d.example_id`;
}

/** An empty relation, so that every name of the statement exists. */
function emptyRelation(kind: Kind, request: RowsRequest): Relation {
  const layout = layoutOf(kind, request.schema);
  const columns = layout.columns.map(({ name, type }) => `null::${type.toString()} as ${identifier(name)}`);
  return { kind, layout, from: `(select ${columns.join(", ")} where false)` };
}

function segmentRelations(parts: LogParts, segments: readonly StoredSegment[], request: RowsRequest): Relation[] {
  const groups = new Map<string, StoredSegment[]>();
  for (const segment of segments) {
    if (segment.kind === "outcome" || segment.minReceivedAt > request.asOf) continue;
    const key = `${segment.kind} ${segment.signature}`;
    groups.set(key, [...(groups.get(key) ?? []), segment]);
  }
  return [...groups.values()].map((group) => {
    const first = group[0] as StoredSegment;
    return {
      kind: first.kind as Kind,
      layout: layoutOfSegment(first),
      from: fileList(group.map(({ id }) => segmentPath(parts.folder, id))),
    };
  });
}

const PAGE_ROWS = 1000;

/** The tail of the model at one moment, with the segment set of that moment. Pages follow in log order. */
async function readTail(parts: LogParts, model: string) {
  return consistently(parts, model, async () => {
    const rows: (TailRow & { readonly kind: number })[] = [];
    let generation: number | undefined;
    let cursor: LogCursor = LOG_START;
    for (;;) {
      const page = await wholeTailPage(parts.database, model, cursor, PAGE_ROWS);
      // Rows moved into a segment between two pages: begin again with what is left.
      if (generation !== undefined && page.generation !== generation) return { generation: -1, horizon: 0n, rows: [] };
      generation = page.generation;
      rows.push(...page.rows);
      const last = page.rows.at(-1);
      if (!last || page.rows.length < PAGE_ROWS) return { generation, horizon: 0n, rows };
      cursor = { transactionId: last.transactionId, seq: last.seq };
    }
  });
}

async function loadTail(
  connection: DuckDBConnection,
  rows: readonly (TailRow & { readonly kind: number })[],
  request: RowsRequest,
): Promise<{ readonly tables: SegmentTable[]; readonly relations: Relation[] }> {
  const tables: SegmentTable[] = [];
  const relations: Relation[] = [];
  for (const kind of USED) {
    const ofKind = rows.filter((row) => KINDS[row.kind] === kind);
    if (ofKind.length === 0) continue;
    const table = new SegmentTable(connection, layoutOf(kind, request.schema), `tail_${kind}`);
    await table.create();
    tables.push(table);
    for (const row of ofKind) table.add(row);
    table.finish();
    relations.push({ kind, layout: table.layout, from: table.table });
  }
  return { tables, relations };
}

export async function copyOut(connection: DuckDBConnection, sql: string, path: string): Promise<DatasetFile> {
  const temporary = `${path}.tmp`;
  await mkdir(dirname(path), { recursive: true });
  await connection.run(
    `copy (${sql}) to ${literal(temporary)} (format parquet, compression zstd, row_group_size ${ROW_GROUP_ROWS})`,
  );
  const reader = await connection.runAndReadAll(
    `select count(*)::double, min("at")::double, max("at")::double from ${fileList([temporary])}`,
  );
  const [rows, minAt, maxAt] = reader.getRows()[0] as DuckDBValue[];
  await publishFile(temporary, path);
  return { rows: rows as number, minAt: minAt as number | null, maxAt: maxAt as number | null };
}

/** Gives the work every row known by then, segments and tail, as relations that live as long as it. */
export async function withRelations<T>(
  parts: LogParts,
  request: RowsRequest,
  work: (connection: DuckDBConnection, relations: readonly Relation[]) => Promise<T>,
): Promise<T> {
  const tail = await readTail(parts, request.schema.model);
  return parts.analytics.use(async (connection) => {
    const { tables, relations } = await loadTail(connection, tail.rows, request);
    try {
      relations.push(...segmentRelations(parts, tail.segments, request));
      for (const kind of USED) relations.push(emptyRelation(kind, request));
      return await work(connection, relations);
    } finally {
      for (const table of tables) await table.drop();
    }
  });
}

/**
 * Writes the dataset of a run. One row per example that has an effective label as of `asOf` and features known by then.
 * Cost: one scan of the model's segments that were received up to `asOf`; about 0.2 s for 45,000 examples of 16 features.
 */
export function writeDataset(parts: LogParts, request: DatasetRequest): Promise<DatasetFile> {
  return withRelations(parts, request, (connection, relations) =>
    copyOut(connection, datasetSql(relations, request), request.path),
  );
}
