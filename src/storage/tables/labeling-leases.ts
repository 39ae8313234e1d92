/**
 * Leases on slots. Claims that are made at the same time share a transaction, and where they can a statement: the free slots are
 * locked once and dealt out in the order of the claims. Whoever is short then (a task they have answered already fell to them, or
 * its second slot became free by this very deal) claims alone, by the statement that knows every rule.
 */
import type { ClaimedTasks, ClaimRequest, LabelingTask } from "../../core/index.ts";
import { prepared } from "../session.ts";
import { parseBody, type Queryable, type SqlDatabase } from "../sql.ts";
import { GroupWriter } from "./group-writer.ts";
import { countsFor } from "./labeling-counts.ts";

/** Reviews hold an answer back, so they come before everything else. */
export const REVIEW_PRIORITY = 10;

/** One person's claims and answers run one after the other, also from two windows. */
export const personKey = (model: string, labeler: string) => `labeling ${model} ${labeler}`;

async function claimGold(transaction: Queryable, request: ClaimRequest): Promise<void> {
  const { model, labeler, now, leaseMs } = request;
  await transaction.query(
    `insert into labeling_slot (task_id, slot, model, priority, task_position, is_gold, labeler, expires_at)
     select t.id, coalesce((select max(slot) + 1 from labeling_slot o where o.task_id = t.id), 0), t.model, 0, t.position,
       true, $2, $3
     from labeling_task t
     where t.model = $1 and t.origin = 'gold' and t.state = 'open'
       and not exists (select 1 from labeling_annotation a where a.task_id = t.id and a.labeler = $2 and not a.undone)
       and not exists (select 1 from labeling_slot s where s.task_id = t.id and s.labeler = $2)
     order by t.position limit 1 on conflict do nothing`,
    [model, labeler, now + leaseMs],
  );
}

/**
 * Claims of one person run one after the other. Without fresh statistics, which an embedded database seldom has, the planner takes
 * the free slots for a handful, reads all of them and sorts: a claim then costs four times the processor time with 8,000
 * waiting. The settings are local to the transaction.
 */
const BEGIN_CLAIMS = prepared(`select count(pg_advisory_xact_lock(h)), set_config('enable_sort', 'off', true),
  set_config('enable_bitmapscan', 'off', true)
  from (select distinct hashtext(k) as h from unnest($1::text[]) k order by 1) sorted`);

/**
 * What the person holds is renewed, what is missing is taken, and all of it comes back: one statement, since every round trip of a
 * transaction keeps all others waiting. A lease of one's own that ended is as free as any; a gold question stays one's own.
 */
const CLAIM = prepared(`with held as (
    update labeling_slot set expires_at = $4
    where model = $1 and labeler = $2 and not answered and (is_gold or expires_at >= $3)
    returning task_id, priority, task_position),
  chosen as (
    select s.task_id, s.slot from labeling_slot s
    where s.model = $1 and not s.is_gold and not s.answered and s.expires_at < $3 and s.priority >= $6
      and not exists (select 1 from labeling_slot p where p.task_id = s.task_id and p.slot < s.slot
        and not p.answered and p.expires_at < $3 and s.labeler is distinct from $2)
      and not exists (select 1 from labeling_slot o where o.task_id = s.task_id and o.labeler = $2
        and o.slot <> s.slot)
      and not exists (select 1 from labeling_annotation a where a.task_id = s.task_id and a.labeler = $2 and not a.undone)
    order by s.priority desc, s.task_position, s.slot
    limit greatest($5::int - (select count(*) from held where priority >= $6), 0) for update of s skip locked),
  taken as (
    update labeling_slot s set labeler = $2, expires_at = $4 from chosen
    where s.task_id = chosen.task_id and s.slot = chosen.slot
    returning s.task_id, s.priority, s.task_position)
  select t.body from (select * from held where priority >= $6 union all select * from taken) s
  join labeling_task t on t.id = s.task_id
  order by s.priority desc, s.task_position limit $5`);

/**
 * The same for several people ($2, so many each: $3). Of a task only the lowest free slot is dealt, so nobody gets two of one;
 * a slot that falls to somebody who has answered its task, or holds another slot of it, stays free.
 */
