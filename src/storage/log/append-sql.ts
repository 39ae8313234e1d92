/**
 * The insert of a batch. Values travel as a few long texts that the server splits: canonical JSON and our escaped texts hold
 * no raw newline, so nothing needs quoting, and the driver handles eight parameters instead of one array element per value.
 * The counts that triggers ask for at every tick are kept by the same statement.
 */
import type { AppendRequest, Instant } from "../../core/index.ts";
import { prepared } from "../session.ts";
import type { Queryable, SqlRow } from "../sql.ts";
import { columnId, eventBody, isLabelled, isUnasked, KIND_CODES } from "./encode.ts";
import type { CommitText, WrittenRequest } from "./committed-rows.ts";

const LABELLED = 4;
/** The mark of a prediction nobody asked for: a challenger's mirrored answer. Counted, it would pass for a request. */
const UNASKED = LABELLED + KIND_CODES.prediction;
/** Width of the finest volume bucket, ms. A question that cuts through a bucket is answered from the log itself. */
export const VOLUME_WIDTH_MS = 1000;

const INSERT = prepared(`
with counted as (
  insert into volume (model, bucket, width, observation, prediction, label, outcome, labelled, first_at, last_at)
  select m, b::bigint, ${VOLUME_WIDTH_MS}, k0::bigint, k1::bigint, k2::bigint, k3::bigint, l::bigint, f::bigint, t::bigint
  from unnest(string_to_array($9, E'\\n'), string_to_array($10, ','), string_to_array($11, ','), string_to_array($12, ','),
    string_to_array($13, ','), string_to_array($14, ','), string_to_array($15, ','), string_to_array($16, ','),
    string_to_array($17, ',')) as v (m, b, k0, k1, k2, k3, l, f, t)
  on conflict (model, bucket, width) do update set
    observation = volume.observation + excluded.observation, prediction = volume.prediction + excluded.prediction,
    label = volume.label + excluded.label, outcome = volume.outcome + excluded.outcome,
    labelled = volume.labelled + excluded.labelled, first_at = least(volume.first_at, excluded.first_at),
    last_at = greatest(volume.last_at, excluded.last_at)
), written as (
insert into ingest (part, received_at, imported_at, at, model, kind, labelled, example_id, prediction_id, body)
select s.active_part, coalesce(r::bigint, $1::bigint), case when r is not null then $1::bigint end, a::bigint, m, k::smallint % 4, k::smallint > 3, e, p, b
from log_state s, unnest(string_to_array($2, E'\\n'), string_to_array($3, null), string_to_array($4, ',', ''),
  string_to_array($5, ','), string_to_array($6, E'\\n', ''), string_to_array($7, E'\\n', ''), string_to_array($8, E'\\n'))
  as t (m, k, r, a, e, p, b)
returning seq)
select pg_current_xact_id()::text as xid, min(seq) as first, max(seq) as last from written`);

/** A request with its texts made, waiting for its batch. */
export interface EncodedRequest extends WrittenRequest {
  readonly bytes: number;
  readonly ats: string;
  readonly exampleIds: string;
  readonly predictionIds: string;
}

/** @throws NUMBER_NOT_FINITE, ROW_INVALID */
export function encodeRequest(request: AppendRequest): EncodedRequest {
  const { events } = request;
  const bodies: string[] = [];
  let kinds = "";
  let ats = "";
  let exampleIds = "";
  let predictionIds = "";
  let bytes = 0;
  for (let i = 0; i < events.length; i++) {
    const event = events[i] as (typeof events)[number];
    const body = eventBody(event);
    bytes += body.length;
    bodies.push(body);
    kinds += KIND_CODES[event.kind] + (isLabelled(event) || isUnasked(event) ? LABELLED : 0);
    ats += i === 0 ? event.at : `,${event.at}`;
    const separator = i === 0 ? "" : "\n";
    exampleIds += separator + (columnId(event.exampleId) ?? "");
    predictionIds += separator + (columnId("predictionId" in event ? event.predictionId : undefined) ?? "");
  }
  return { request, rows: events.length, bytes, kinds, ats, exampleIds, predictionIds, bodies: bodies.join("\n") };
}

interface VolumeRow {
  readonly model: string;
  readonly bucket: Instant;
  readonly counts: [number, number, number, number];
  labelled: number;
  first: Instant;
  last: Instant;
}

/** Rows per (model, second) of receipt, in the order of their key: two processes must lock them in one order. */
function volumeOf(batch: readonly EncodedRequest[], receivedAt: Instant): VolumeRow[] {
  const rows = new Map<string, VolumeRow>();
  for (const { request, kinds } of batch) {
    for (let i = 0; i < kinds.length; i++) {
      const at = request.knownAt?.[i] ?? receivedAt;
      const bucket = Math.floor(at / VOLUME_WIDTH_MS) * VOLUME_WIDTH_MS;
      const key = `${request.model}\n${bucket}`;
      let row = rows.get(key);
      if (!row) {
        row = { model: request.model, bucket, counts: [0, 0, 0, 0], labelled: 0, first: at, last: at };
        rows.set(key, row);
      }
      const code = kinds.charCodeAt(i) - 48;
      const kind = code % LABELLED;
      if (code !== UNASKED) {
        row.counts[kind] = (row.counts[kind] ?? 0) + 1;
        if (code >= LABELLED) row.labelled += 1;
      }
      if (at < row.first) row.first = at;
      if (at > row.last) row.last = at;
    }
  }
  return [...rows.values()].sort((left, right) =>
    left.model < right.model ? -1 : left.model > right.model ? 1 : left.bucket - right.bucket,
  );
}

/**
 * Inserts the events of the batch and their counts: one statement, hence one transaction where none is open.
 * @returns where they are; undefined when there were none, or others wrote between them
 */
export async function insertEvents(
  database: Queryable,
  all: readonly EncodedRequest[],
  receivedAt: Instant,
): Promise<CommitText | undefined> {
  const batch = all.filter((entry) => entry.rows > 0);
  if (batch.length === 0) return undefined;
  const lines = (text: (entry: EncodedRequest) => string, separator: string) => batch.map(text).join(separator);
  const imported = batch.some((entry) => entry.request.knownAt !== undefined);
  const volume = volumeOf(batch, receivedAt);
  const column = (value: (row: VolumeRow) => number) => volume.map(value).join(",");
  const bodies = lines((entry) => entry.bodies, "\n");
  const { rows } = await database.query(INSERT, [
    receivedAt,
    lines((entry) => `${`${entry.request.model}\n`.repeat(entry.rows - 1)}${entry.request.model}`, "\n"),
    lines((entry) => entry.kinds, ""),
    imported ? lines((entry) => entry.request.knownAt?.join(",") ?? ",".repeat(entry.rows - 1), ",") : "",
    lines((entry) => entry.ats, ","),
    lines((entry) => entry.exampleIds, "\n"),
    lines((entry) => entry.predictionIds, "\n"),
    bodies,
    volume.map((row) => row.model).join("\n"),
    column((row) => row.bucket),
    column((row) => row.counts[0]),
    column((row) => row.counts[1]),
    column((row) => row.counts[2]),
    column((row) => row.counts[3]),
    column((row) => row.labelled),
    column((row) => row.first),
    column((row) => row.last),
  ]);
  const { xid, first, last } = rows[0] as SqlRow;
  const firstSeq = BigInt(first as number);
  const count = batch.reduce((sum, entry) => sum + entry.rows, 0);
  if (BigInt(last as number) - firstSeq !== BigInt(count - 1)) return undefined;
  return { place: { transactionId: BigInt(xid as string), firstSeq, receivedAt }, bodies };
}
