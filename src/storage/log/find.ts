/** Looking events up by the ids they name: segments are pruned by their index files and, for UUIDv7 ids, by time. */
import type {
  EventKind,
  Instant,
  LabelEvent,
  LoggedEvent,
  ObservationEvent,
  PredictionEvent,
} from "../../core/index.ts";
import { uuidInstant } from "../../core/index.ts";
import { chunksOf, fileList, textList } from "../analytics.ts";
import { readRow } from "./read-row.ts";
import { encodeText } from "./encode.ts";
import { compareToCursor } from "./cursor.ts";
import { consistently, layoutOfSegment, type LogParts } from "./read.ts";
import { hashId, type IndexCache, mayHold } from "./segment-index.ts";
import { indexPath, segmentPath } from "./segment-write.ts";
import type { StoredSegment } from "./segments.ts";
import { tailByIds, toLoggedEvent } from "./tail.ts";

export interface EventKeys {
  readonly predictionIds?: readonly string[];
  readonly exampleIds?: readonly string[];
  readonly asOf?: Instant;
}
interface Wanted {
  readonly predictionIds: readonly string[];
  readonly exampleIds: readonly string[];
  readonly asOf: Instant;
}
interface WantedKind {
  readonly kind: EventKind;
  readonly labelledOnly?: boolean;
}
export interface FindParts extends LogParts {
  readonly indexes: IndexCache;
}

/** Later than any instant a row can carry. */
const FOREVER = Number.MAX_SAFE_INTEGER;

function wantedOf(keys: EventKeys): Wanted {
  return {
    predictionIds: [...new Set(keys.predictionIds ?? [])],
    exampleIds: [...new Set(keys.exampleIds ?? [])],
    asOf: keys.asOf ?? FOREVER,
  };
}

/** False when the times inside the ids say that the segment holds none of them. */
function mayHoldByTime(segment: StoredSegment, wanted: Wanted): boolean {
  if (wanted.exampleIds.length > 0 || segment.hasOtherIds) return true;
  const { minIdTime, maxIdTime } = segment;
  return wanted.predictionIds.some((id) => {
    const time = uuidInstant(id);
    if (time === undefined) return false;
    return minIdTime !== null && maxIdTime !== null && time >= minIdTime && time <= maxIdTime;
  });
}

async function prune(
  parts: FindParts,
  segments: readonly StoredSegment[],
  kind: EventKind,
  wanted: Wanted,
): Promise<StoredSegment[]> {
  const hashes = {
    examples: wanted.exampleIds.map((id) => hashId(encodeText(id))),
    predictions: wanted.predictionIds.map((id) => hashId(encodeText(id))),
  };
  const found: StoredSegment[] = [];
  for (const segment of segments) {
    if (segment.kind !== kind || segment.minReceivedAt > wanted.asOf || !mayHoldByTime(segment, wanted)) continue;
    const index = await parts.indexes.load(indexPath(parts.folder, segment.id));
    if (!index || mayHold(index, hashes)) found.push(segment);
  }
  return found;
}

async function searchSegments(
  parts: FindParts,
  segments: readonly StoredSegment[],
  { kind, labelledOnly }: WantedKind,
  wanted: Wanted,
): Promise<LoggedEvent[]> {
  const events: LoggedEvent[] = [];
  const groups = new Map<string, StoredSegment[]>();
  for (const segment of await prune(parts, segments, kind, wanted)) {
    const group = groups.get(segment.signature);
    if (group) group.push(segment);
    else groups.set(segment.signature, [segment]);
  }
  const predictions = textList(wanted.predictionIds.map(encodeText));
  const examples = textList(wanted.exampleIds.map(encodeText));
  const byPrediction = kind === "observation" ? "false" : "prediction_id in (select unnest($1))";
  for (const group of groups.values()) {
    const first = group[0] as StoredSegment;
    const layout = layoutOfSegment(first);
    const sql = `select * from ${fileList(group.map(({ id }) => segmentPath(parts.folder, id)))}
      where received_at <= $3 and (${byPrediction} or example_id in (select unnest($2))) and len($1) >= 0
      ${labelledOnly === true ? "and labelled" : ""}`;
    await parts.analytics.use(async (connection) => {
      const values = [predictions.value, examples.value, BigInt(wanted.asOf)];
      const types = [predictions.type, examples.type];
      for await (const { rowCount, columns } of chunksOf(connection, sql, values, types as never)) {
        for (let row = 0; row < rowCount; row++) events.push(readRow(columns, row, layout));
      }
    });
  }
  return events;
}

