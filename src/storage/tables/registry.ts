/** Versions and which of them answers. The rule "one champion" is a unique index; a promotion is one transaction. */
import {
  type DefinitionRevision,
  fail,
  type RegistryStore,
  type Routing,
  type VersionRecord,
} from "../../core/index.ts";
import { prepared } from "../session.ts";
import {
  bodyOf,
  isUniqueViolation,
  parseBody,
  type Queryable,
  type SqlDatabase,
  type SqlRow,
  toNumber,
  toNumberOrNull,
} from "../sql.ts";
import { recordDecision } from "./decisions.ts";
import type { RowMemory } from "./row-memory.ts";
import { fenceAttempt } from "./runs.ts";
import { lockRouting, toRouting, writeRouting } from "./routing-row.ts";
import { writeAudit } from "./settings.ts";

type NewVersion = Parameters<RegistryStore["register"]>[0];
type Promotion = Parameters<RegistryStore["promote"]>[0];

function toVersion(row: SqlRow): VersionRecord {
  const number = toNumber(row["number"]);
  const promotedAt = toNumberOrNull(row["promoted_at"]);
  const retiredAt = toNumberOrNull(row["retired_at"]);
  return {
    ...parseBody<NewVersion>(row["body"]),
    name: `v${number}`,
    number,
    role: row["role"] as VersionRecord["role"],
    state: row["state"] as VersionRecord["state"],
    ...(promotedAt === null ? {} : { promotedAt }),
    ...(retiredAt === null ? {} : { retiredAt }),
  };
}

/** The number in `v12`, or -1 for any other text, which no version has. */
function versionNumber(name: string): number {
  const match = /^v([1-9]\d{0,8})$/.exec(name);
  return match ? Number(match[1]) : -1;
}

async function register(database: SqlDatabase, version: NewVersion, attempt: number): Promise<VersionRecord> {
  return database.transaction(async (transaction) => {
    const known = await transaction.query("select 1 from run where id = $1", [version.runId]);
    // An imported version has no run here, hence nothing to be overtaken by.
    if (known.rows.length > 0) await fenceAttempt(transaction, version.runId, attempt);
    await lockRouting(transaction, version.model);
    const existing = await transaction.query("select * from version where run_id = $1", [version.runId]);
    if (existing.rows[0]) return toVersion(existing.rows[0]);
    const { rows } = await transaction.query(
      `insert into version (model, number, run_id, state, body)
       select $1, coalesce(max(number), 0) + 1, $2, 'candidate', $3 from version where model = $1
       returning *`,
      [version.model, version.runId, bodyOf(version)],
    );
    return toVersion(rows[0] as SqlRow);
  });
}

export async function mustExist(transaction: Queryable, model: string, name: string): Promise<VersionRecord> {
  const { rows } = await transaction.query("select * from version where model = $1 and number = $2", [
    model,
    versionNumber(name),
  ]);
  if (rows[0]) return toVersion(rows[0]);
  throw fail("VERSION_UNKNOWN", {
    message: `Model "${model}" has no version ${JSON.stringify(name.slice(0, 40))}.`,
    remedy: `List its versions with \`retrain versions ${model}\`.`,
  });
}

