/**
 * Group commit. Requests wait in memory; one insert is in flight at a time and takes all that wait. A request is acknowledged
 * after the commit that holds its events together with its batch record, quarantined rows, source position and idempotency
 * key. A batch that fails for its content is written again request by request, so one can never fail another's; of a request that
 * fails alone the caller learns which rows are to blame (`refused-rows.ts`).
 *
 * The queue is bounded in rows and bytes; beyond, callers are told to come back instead of filling the memory.
 */
import { AsyncResource } from "node:async_hooks";
import {
  type AppendRequest,
  type AppendResult,
  fail,
  type Instant,
  RetrainError,
  type SystemClock,
  type WorldClock,
} from "../../core/index.ts";
import type { Queryable, SqlDatabase } from "../sql.ts";
import type { StoreHealthMonitor } from "../store-health.ts";
import { insertBatches, insertQuarantined } from "../tables/quarantine.ts";
import { saveSourcePosition } from "../tables/settings.ts";
import { insertEvents } from "./append-sql.ts";
import { type EncodedRequest, encodeRequest } from "./block.ts";
import { claimKeys, type Outcome } from "./claim-keys.ts";
import { rowsRefused, rowsRefusedByStore, unencodableRows } from "./refused-rows.ts";
import type { CommitText } from "./committed-rows.ts";

export interface AppendLimits {
  /** Rows and bytes that may wait. 200,000 rows are about three seconds of the embedded store's full speed. */
  readonly maxQueuedRows: number;
  readonly maxQueuedBytes: number;
  /** Rows and bytes of one insert: the embedded database is 32-bit, and a reader waits for it while it runs. */
  readonly maxBatchRows: number;
  readonly maxBatchBytes: number;
  /** How long a small batch waits at most for company while requests arrive quickly, ms. */
  readonly lingerMs: number;
  /** The same while they arrive by the thousand a second, when what a commit costs is felt more than the wait. */
  readonly busyLingerMs: number;
}
export const APPEND_LIMITS: AppendLimits = {
  maxQueuedRows: 200_000,
  maxQueuedBytes: 128 * 1024 * 1024,
  maxBatchRows: 10_000,
  maxBatchBytes: 8 * 1024 * 1024,
  lingerMs: 8,
  busyLingerMs: 30,
};
/** A batch of this many rows gains nothing from waiting: the cost of its commit is already shared. */
const LINGER_BELOW_ROWS = 256;
/** Requests of a batch from which on the writer is busy: about 2,500 a second, and what it stays busy at once it is. */
const BUSY_REQUESTS = 48;
const RETRY_AFTER_MS = 250;

/** What a commit holds. */
export interface Commit {
  readonly written: readonly EncodedRequest[];
  /** Undefined where nobody knows whether the commit came about. */
  readonly receivedAt: Instant | undefined;
  /** What stands where in the log; undefined where that is not known. */
  readonly text: CommitText | undefined;
}
type OnCommit = (commit: Commit) => void;
type OnWritten = (result: AppendResult) => void;
type OnFailed = (error: unknown) => void;

interface Written {
  readonly outcomes: readonly Outcome[];
  readonly text: CommitText | undefined;
}

interface Waiting {
  readonly encoded: EncodedRequest;
  readonly onWritten: OnWritten;
  readonly onFailed: OnFailed;
}

export class GroupCommit {
  private readonly database: SqlDatabase;
  private readonly worldClock: WorldClock;
  private readonly systemClock: SystemClock;
  private readonly health: StoreHealthMonitor;
  private readonly limits: AppendLimits;
  private readonly onCommit: OnCommit;
  private queue: Waiting[] = [];
  private queuedRows = 0;
  private queuedBytes = 0;
  private running: Promise<void> | undefined;
  /** Requests taken so far, those of them that were written or refused, and who waits for how many. */
  private accepted = 0;
  private settled = 0;
  private readonly settling: { readonly count: number; readonly done: () => void }[] = [];
  /** Requests that the last batch lets expect. */
  private expected = 0;
  /** Ends a wait for company early: called when so many requests wait. */
  private company: { readonly requests: number; readonly arrived: () => void } | undefined;
  private lastReceivedAt: Instant = Number.NEGATIVE_INFINITY;
  private closed = false;
  /** The writer must not run in the context of whoever woke it: that one may hold a transaction. */
  private readonly context = new AsyncResource("RetrainGroupCommit");

  constructor(options: {
    database: SqlDatabase;
    worldClock: WorldClock;
    systemClock: SystemClock;
    health: StoreHealthMonitor;
    limits: AppendLimits;
    onCommit: OnCommit;
  }) {
    this.database = options.database;
    this.worldClock = options.worldClock;
    this.systemClock = options.systemClock;
    this.health = options.health;
    this.limits = options.limits;
    this.onCommit = options.onCommit;
  }

  append(request: AppendRequest): Promise<AppendResult> {
    return new Promise((resolve, reject) => this.submit(request, resolve, reject));
  }