/** One look at the tail for all kinds, which costs as much as one for a single kind; then the segments of each. */
async function find(
  parts: FindParts,
  model: string,
  kinds: readonly WantedKind[],
  wanted: Wanted,
): Promise<LoggedEvent[]> {
  if (wanted.predictionIds.length === 0 && wanted.exampleIds.length === 0) return [];
  const { rows, segments } = await consistently(parts, model, async () => {
    const known = await parts.memory?.byIds(model, { ...wanted, kinds });
    if (known !== undefined) return known;
    const asked = await tailByIds(parts.database, model, kinds, wanted);
    return { ...asked, rows: asked.rows.map(toLoggedEvent) };
  });
  const events: LoggedEvent[] = [...rows];
  for (const one of kinds) {
    // Observations are known by their example alone.
    if (one.kind === "observation" && wanted.exampleIds.length === 0) continue;
    events.push(...(await searchSegments(parts, segments, one, wanted)));
  }
  return events.sort(compareToCursor);
}

/** Predictions of the ids known by `asOf`, in log order. Cost: the segments that may hold an id, and one pass of the tail. */
export async function findPredictions(
  parts: FindParts,
  model: string,
  keys: EventKeys,
): Promise<LoggedEvent<PredictionEvent>[]> {
  return (await find(parts, model, [{ kind: "prediction" }], wantedOf(keys))) as LoggedEvent<PredictionEvent>[];
}

/** An observation that carries its label states it as the ground truth. */
function asLabel(event: LoggedEvent<ObservationEvent>): LoggedEvent<LabelEvent> {
  const { exampleId, at, label, transactionId, seq, receivedAt, importedAt } = event;
  return {
    kind: "label",
    exampleId,
    at,
    value: label ?? null,
    labelSource: "system",
    transactionId,
    seq,
    receivedAt,
    ...(importedAt === undefined ? {} : { importedAt }),
  };
}

/** Label statements about the ids known by `asOf`, in log order: label events, and labelled observations as `system` labels. */
export async function findLabels(parts: FindParts, model: string, keys: EventKeys): Promise<LoggedEvent<LabelEvent>[]> {
  const kinds = [{ kind: "label" }, { kind: "observation", labelledOnly: true }] as const;
  const found = await find(parts, model, kinds, wantedOf(keys));
  return found.map((event) =>
    event.kind === "observation" ? asLabel(event as LoggedEvent<ObservationEvent>) : (event as LoggedEvent<LabelEvent>),
  );
}

/** The newest observation of each example known by `asOf`, by (receivedAt, seq). */
export async function findObservations(
  parts: FindParts,
  model: string,
  keys: { exampleIds: readonly string[]; asOf?: Instant },
): Promise<LoggedEvent<ObservationEvent>[]> {
  const found = (await find(
    parts,
    model,
    [{ kind: "observation" }],
    wantedOf(keys),
  )) as LoggedEvent<ObservationEvent>[];
  const newest = new Map<string, LoggedEvent<ObservationEvent>>();
  for (const event of found) {
    const known = newest.get(event.exampleId);
    const isNewer =
      !known || event.receivedAt > known.receivedAt || (event.receivedAt === known.receivedAt && event.seq > known.seq);
    if (isNewer) newest.set(event.exampleId, event);
  }
  return [...newest.values()];
}
