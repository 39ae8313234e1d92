/** Rollouts and what goes with each of their changes in one transaction; which replicas have loaded what. */
import type {
  ExperimentLook,
  ReplicaRecord,
  RolloutChange,
  RolloutRecord,
  RolloutStore,
  Routing,
} from "../../core/index.ts";
import { bodyOf, Conditions, listBodies, parseBody, type Queryable, type SqlDatabase, toNumber } from "../sql.ts";
import { recordDecision } from "./decisions.ts";
import { RowMemory } from "./row-memory.ts";
import { mustExist, swapChampion, type VersionMemory } from "./registry.ts";
import {
  ACTIVATE_AFTER_SECONDS,
  lockRouting,
  REPLICA_STALE_SECONDS,
  serve,
  tell,
  toRouting,
  writeRouting,
} from "./routing-row.ts";
import { writeAudit } from "./settings.ts";

const LIVE = `seen_at > clock_timestamp() - interval '${REPLICA_STALE_SECONDS} seconds'`;
/** A look per tick for a month is 40,000; the chart needs a few hundred, the last ones most. */
const LOOKS_KEPT = 2_000;

async function saveRecord(transaction: Queryable, rollout: RolloutRecord): Promise<boolean> {
  const { id, model, state, revision } = rollout;
  const { rowCount } =
    revision === 1
      ? await transaction.query(
          "insert into rollout (id, model, state, revision, body) values ($1, $2, $3, 1, $4) on conflict do nothing",
          [id, model, state, bodyOf(rollout)],
        )
      : await transaction.query(
          "update rollout set state = $3, revision = $4, body = $5 where id = $1 and revision = $2",
          [id, revision - 1, state, revision, bodyOf(rollout)],
        );
  return rowCount > 0;
}

/** The challenger's role follows the routing, so the two can never disagree. */
async function setRoles(
  transaction: Queryable,
  change: RolloutChange,
  routing: NonNullable<RolloutChange["routing"]>,
  before: Routing,
): Promise<void> {
  const { model } = change.rollout;
  await transaction.query("update version set role = null where model = $1 and role = 'challenger'", [model]);
  if (before.champion !== routing.champion) {
    const champion = await mustExist(transaction, model, routing.champion);
    await swapChampion(transaction, { model, at: change.at }, champion, isRollback(change) ? "rolled-back" : "retired");
  }
  if (routing.challenger === null) return;
  const { number } = await mustExist(transaction, model, routing.challenger);
  // One that was rolled back before is a candidate again.
  await transaction.query(
    `update version set role = 'challenger', state = case when state = 'rolled-back' then 'candidate' else state end
     where model = $1 and number = $2`,
    [model, number],
  );
}

const isRollback = ({ rollout }: RolloutChange) => rollout.state === "rolled-back";

/** The challenger of a rollout that was rolled back, whether it had gone live or not. */
async function markRolledBack(transaction: Queryable, { model, challenger }: RolloutRecord): Promise<void> {
  const { number } = await mustExist(transaction, model, challenger);
  await transaction.query(
    "update version set state = 'rolled-back' where model = $1 and number = $2 and role is distinct from 'champion'",
    [model, number],
  );
}

async function apply(
  transaction: Queryable,
  change: RolloutChange,
  replica: string,
): Promise<{ readonly applied: boolean; readonly routing?: Routing }> {
  const { rollout, routing } = change;
  const before = await lockRouting(transaction, rollout.model);
  // A rollout begins against the champion it names, or not at all.
  if (rollout.revision === 1 && before.champion !== rollout.champion) return { applied: false };
  if (!(await saveRecord(transaction, rollout))) return { applied: false };
  let after: Routing | undefined;
  if (routing !== undefined) {
    await setRoles(transaction, change, routing, before);
    after = await writeRouting(transaction, { model: rollout.model, ...routing, at: change.at, replica });
  }
  if (isRollback(change)) await markRolledBack(transaction, rollout);
  const inputs = {
    from: before.champion,
    to: routing?.champion ?? before.champion,
    challenger: rollout.challenger,
    ...(after === undefined ? {} : { routing: after.number }),
    ...change.details,
  };
  const promotionOr = (action: string) => (action === "rollback" ? "rollback" : "promotion");
  const champions = routing !== undefined && before.champion !== routing.champion;
  await writeAudit(transaction, {
    at: change.at,
    actor: change.actor,
    // Who answers changed: that is looked for under the names a change by hand has.
    action: champions ? promotionOr(change.action) : `rollout.${change.action}`,
    subject: champions ? `${rollout.model}/${routing.champion}` : `${rollout.model}/${rollout.id}`,
    details: { ...inputs, reason: change.reason },
  });
  await recordDecision(transaction, {
    model: rollout.model,
    kind: champions ? "promotion" : "rollout",
    subject: champions ? promotionOr(change.action) : change.action,
    outcome: "yes",
    rule: `rollout ${rollout.id}: ${change.action}`,
    inputs,
    reason: change.reason,
    version: champions ? routing.champion : rollout.challenger,
    at: change.at,
  });
  return after === undefined ? { applied: true } : { applied: true, routing: after };
}