  /** Neither function may throw: all requests of a commit are told one after the other. */
  submit(request: AppendRequest, onWritten: OnWritten, onFailed: OnFailed): void {
    try {
      this.enqueue(request, onWritten, onFailed);
    } catch (error) {
      onFailed(error);
    }
  }

  private enqueue(request: AppendRequest, onWritten: OnWritten, onFailed: OnFailed): void {
    if (this.closed) throw closedError();
    this.health.requireRoom();
    checkKnownAt(request, this.worldClock.now());
    const encoded = encode(request);
    const { maxQueuedRows, maxQueuedBytes } = this.limits;
    // A request larger than the whole queue may still pass when nothing waits: refusing it for ever would help nobody.
    const isOver = this.queuedRows + encoded.rows > maxQueuedRows || this.queuedBytes + encoded.bytes > maxQueuedBytes;
    if (isOver && this.queue.length > 0) throw queueFull(this.queuedRows);
    this.queuedRows += encoded.rows;
    this.queuedBytes += encoded.bytes;
    this.queue.push({ encoded, onWritten, onFailed });
    this.accepted += 1;
    if (this.company !== undefined && this.queue.length >= this.company.requests) this.company.arrived();
    this.running ??= this.context.runInAsyncScope(() => this.run());
  }

  /** Resolves when everything that waited at the call has been written or refused: the queue is served in order. */
  settle(): Promise<void> {
    if (this.settled === this.accepted) return Promise.resolve();
    return new Promise((done) => this.settling.push({ count: this.accepted, done }));
  }

  get isWriting(): boolean {
    return this.running !== undefined;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.running;
  }

  private async run(): Promise<void> {
    // Leaves the caller's stack first, so that all requests of one turn of the event loop share the batch.
    await Promise.resolve();
    while (this.queue.length > 0) {
      await this.gatherCompany();
      const batch = this.take();
      await this.write(batch);
      this.settled += batch.length;
      while (this.settling[0] !== undefined && this.settling[0].count <= this.settled) this.settling.shift()?.done();
      this.expected = batch.length > 1 ? batch.length + this.queue.length : 0;
    }
    this.running = undefined;
  }

  /**
   * A small batch waits for company while requests arrive quickly, but for no more than can be expected: callers who ask again as
   * soon as they are answered are those just answered and those who waited meanwhile.
   */
  private async gatherCompany(): Promise<void> {
    const requests = Math.min(this.expected, LINGER_BELOW_ROWS);
    if (this.closed || this.queue.length >= requests || this.queuedRows >= LINGER_BELOW_ROWS) return;
    await new Promise<void>((resolve) => {
      this.company = { requests, arrived: resolve };
      const { lingerMs, busyLingerMs } = this.limits;
      void this.systemClock.sleep(this.expected < BUSY_REQUESTS ? lingerMs : busyLingerMs).then(resolve);
    });
    this.company = undefined;
  }

  private take(): Waiting[] {
    const { maxBatchRows, maxBatchBytes } = this.limits;
    let rows = 0;
    let bytes = 0;
    let count = 0;
    while (count < this.queue.length) {
      const { encoded } = this.queue[count] as Waiting;
      if (count > 0 && (rows + encoded.rows > maxBatchRows || bytes + encoded.bytes > maxBatchBytes)) break;
      rows += encoded.rows;
      bytes += encoded.bytes;
      count += 1;
    }
    this.queuedRows -= rows;
    this.queuedBytes -= bytes;
    return byModel(this.queue.splice(0, count));
  }

  private async write(batch: readonly Waiting[]): Promise<void> {
    let written: Written;
    try {
      written = await this.writeBatch(batch.map((waiting) => waiting.encoded));
    } catch (error) {
      const ours = this.health.report(error);
      // The commit may have happened although its answer was lost: readers must look again.
      this.onCommit({ written: batch.map(({ encoded }) => encoded), receivedAt: undefined, text: undefined });
      const isStore = ours instanceof RetrainError && (ours.code === "STORE_UNAVAILABLE" || ours.code === "STORE_FULL");
      if (isStore) for (const waiting of batch) waiting.onFailed(ours);
      else if (batch.length === 1) for (const waiting of batch) waiting.onFailed(await this.blame(waiting, ours));
      else for (const waiting of batch) await this.write([waiting]);
      return;
    }
    // Not above: an error of who is told would pass for one of the commit, which would be done again.
    this.settleBatch(batch, written);
  }

  /** The error of a request that fails for its content: one that names its rows, where the rows are to blame. */
  private async blame({ encoded }: Waiting, error: unknown): Promise<unknown> {
    // An answer of the store about the request, such as a key used before, is no matter of rows.
    if (error instanceof RetrainError) return error;
    try {
      const refused = await rowsRefusedByStore(this.database, encoded.request, this.nextReceivedAt());
      return refused.length === 0 ? error : rowsRefused(refused, error);
    } catch (failure) {
      return this.health.report(failure);
    }
  }