function promotionConflict(change: Promotion, champion: string | null, cause?: unknown) {
  return fail("PROMOTION_CONFLICT", {
    message: `${change.version} of model "${change.model}" was to replace ${change.expectedChampion ?? "no version"}, but the champion is ${champion ?? "nobody"} by now.`,
    remedy: "Compare the candidate with the new champion and promote again.",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Makes the version champion in the tables; the caller holds the routing lock. `left`: the state of the one it replaces. */
export async function swapChampion(
  transaction: Queryable,
  change: Pick<Promotion, "model" | "at">,
  version: Pick<VersionRecord, "number">,
  left: "retired" | "rolled-back",
): Promise<void> {
  await transaction.query(
    "update version set role = null, state = $3, retired_at = $2 where model = $1 and role = 'champion'",
    [change.model, change.at, left],
  );
  await transaction.query(
    `update version set role = 'champion', state = 'live', promoted_at = $3, retired_at = null
     where model = $1 and number = $2`,
    [change.model, version.number, change.at],
  );
}

async function routeChampion(
  transaction: Queryable,
  change: Promotion,
  before: Routing,
  replica: string,
): Promise<Routing> {
  const challenger = before.challenger === change.version ? null : before.challenger;
  return writeRouting(transaction, {
    model: change.model,
    champion: change.version,
    challenger,
    plan: challenger === null ? null : before.plan,
    at: change.at,
    // Going back is to a version every replica had; waiting for a slow one would keep the harm.
    urgent: change.action === "rollback",
    replica,
  });
}

async function recordPromotion(transaction: Queryable, change: Promotion, before: Routing, after: Routing) {
  const inputs = { from: before.champion, to: after.champion, routing: after.number };
  await writeAudit(transaction, {
    at: change.at,
    actor: change.actor,
    action: change.action,
    subject: `${change.model}/${change.version}`,
    details: { ...inputs, reason: change.reason },
  });
  await recordDecision(transaction, {
    model: change.model,
    kind: "promotion",
    subject: change.action,
    outcome: "yes",
    rule: change.action === "rollback" ? "go back to an earlier version" : "make the version the champion",
    inputs,
    reason: change.reason,
    version: change.version,
    at: change.at,
    ...(change.runId === undefined ? {} : { runId: change.runId }),
  });
}

async function promote(
  database: SqlDatabase,
  change: Promotion,
  replica: string,
): Promise<{ readonly routing: Routing; readonly changed: boolean }> {
  try {
    return await database.transaction(async (transaction) => {
      if (change.runId !== undefined && change.attempt !== undefined) {
        await fenceAttempt(transaction, change.runId, change.attempt);
      }
      const before = await lockRouting(transaction, change.model);
      const version = await mustExist(transaction, change.model, change.version);
      if (before.champion === version.name) return { routing: before, changed: false };
      if (change.expectedChampion !== undefined && change.expectedChampion !== before.champion) {
        throw promotionConflict(change, before.champion);
      }
      await swapChampion(transaction, change, version, change.action === "rollback" ? "rolled-back" : "retired");
      const after = await routeChampion(transaction, change, before, replica);
      await recordPromotion(transaction, change, before, after);
      return { routing: after, changed: true };
    });
  } catch (error) {
    if (isUniqueViolation(error, "version_one_champion")) throw promotionConflict(change, "another version", error);
    throw error;
  }
}

async function setGate(
  database: SqlDatabase,
  [model, version, gate, run]: Parameters<RegistryStore["setGate"]>,
): Promise<void> {
  await database.transaction(async (transaction) => {
    await fenceAttempt(transaction, run.id, run.attempt);
    await lockRouting(transaction, model);
    const { rows } = await transaction.query("select body from version where model = $1 and number = $2", [
      model,
      versionNumber((await mustExist(transaction, model, version)).name),
    ]);
    const body = { ...parseBody<NewVersion>(rows[0]?.["body"]), gate, gateRunId: run.id };
    await transaction.query("update version set body = $3 where model = $1 and number = $2", [
      model,
      versionNumber(version),
      bodyOf(body),
    ]);
  });
}

async function saveDefinition(database: SqlDatabase, revision: DefinitionRevision): Promise<void> {
  await database.query(
    "insert into definition (model, revision, body) values ($1, $2, $3) on conflict (model, revision) do nothing",
    [revision.model, revision.revision, bodyOf(revision)],
  );
}

/** Rows of `version` as this process knows them; whoever writes to the table writes through it. */
export type VersionMemory = RowMemory<VersionRecord | undefined>;

export function createRegistryStore(
  database: SqlDatabase,
  watch: Pick<RegistryStore, "onRouting"> & { committed(routing: Routing): void },
  options: { readonly replica: string; readonly versions: VersionMemory },
): RegistryStore {
  const { replica, versions } = options;
  const one = (text: string, values: readonly (string | number)[]) =>
    versions.read(`${text} ${values.join(" ")}`, async () => {
      const { rows } = await database.query(prepared(`select * from version where ${text}`), values);
      return rows[0] ? toVersion(rows[0]) : undefined;
    });
  return {
    register: (version, attempt) => versions.write(() => register(database, version, attempt)),
    get: (model, name) => one("model = $1 and number = $2", [model, versionNumber(name)]),
    async list(model) {
      const { rows } = await database.query("select * from version where model = $1 order by number desc", [model]);
      return rows.map(toVersion);
    },
    champion: (model) => one("model = $1 and role = 'champion'", [model]),
    async models() {
      const { rows } = await database.query("select distinct model from version order by model");
      return rows.map((row) => String(row["model"]));
    },
    async promote(change) {
      const result = await versions.write(() => promote(database, change, replica));
      if (result.changed) watch.committed(result.routing);
      return result;
    },
    async setState(model, version, state) {
      const { name } = await mustExist(database, model, version);
      await versions.write(() =>
        database.query("update version set state = $3 where model = $1 and number = $2", [
          model,
          versionNumber(name),
          state,
        ]),
      );
    },
    setGate: (...change) => versions.write(() => setGate(database, change)),
    async routing(model) {
      const { rows } = await database.query(prepared("select * from routing where model = $1"), [model]);
      return toRouting(model, rows[0]);
    },
    onRouting: (listener) => watch.onRouting(listener),
    saveDefinition: (revision) => saveDefinition(database, revision),
    async definition(model, revision) {
      const { rows } = await database.query("select body from definition where model = $1 and revision = $2", [
        model,
        revision,
      ]);
      return rows[0] ? parseBody<DefinitionRevision>(rows[0]["body"]) : undefined;
    },
  };
}
