/**
 * The insert of a batch: its rows in blocks (`block.ts`), and the counts that triggers ask for at every tick, kept by the same
 * statement. Values travel as a few long texts that the server splits, so nothing needs quoting.
 */
import type { Instant } from "../../core/index.ts";
import { prepared } from "../session.ts";
import type { Queryable, SqlRow } from "../sql.ts";
import {
  blocksOf,
  codeOf,
  COMMIT_SEQS,
  type EncodedRequest,
  isMarked,
  type NewBlock,
  placeOf,
  SAME_IDS,
  UNASKED,
} from "./block.ts";
import type { CommitText } from "./committed-rows.ts";

/** Width of the finest volume bucket, ms. A question that cuts through a bucket is answered from the log itself. */
export const VOLUME_WIDTH_MS = 1000;
/** Between the blocks of an insert. */
const SEPARATOR = "\u001e";

const INSERT = prepared(`
with counted as (
  insert into volume (model, bucket, width, observation, prediction, label, outcome, labelled, first_at, last_at)
  select m, b::bigint, ${VOLUME_WIDTH_MS}, k0::bigint, k1::bigint, k2::bigint, k3::bigint, l::bigint, f::bigint, t::bigint
  from unnest(string_to_array($11, E'\\n'), string_to_array($12, ','), string_to_array($13, ','), string_to_array($14, ','),
    string_to_array($15, ','), string_to_array($16, ','), string_to_array($17, ','), string_to_array($18, ','),
    string_to_array($19, ',')) as v (m, b, k0, k1, k2, k3, l, f, t)
  on conflict (model, bucket, width) do update set
    observation = volume.observation + excluded.observation, prediction = volume.prediction + excluded.prediction,
    label = volume.label + excluded.label, outcome = volume.outcome + excluded.outcome,
    labelled = volume.labelled + excluded.labelled, first_at = least(volume.first_at, excluded.first_at),
    last_at = greatest(volume.last_at, excluded.last_at)
), place as materialized (
  select nextval('ingest_commit') * ${COMMIT_SEQS} as base, active_part from log_state
), written as (
  insert into ingest (part, last_seq, rows, received_at, model, kinds, known_at, ats, example_ids, prediction_ids, bodies)
  select place.active_part, place.base + o::bigint + r::integer - 1, r::integer, $1::bigint, m, k, u, a, coalesce(e, ''), coalesce(p, ''), b
  from place, unnest(string_to_array($2, E'\\n'), string_to_array($3, ','), string_to_array($4, ','), string_to_array($5, ','),
    string_to_array($6, E'\\x1e', ''), string_to_array($7, E'\\x1e'), string_to_array($8, E'\\x1e'),
    string_to_array($9, E'\\x1e'), string_to_array($10, E'\\x1e')) as t (m, o, r, k, u, a, e, p, b)
)
select pg_current_xact_id()::text as xid, base as first from place`);

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
      const digit = kinds.charCodeAt(i) - 48;
      const kind = codeOf(digit);
      if (digit !== UNASKED) {
        row.counts[kind] = (row.counts[kind] ?? 0) + 1;
        if (isMarked(digit)) row.labelled += 1;
      }
      if (at < row.first) row.first = at;
      if (at > row.last) row.last = at;
    }
  }
  return [...rows.values()].sort((left, right) =>
    left.model < right.model ? -1 : left.model > right.model ? 1 : left.bucket - right.bucket,
  );
}

/** The texts of one column of the blocks. @param within between the parts of a block */
function texts(blocks: readonly NewBlock[], of: (part: NewBlock["parts"][number]) => string, within: string): string[] {
  return blocks.map(({ parts }) => parts.map(of).join(within));
}

/** Empty for rows that are known since they were received: a block holds rows of one kind of the two. */
function knownAtOf({ parts }: NewBlock): string {
  return parts[0]?.knownAt === "" ? "" : parts.map(({ knownAt }) => knownAt).join(",");
}

/**
 * Inserts the events of the batch and their counts: one statement, hence one transaction where none is open.
 * @returns where they are; undefined when there were none
 */
export async function insertEvents(
  database: Queryable,
  all: readonly EncodedRequest[],
  receivedAt: Instant,
): Promise<CommitText | undefined> {
  const batch = all.filter((entry) => entry.rows > 0);
  if (batch.length === 0) return undefined;
  const volume = volumeOf(batch, receivedAt);
  const column = (value: (row: VolumeRow) => number) => volume.map(value).join(",");
  const blocks = blocksOf(batch);
  const bodies = texts(blocks, (part) => part.bodies, "\n");
  const predictionIds = texts(blocks, (part) => part.predictionIds, "\n");
  const exampleIds = texts(blocks, (part) => part.exampleIds, "\n");
  const { rows } = await database.query(INSERT, [
    receivedAt,
    blocks.map(({ model }) => model).join("\n"),
    blocks.map(({ offset }) => offset).join(","),
    blocks.map((block) => block.rows).join(","),
    blocks.map(({ parts }) => parts.map(({ kinds }) => kinds).join("")).join(","),
    blocks.map(knownAtOf).join(SEPARATOR),
    texts(blocks, (part) => part.ats, ",").join(SEPARATOR),
    exampleIds.map((ids, i) => (ids === predictionIds[i] ? SAME_IDS : ids)).join(SEPARATOR),
    predictionIds.join(SEPARATOR),
    bodies.join(SEPARATOR),
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
  return {
    place: placeOf(rows[0] as SqlRow, receivedAt),
    bodies: bodies.join("\n"),
  };
}