  private settleBatch(batch: readonly Waiting[], { outcomes, text }: Written): void {
    const written: EncodedRequest[] = [];
    let receivedAt: Instant | undefined;
    for (let i = 0; i < batch.length; i++) {
      const outcome = outcomes[i] as Outcome;
      if (!(outcome instanceof RetrainError) && outcome.replayed === undefined) {
        written.push((batch[i] as Waiting).encoded);
        receivedAt = outcome.receivedAt;
      }
    }
    // Hints for readers are in place before a caller learns of its commit.
    this.onCommit({ written, receivedAt, text });
    for (let i = 0; i < batch.length; i++) {
      const { onWritten, onFailed } = batch[i] as Waiting;
      const outcome = outcomes[i] as Outcome;
      if (outcome instanceof RetrainError) onFailed(outcome);
      else onWritten(outcome);
    }
  }

  private nextReceivedAt(): Instant {
    this.lastReceivedAt = Math.max(this.lastReceivedAt, Math.floor(this.worldClock.now()));
    return this.lastReceivedAt;
  }

  private async writeBatch(batch: readonly EncodedRequest[]): Promise<Written> {
    const receivedAt = this.nextReceivedAt();
    if (!batch.some(({ request }) => needsTransaction(request))) {
      const text = await insertEvents(this.database, batch, receivedAt);
      return { outcomes: batch.map(() => ({ receivedAt })), text };
    }
    return this.database.transaction((transaction) => writeAll(transaction, batch, receivedAt, this.systemClock.now()));
  }
}

/** Requests of one model side by side, in their order: what is next to one another is kept, read and indexed together. */
function byModel(batch: Waiting[]): Waiting[] {
  const groups = new Map<string, Waiting[]>();
  for (const waiting of batch) {
    const { model } = waiting.encoded.request;
    const group = groups.get(model);
    if (group === undefined) groups.set(model, [waiting]);
    else group.push(waiting);
  }
  return groups.size === 1 ? batch : [...groups.values()].flat();
}

/** @throws ROW_INVALID naming every row that has no text form, BODY_TOO_LARGE */
function encode(request: AppendRequest): EncodedRequest {
  try {
    return encodeRequest(request);
  } catch (error) {
    if (error instanceof RetrainError && error.code === "BODY_TOO_LARGE") throw error;
    const refused = unencodableRows(request);
    throw refused.length === 0 ? error : rowsRefused(refused, error);
  }
}

function needsTransaction({ batch, quarantined, source, idempotency, knownAt }: AppendRequest): boolean {
  return (
    batch !== undefined ||
    source !== undefined ||
    idempotency !== undefined ||
    knownAt !== undefined ||
    (quarantined?.length ?? 0) > 0
  );
}

async function writeAll(
  transaction: Queryable,
  batch: readonly EncodedRequest[],
  receivedAt: Instant,
  systemNow: Instant,
): Promise<Written> {
  const earlier = await claimKeys(transaction, batch, systemNow);
  const written = batch.filter((_, i) => earlier[i] === undefined);
  const text = await insertEvents(transaction, written, receivedAt);
  const requests = written.map(({ request }) => request);
  await insertBatches(
    transaction,
    requests.flatMap(({ batch: record }) => (record ? [record] : [])),
  );
  await insertQuarantined(
    transaction,
    requests.flatMap(({ quarantined }) => quarantined ?? []),
  );
  for (const { source } of requests) if (source) await saveSourcePosition(transaction, source);
  await markImports(transaction, requests, receivedAt);
  return { outcomes: batch.map((_, i) => earlier[i] ?? { receivedAt }), text };
}

/** Notes the earliest instant an import reaches back to: what was summed as of later instants has become incomplete. */
async function markImports(transaction: Queryable, requests: readonly AppendRequest[], receivedAt: Instant) {
  for (const { model, knownAt } of requests) {
    let earliest = receivedAt;
    for (const instant of knownAt ?? []) if (instant < earliest) earliest = instant;
    if (earliest < receivedAt) {
      await transaction.query("insert into import_mark (model, min_received_at) values ($1, $2)", [model, earliest]);
    }
  }
}

function checkKnownAt({ knownAt, events }: AppendRequest, now: Instant): void {
  if (knownAt === undefined) return;
  const wrong = knownAt.length !== events.length ? 0 : knownAt.findIndex((at) => !Number.isSafeInteger(at) || at > now);
  if (wrong === -1) return;
  throw fail("KNOWN_AT_INVALID", {
    message:
      knownAt.length === events.length
        ? `Row ${wrong + 1} was known at ${String(knownAt[wrong])}, which is not an instant at or before now (${now}).`
        : `${events.length} events came with ${knownAt.length} values of knownAt.`,
    remedy: "State for every row of an import when it was known, as milliseconds in the past.",
  });
}

function queueFull(rows: number): RetrainError {
  return fail("TOO_MANY_REQUESTS", {
    message: `${rows} rows wait to be written, which is all the queue holds.`,
    remedy: `Send them again in ${RETRY_AFTER_MS} ms.`,
    retryable: true,
    details: { retryAfterMs: RETRY_AFTER_MS },
  });
}

function closedError(): RetrainError {
  return fail("STORE_UNAVAILABLE", {
    message: "The store is closing and takes no more events.",
    remedy: "Send them again when the server is back.",
    retryable: true,
  });
}