const DEAL = prepared(`with person as (
    select * from unnest($2::text[], $3::int[]) with ordinality as t (labeler, wanted, place)),
  held as (
    update labeling_slot s set expires_at = $5 from person
    where s.model = $1 and s.labeler = person.labeler and not s.answered and (s.is_gold or s.expires_at >= $4)
    returning s.labeler, s.task_id, s.priority, s.task_position),
  missing as (
    select labeler, place, greatest(wanted - (select count(*)::int from held where held.labeler = person.labeler), 0) as n
    from person),
  share as materialized (select labeler, n, sum(n) over (order by place) as last from missing),
  free as (
    select s.task_id, s.slot, s.priority, s.task_position from labeling_slot s
    where s.model = $1 and not s.is_gold and not s.answered and s.expires_at < $4
      and not exists (select 1 from labeling_slot p where p.task_id = s.task_id and p.slot < s.slot
        and not p.answered and p.expires_at < $4)
    order by s.priority desc, s.task_position, s.slot
    limit (select sum(n) from missing) for update of s skip locked),
  dealt as (
    select free.*, row_number() over (order by priority desc, task_position, slot) as k from free),
  taken as (
    update labeling_slot s set labeler = share.labeler, expires_at = $5
    from dealt join share on dealt.k > share.last - share.n and dealt.k <= share.last
    where s.task_id = dealt.task_id and s.slot = dealt.slot
      and not exists (select 1 from labeling_slot o where o.task_id = dealt.task_id and o.labeler = share.labeler
        and o.slot <> dealt.slot)
      and not exists (select 1 from labeling_annotation a where a.task_id = dealt.task_id and a.labeler = share.labeler
        and not a.undone)
    returning s.labeler, s.task_id, s.priority, s.task_position)
  select s.labeler, t.body from (select * from held union all select * from taken) s
  join labeling_task t on t.id = s.task_id
  order by s.priority desc, s.task_position`);

async function claimAlone(transaction: Queryable, request: ClaimRequest): Promise<readonly LabelingTask[]> {
  const { model, labeler, count, now, leaseMs, reviewsOnly } = request;
  const lowest = reviewsOnly === true ? REVIEW_PRIORITY : 0;
  const { rows } = await transaction.query(CLAIM, [model, labeler, now, now + leaseMs, Math.max(count, 0), lowest]);
  return rows.map((row) => parseBody<LabelingTask>(row["body"]));
}

/** Tasks by person, as many as each asked for or fewer. All requests are of one model, at about one time. */
async function deal(transaction: Queryable, requests: readonly ClaimRequest[]): Promise<Map<string, LabelingTask[]>> {
  const [first] = requests as [ClaimRequest];
  const wanted = new Map(requests.map(({ labeler, count }) => [labeler, Math.max(count, 0)]));
  // The earliest of their instants: what had expired by then is free for all of them.
  const now = Math.min(...requests.map((one) => one.now));
  const expiresAt = Math.max(...requests.map((one) => one.now + one.leaseMs));
  const { rows } = await transaction.query(DEAL, [
    first.model,
    [...wanted.keys()],
    [...wanted.values()],
    now,
    expiresAt,
  ]);
  const tasks = new Map<string, LabelingTask[]>();
  for (const row of rows) {
    const labeler = row["labeler"] as string;
    const own = tasks.get(labeler) ?? [];
    if (own.length < (wanted.get(labeler) ?? 0)) own.push(parseBody<LabelingTask>(row["body"]));
    tasks.set(labeler, own);
  }
  return tasks;
}

/** Every so many tasks of a person one is a gold question: evenly, so that each can be told from chance soon. */
const isGoldTurn = (answered: number, every: number) => answered % every === every - 1;

async function claimOfModel(
  transaction: Queryable,
  model: string,
  requests: readonly ClaimRequest[],
): Promise<Map<ClaimRequest, ClaimedTasks>> {
  const labelers = requests.map(({ labeler }) => labeler);
  const asksGold = requests.filter(({ goldEvery, reviewsOnly }) => goldEvery > 0 && reviewsOnly !== true);
  if (asksGold.length > 0) {
    const before = await countsFor(transaction, model, labelers);
    if ((before("").origins.gold ?? 0) > 0) {
      for (const one of asksGold)
        if (isGoldTurn(before(one.labeler).mine, one.goldEvery)) await claimGold(transaction, one);
    }
  }
  const together = requests.filter(({ reviewsOnly }) => reviewsOnly !== true);
  const dealt = together.length > 1 ? await deal(transaction, together) : new Map<string, LabelingTask[]>();
  const tasks = new Map<ClaimRequest, readonly LabelingTask[]>();
  for (const one of requests) {
    const own = one.reviewsOnly === true ? [] : (dealt.get(one.labeler) ?? []);
    tasks.set(one, own.length >= one.count && own.length > 0 ? own : await claimAlone(transaction, one));
  }
  const after = await countsFor(transaction, model, labelers);
  return new Map([...tasks].map(([one, own]) => [one, { tasks: own, counts: after(one.labeler) }]));
}

async function claimAll(transaction: Queryable, requests: readonly ClaimRequest[]) {
  await transaction.query(BEGIN_CLAIMS, [requests.map(({ model, labeler }) => personKey(model, labeler))]);
  const claimed = new Map<ClaimRequest, ClaimedTasks>();
  for (const model of new Set(requests.map((one) => one.model))) {
    const own = requests.filter((one) => one.model === model);
    for (const [request, result] of await claimOfModel(transaction, model, own)) claimed.set(request, result);
  }
  return requests.map((request) => ({ result: claimed.get(request) as ClaimedTasks }));
}

/** Claims, committed in groups. */
export function leaseWriter(database: SqlDatabase): GroupWriter<ClaimRequest, ClaimedTasks> {
  return new GroupWriter(database, ({ model, labeler }: ClaimRequest) => personKey(model, labeler), claimAll);
}
