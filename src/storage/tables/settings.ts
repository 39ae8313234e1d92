/** Small named values, source positions, audit, signals, tokens and idempotency keys. */
import {
  type AuditRecord,
  type Json,
  type SettingsStore,
  type SignalRecord,
  type SourcePosition,
  type SystemClock,
  type TokenRecord,
  uuidV7,
} from "../../core/index.ts";
import { prepared } from "../session.ts";
import { bodyOf, Conditions, listBodies, parseBody, type Queryable, type SqlDatabase } from "../sql.ts";
import { RowMemory } from "./row-memory.ts";

const UPSERT_SETTINGS = prepared(`insert into setting (key, value)
  select k, v from unnest(string_to_array($1, E'\\n'), string_to_array($2, E'\\n')) as t (k, v)
  on conflict (key) do update set value = excluded.value`);

const INSERT_SIGNALS = prepared(`insert into signal (model, body)
  select m, b from unnest(string_to_array($1, E'\\n'), string_to_array($2, E'\\n')) with ordinality as t (m, b, n) order by n`);

/** The newest signals of a model that the only writer keeps in memory. */
const REMEMBERED_SIGNALS = 100;

export async function saveSourcePosition(database: Queryable, position: SourcePosition): Promise<void> {
  await database.query(
    `insert into source_position (source, model, body) values ($1, $2, $3)
     on conflict (source) do update set model = excluded.model, body = excluded.body`,
    [position.source, position.model, bodyOf(position)],
  );
}

export async function writeAudit(database: Queryable, record: Omit<AuditRecord, "id">): Promise<void> {
  const id = uuidV7(record.at);
  await database.query("insert into audit (id, body) values ($1, $2)", [id, bodyOf({ ...record, id })]);
}

/** Texts, not values: every caller gets a value of its own. */
export type SettingMemory = RowMemory<unknown>;

export function settingTexts(values: Readonly<Record<string, Json>>): ReadonlyMap<string, unknown> {
  return new Map<string, unknown>(Object.entries(values).map(([key, value]) => [key, bodyOf(value)]));
}

/** Keys and texts as a statement takes them: JSON texts hold no raw newline, and neither do our keys. */
export function settingLines(texts: ReadonlyMap<string, unknown>): [string, string] {
  // Sorted, so that two processes writing the same keys lock their rows in the same order.
  const keys = [...texts.keys()].sort();
  return [keys.join("\n"), keys.map((key) => texts.get(key)).join("\n")];
}

/** One statement is one transaction. */
export async function writeSettings(database: SqlDatabase, texts: ReadonlyMap<string, unknown>): Promise<void> {
  if (texts.size > 0) await database.query(UPSERT_SETTINGS, settingLines(texts));
}

function tokenMethods(database: SqlDatabase): Pick<SettingsStore, "saveToken" | "tokens" | "revokeToken"> {
  return {
    async saveToken(token) {
      await database.query(
        `insert into token (id, revoked_at, body) values ($1, $2, $3)
         on conflict (id) do update set revoked_at = excluded.revoked_at, body = excluded.body`,
        [token.id, token.revokedAt ?? null, bodyOf(token)],
      );
    },
    async tokens() {
      const { rows } = await database.query("select body from token order by position");
      return rows.map((row) => parseBody<TokenRecord>(row["body"]));
    },
    revokeToken: (id, at) =>
      database.transaction(async (transaction) => {
        const { rows } = await transaction.query(
          "select body from token where id = $1 and revoked_at is null for update",
          [id],
        );
        if (!rows[0]) return false;
        const token = { ...parseBody<TokenRecord>(rows[0]["body"]), revokedAt: at };
        await transaction.query("update token set revoked_at = $2, body = $3 where id = $1", [id, at, bodyOf(token)]);
        return true;
      }),
  };
}

function idempotencyMethods(
  database: SqlDatabase,
  clock: SystemClock,
): Pick<SettingsStore, "idempotent" | "saveIdempotent" | "pruneIdempotent"> {
  return {
    async idempotent(key) {
      const { rows } = await database.query("select hash, response from idempotency where key = $1", [key]);
      const row = rows[0];
      return row ? { hash: row["hash"] as string, response: parseBody<Json>(row["response"]) } : undefined;
    },
    async saveIdempotent(key, hash, response) {
      // The first writer's answer is the answer.
      await database.query(
        "insert into idempotency (key, hash, response, created_at) values ($1, $2, $3, $4) on conflict (key) do nothing",
        [key, hash, bodyOf(response), clock.now()],
      );
    },
    async pruneIdempotent(before) {
      await database.query("delete from idempotency where created_at < $1", [before]);
    },
  };
}

