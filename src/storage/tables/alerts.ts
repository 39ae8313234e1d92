/** Alerts with one open record per key, and the outbox of their deliveries, written in the same statement. */
import {
  type AlertDelivery,
  type AlertRecord,
  type AlertStore,
  type Instant,
  type NewAlert,
  type SystemClock,
  uuidV7,
} from "../../core/index.ts";
import { bodyOf, Conditions, parseBody, type SqlDatabase, type SqlRow, toNumber, toNumberOrNull } from "../sql.ts";

type AlertBody = Omit<AlertRecord, "id" | "state" | "firstAt" | "lastAt" | "count" | "resolvedAt">;
const COLUMNS = "id, state, first_at, last_at, resolved_at, count, body";

function toAlert(row: SqlRow): AlertRecord {
  const resolvedAt = toNumberOrNull(row["resolved_at"]);
  return {
    ...parseBody<AlertBody>(row["body"]),
    id: row["id"] as string,
    state: row["state"] as AlertRecord["state"],
    firstAt: toNumber(row["first_at"]),
    lastAt: toNumber(row["last_at"]),
    count: toNumber(row["count"]),
    ...(resolvedAt === null ? {} : { resolvedAt }),
  };
}

async function raise(database: SqlDatabase, clock: SystemClock, alert: NewAlert) {
  const { at, ...body } = alert;
  const id = uuidV7(at);
  const opened: AlertRecord = { ...body, id, state: "open", firstAt: at, lastAt: at, count: 1 };
  const { rows } = await database.query(
    `with raised as (
       insert into alert (id, key, model, state, first_at, last_at, count, body)
       values ($1, $2, $3, 'open', $4, $4, 1, $5)
       on conflict (key) where state = 'open'
       do update set count = alert.count + 1, last_at = greatest(alert.last_at, excluded.last_at), body = excluded.body
       returning ${COLUMNS}
     ), queued as (
       insert into alert_delivery (id, event, alert, created_at, next_at)
       select $6, 'opened', $7, $8, $8 from raised where count = 1
     )
     select * from raised`,
    [id, alert.key, alert.model, at, bodyOf(body), uuidV7(clock.now()), bodyOf(opened), clock.now()],
  );
  const raised = toAlert(rows[0] as SqlRow);
  return { alert: raised, isNew: raised.count === 1 };
}

async function resolve(database: SqlDatabase, clock: SystemClock, key: string, at: Instant, message: string) {
  // Nearly always there is none, which is told without a transaction.
  const open = await database.query("select 1 from alert where key = $1 and state = 'open'", [key]);
  if (open.rows.length === 0) return undefined;
  return database.transaction(async (transaction) => {
    const { rows } = await transaction.query(
      `update alert set state = 'resolved', resolved_at = $2, last_at = greatest(last_at, $2)
       where key = $1 and state = 'open' returning ${COLUMNS}`,
      [key, at],
    );
    if (!rows[0]) return undefined;
    const resolved = { ...toAlert(rows[0]), message };
    const {
      id,
      state: _state,
      firstAt: _first,
      lastAt: _last,
      count: _count,
      resolvedAt: _resolved,
      ...body
    } = resolved;
    await transaction.query("update alert set body = $2 where id = $1", [id, bodyOf(body)]);
    await transaction.query(
      "insert into alert_delivery (id, event, alert, created_at, next_at) values ($1, 'resolved', $2, $3, $3)",
      [uuidV7(clock.now()), bodyOf(resolved), clock.now()],
    );
    return resolved;
  });
}

function toDelivery(row: SqlRow): AlertDelivery {
  return {
    id: row["id"] as string,
    alert: parseBody<AlertRecord>(row["alert"]),
    event: row["event"] as AlertDelivery["event"],
    attempt: toNumber(row["attempt"]),
    createdAt: toNumber(row["created_at"]),
  };
}

export function createAlertStore(database: SqlDatabase, clock: SystemClock): AlertStore {
  return {
    raise: (alert) => raise(database, clock, alert),
    resolve: (key, at, message) => resolve(database, clock, key, at, message),
    async list(filter) {
      const conditions = new Conditions();
      conditions.addIf("model = ?", filter.model);
      conditions.addIf("state = ?", filter.state);
      conditions.before("alert", filter.before);
      const { rows } = await database.query(
        `select ${COLUMNS} from alert ${conditions.where} order by position desc limit ${Math.floor(filter.limit)}`,
        conditions.values,
      );
      return rows.map(toAlert);
    },
    async claimDeliveries(limit, leaseMs) {
      const now = clock.now();
      // A claim is a postponement: when the sender dies, the delivery becomes due again by itself.
      const { rows } = await database.query(
        `update alert_delivery set attempt = attempt + 1, next_at = $1
         where id in (select id from alert_delivery where state = 'waiting' and next_at <= $2
                      order by position limit $3 for update skip locked)
         returning position, id, alert, event, attempt, created_at`,
        [now + leaseMs, now, limit],
      );
      return rows.sort((left, right) => toNumber(left["position"]) - toNumber(right["position"])).map(toDelivery);
    },
    async finishDelivery(id, result) {
      const state = result.ok ? "sent" : result.retryAt === undefined ? "failed" : "waiting";
      await database.query(
        "update alert_delivery set state = $2, error = $3, next_at = coalesce($4, next_at) where id = $1",
        [id, state, result.error ?? null, result.retryAt ?? null],
      );
    },
  };
}
