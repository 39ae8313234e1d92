/** Which segments there are. Cached by generation: the number that every change of the set moves on. */
import type { EventKind, SegmentRecord } from "../../core/index.ts";
import { type Queryable, type SqlRow, toNumber, toNumberOrNull } from "../sql.ts";
import { KIND_CODES, KINDS } from "./encode.ts";
import { segmentPath, type WrittenSegment } from "./segment-write.ts";

export interface StoredSegment extends WrittenSegment {
  readonly model: string;
  readonly kind: EventKind;
  readonly signature: string;
}

function toSegment(row: SqlRow): StoredSegment {
  return {
    id: row["id"] as string,
    model: row["model"] as string,
    kind: KINDS[toNumber(row["kind"])] as EventKind,
    signature: row["signature"] as string,
    rows: toNumber(row["rows"]),
    bytes: toNumber(row["bytes"]),
    minAt: toNumber(row["min_at"]),
    maxAt: toNumber(row["max_at"]),
    minReceivedAt: toNumber(row["min_received_at"]),
    maxReceivedAt: toNumber(row["max_received_at"]),
    minTransactionId: BigInt(row["min_xid"] as number),
    maxTransactionId: BigInt(row["max_xid"] as number),
    maxSeq: BigInt(row["max_seq"] as number),
    minIdTime: toNumberOrNull(row["min_id_time"]),
    maxIdTime: toNumberOrNull(row["max_id_time"]),
    hasOtherIds: row["other_ids"] as boolean,
    sha256: (row["sha256"] ?? null) as string | null,
  };
}

export function toSegmentRecord(segment: StoredSegment, folder: string): SegmentRecord {
  const { id, model, kind, rows, bytes, minAt, maxAt, minReceivedAt, maxReceivedAt } = segment;
  const { minTransactionId, maxTransactionId } = segment;
  return {
    id,
    model,
    kind,
    path: segmentPath(folder, id),
    rows,
    bytes,
    minAt,
    maxAt,
    minReceivedAt,
    maxReceivedAt,
    minTransactionId,
    maxTransactionId,
  };
}

export class SegmentCatalog {
  private readonly database: Queryable;
  private generation = -1;
  private byModel = new Map<string, StoredSegment[]>();
  private loading: Promise<void> | undefined;

  constructor(database: Queryable) {
    this.database = database;
  }

  /** The segments of a model as they were at that generation, in log order; undefined when the set has moved on since. */
  async at(generation: number, model: string): Promise<readonly StoredSegment[] | undefined> {
    if (this.generation < generation) await this.reload();
    return this.generation === generation ? (this.byModel.get(model) ?? []) : undefined;
  }

  /** The newest set. */
  async current(model: string): Promise<readonly StoredSegment[]> {
    await this.reload();
    return this.byModel.get(model) ?? [];
  }

  async models(): Promise<readonly string[]> {
    await this.reload();
    return [...this.byModel.keys()];
  }

  private async reload(): Promise<void> {
    // A load under way may have read before the caller's question; its answer is checked by generation, so sharing is safe.
    this.loading ??= this.load().finally(() => {
      this.loading = undefined;
    });
    await this.loading;
  }

  private async load(): Promise<void> {
    // One statement, hence one snapshot of the number and the set.
    const { rows } = await this.database.query(
      `select l.generation, s.* from log_state l left join segment s on s.removed_at is null
       order by s.min_xid, s.max_xid, s.id`,
    );
    const generation = toNumber(rows[0]?.["generation"]);
    if (generation <= this.generation) return;
    const byModel = new Map<string, StoredSegment[]>();
    for (const row of rows) {
      if (row["id"] === null) continue;
      const segment = toSegment(row);
      const list = byModel.get(segment.model) ?? [];
      list.push(segment);
      byModel.set(segment.model, list);
    }
    this.byModel = byModel;
    this.generation = generation;
  }
}

/** Adds rows of the `segment` table and moves the generation on. */
export async function insertSegments(
  transaction: Queryable,
  segments: readonly StoredSegment[],
  createdAt: number,
): Promise<void> {
  for (const segment of segments) {
    await transaction.query(
      `insert into segment (id, model, kind, signature, rows, bytes, min_at, max_at, min_received_at, max_received_at,
         min_xid, max_xid, max_seq, min_id_time, max_id_time, other_ids, created_at, sha256)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
      [
        segment.id,
        segment.model,
        KIND_CODES[segment.kind],
        segment.signature,
        segment.rows,
        segment.bytes,
        segment.minAt,
        segment.maxAt,
        segment.minReceivedAt,
        segment.maxReceivedAt,
        segment.minTransactionId.toString(),
        segment.maxTransactionId.toString(),
        segment.maxSeq.toString(),
        segment.minIdTime,
        segment.maxIdTime,
        segment.hasOtherIds,
        createdAt,
        segment.sha256,
      ],
    );
  }
  await transaction.query("update log_state set generation = generation + 1");
}
