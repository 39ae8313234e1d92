/** The routing row of a model: numbered, locked by whoever changes it, told to every process with its commit. */
import type { RoutePlan, Routing } from "../../core/index.ts";
import { bodyOf, parseBody, type Queryable, type SqlRow, toNumber } from "../sql.ts";

export const ROUTING_CHANNEL = "retrain_routing";

/** A replica without a heartbeat for this long is not waited for; three of its beats are then missing. */
export const REPLICA_STALE_SECONDS = 3;
/** A routing that waited so long for a replica goes live without it. */
export const ACTIVATE_AFTER_SECONDS = 10;

export function toRouting(model: string, row: SqlRow | undefined): Routing {
  if (!row) {
    return { model, number: 0, champion: null, challenger: null, stage: "none", at: 0, plan: null, active: true };
  }
  const champion = row["champion"] as string | null;
  const plan = row["plan"] === null ? null : parseBody<RoutePlan>(row["plan"]);
  return {
    model,
    number: toNumber(row["number"]),
    champion,
    challenger: row["challenger"] as string | null,
    stage: champion === null ? "none" : (plan?.kind ?? "full"),
    at: toNumber(row["at"]),
    plan,
    active: toNumber(row["serving_number"] ?? 0) === toNumber(row["number"]),
  };
}

/** The row of a model's routing is the lock under which versions are numbered and promoted. */
export async function lockRouting(transaction: Queryable, model: string): Promise<Routing> {
  await transaction.query("insert into routing (model, number, at) values ($1, 0, 0) on conflict (model) do nothing", [
    model,
  ]);
  const { rows } = await transaction.query("select * from routing where model = $1 for update", [model]);
  return toRouting(model, rows[0]);
}

export interface RoutingWrite {
  readonly model: string;
  readonly champion: string;
  readonly challenger: string | null;
  readonly plan: RoutePlan | null;
  readonly at: number;
  readonly urgent: boolean;
  /** The process that writes; it has the versions in memory already. */
  readonly replica: string;
}

/** The next routing. It serves at once when it is urgent or nobody else is there to wait for. */
export async function writeRouting(transaction: Queryable, write: RoutingWrite): Promise<Routing> {
  const { rows } = await transaction.query(
    `update routing set number = number + 1, champion = $2, challenger = $3, plan = $4, at = $5, changed_at = clock_timestamp()
     where model = $1 returning *`,
    [write.model, write.champion, write.challenger, write.plan === null ? null : bodyOf(write.plan), write.at],
  );
  let routing = toRouting(write.model, rows[0]);
  const alone = await transaction.query(
    `select 1 from replica where id <> $1 and seen_at > clock_timestamp() - interval '${REPLICA_STALE_SECONDS} seconds'`,
    [write.replica],
  );
  if (write.urgent || alone.rows.length === 0) routing = await serve(transaction, routing);
  await tell(transaction, routing);
  return routing;
}

/** The routing becomes the serving one. */
export async function serve(transaction: Queryable, routing: Routing): Promise<Routing> {
  const active = { ...routing, active: true };
  await transaction.query("update routing set serving_number = $2, serving = $3 where model = $1", [
    routing.model,
    routing.number,
    bodyOf(active),
  ]);
  return active;
}

export async function tell(transaction: Queryable, routing: Routing): Promise<void> {
  await transaction.query("select pg_notify($1, $2)", [ROUTING_CHANNEL, bodyOf(routing)]);
}