async function activate(database: SqlDatabase, model: string): Promise<Routing | undefined> {
  return database.transaction(async (transaction) => {
    const latest = await lockRouting(transaction, model);
    if (latest.active) return undefined;
    // `loaded` is read as text: a number is missing, older, or this one.
    const { rows } = await transaction.query(
      `select (select coalesce(bool_and(coalesce((body::json -> 'loaded' ->> $1)::int, 0) >= $2), true) from replica where ${LIVE}) as ready,
         (select changed_at < clock_timestamp() - interval '${ACTIVATE_AFTER_SECONDS} seconds' from routing where model = $1) as overdue`,
      [model, latest.number],
    );
    if (rows[0]?.["ready"] !== true && rows[0]?.["overdue"] !== true) return undefined;
    const active = await serve(transaction, latest);
    await tell(transaction, active);
    return active;
  });
}

export function createRolloutStore(
  database: SqlDatabase,
  watch: { committed(routing: Routing): void },
  options: { readonly replica: string; readonly isShared: boolean; readonly versions: VersionMemory },
): RolloutStore {
  const { replica, isShared, versions } = options;
  const lists = new RowMemory<readonly RolloutRecord[]>(!isShared);
  return {
    isShared,
    async get(id) {
      const { rows } = await database.query("select body from rollout where id = $1", [id]);
      return rows[0] ? parseBody<RolloutRecord>(rows[0]["body"]) : undefined;
    },
    list: (filter) =>
      lists.read(JSON.stringify(filter), () => {
        const conditions = new Conditions();
        conditions.addIf("model = ?", filter.model);
        conditions.before("rollout", filter.before);
        return listBodies<RolloutRecord>(database, "rollout", conditions, filter.limit);
      }),
    async active(model) {
      const [rollout] = await lists.read(`active ${model}`, async () => {
        const { rows } = await database.query(
          "select body from rollout where model = $1 and state in ('open', 'paused', 'watching')",
          [model],
        );
        return rows.map((row) => parseBody<RolloutRecord>(row["body"]));
      });
      return rollout;
    },
    async change(change) {
      const result = await versions.write(() =>
        lists.write(() => database.transaction((transaction) => apply(transaction, change, replica))),
      );
      if (result.routing !== undefined) watch.committed(result.routing);
      return result;
    },
    progress: (rollout) => lists.write(() => saveRecord(database, rollout)),
    async addLook(look) {
      await database.query("insert into experiment_look (rollout, body) values ($1, $2)", [look.rollout, bodyOf(look)]);
    },
    async looks(rollout) {
      const { rows } = await database.query(
        `select body from experiment_look where rollout = $1 order by position desc limit ${LOOKS_KEPT}`,
        [rollout],
      );
      return rows.map((row) => parseBody<ExperimentLook>(row["body"])).reverse();
    },
    async serving(model) {
      const { rows } = await database.query("select * from routing where model = $1", [model]);
      const row = rows[0];
      if (row === undefined) return undefined;
      const latest = toRouting(model, row);
      return latest.active || row["serving"] === null ? latest : parseBody<Routing>(row["serving"]);
    },
    async servingNumbers() {
      const { rows } = await database.query("select model, coalesce(serving_number, 0) as number from routing");
      return new Map(rows.map((row) => [row["model"] as string, toNumber(row["number"])]));
    },
    async activate(model) {
      const active = await activate(database, model);
      if (active !== undefined) watch.committed(active);
      return active;
    },
    async heartbeat(state) {
      await database.query(
        `insert into replica (id, seen_at, body) values ($1, clock_timestamp(), $2)
         on conflict (id) do update set seen_at = excluded.seen_at, body = excluded.body`,
        [replica, bodyOf({ ...state, id: replica })],
      );
      await database.query("delete from replica where seen_at < clock_timestamp() - interval '1 hour'");
    },
    async replicas() {
      const { rows } = await database.query(`select body from replica where ${LIVE} order by id`);
      return rows.map((row) => parseBody<ReplicaRecord>(row["body"]));
    },
    async leave() {
      await database.query("delete from replica where id = $1", [replica]);
    },
  };
}