/** The database's clock, because the machines of several processes disagree. */
const DATABASE_NOW_MS = "(extract(epoch from clock_timestamp()) * 1000)::bigint";
const TAKE_LEASE =
  prepared(`insert into lease (name, owner, expires_at) values ($1, $2, ${DATABASE_NOW_MS} + $3::bigint)
  on conflict (name) do update set owner = excluded.owner, expires_at = excluded.expires_at
  where lease.owner = excluded.owner or lease.expires_at < ${DATABASE_NOW_MS}
  returning owner`);

function leaseMethods(database: SqlDatabase): Pick<SettingsStore, "takeLease" | "dropLease"> {
  return {
    async takeLease(name, owner, forMs) {
      const { rows } = await database.query(TAKE_LEASE, [name, owner, Math.round(forMs)]);
      return rows.length === 1;
    },
    async dropLease(name, owner) {
      await database.query("delete from lease where name = $1 and owner = $2", [name, owner]);
    },
  };
}

export function createSettingsStore(
  database: SqlDatabase,
  clock: SystemClock,
  { memory, isOnlyWriter }: { readonly memory: SettingMemory; readonly isOnlyWriter: boolean },
): SettingsStore {
  const setSome = (values: Readonly<Record<string, Json>>) => {
    const texts = settingTexts(values);
    return memory.put(() => writeSettings(database, texts), texts);
  };
  const newestSignals = new RowMemory<readonly SignalRecord[]>(isOnlyWriter);
  return {
    async sourcePosition(source) {
      const { rows } = await database.query("select body from source_position where source = $1", [source]);
      return rows[0] ? parseBody<SourcePosition>(rows[0]["body"]) : undefined;
    },
    saveSourcePosition: (position) => saveSourcePosition(database, position),
    async get(key) {
      const value = await memory.read(key, async () => {
        const { rows } = await database.query(prepared("select value from setting where key = $1"), [key]);
        return rows[0]?.["value"];
      });
      return value === undefined ? undefined : parseBody<Json>(value);
    },
    set: (key, value) => setSome({ [key]: value }),
    setAll: setSome,
    async entries(prefix) {
      const { rows } = await database.query("select key, value from setting where starts_with(key, $1) order by key", [
        prefix,
      ]);
      return Object.fromEntries(rows.map((row) => [row["key"] as string, parseBody<Json>(row["value"])]));
    },
    ...leaseMethods(database),
    audit: (record) => writeAudit(database, record),
    async auditLog(filter) {
      const conditions = new Conditions();
      conditions.before("audit", filter.before);
      conditions.addIf(`body::json ->> 'actor' = ?`, filter.actor);
      conditions.addIf(`? in (body::json ->> 'action', split_part(body::json ->> 'action', '.', 1))`, filter.action);
      conditions.addIf(
        `? in (split_part(body::json ->> 'subject', '/', 1), body::json -> 'details' ->> 'model')`,
        filter.model,
      );
      conditions.addIf(`(body::json ->> 'at')::bigint >= ?`, filter.from);
      conditions.addIf(`(body::json ->> 'at')::bigint < ?`, filter.to);
      return listBodies<AuditRecord>(database, "audit", conditions, filter.limit);
    },
    signals(filter) {
      const ask = () => {
        const conditions = new Conditions();
        conditions.add("model = ?", filter.model);
        return listBodies<SignalRecord>(database, "signal", conditions, filter.limit);
      };
      // What a tick asks for; a chart's thousands are not worth the memory.
      if (filter.limit > REMEMBERED_SIGNALS) return ask();
      return newestSignals.read(`${filter.limit} ${filter.model}`, ask);
    },
    async saveSignals(signals) {
      if (signals.length === 0) return;
      const texts = [
        signals.map((signal) => signal.model).join("\n"),
        signals.map((signal) => bodyOf(signal)).join("\n"),
      ];
      await newestSignals.write(() => database.query(INSERT_SIGNALS, texts));
    },
    ...tokenMethods(database),
    ...idempotencyMethods(database, clock),
  };
}
