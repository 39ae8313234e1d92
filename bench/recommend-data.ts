// Tastes to train on: generated ones of any size, and real movie ratings where the data are there.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { createRandom } from "../src/core/index.ts";
import type { Interactions } from "../src/learn/index.ts";
import { rootFolder } from "./peer-python.ts";

export interface Task {
  readonly interactions: Interactions;
  /** Per user index what it took later. */
  readonly later: ReadonlyMap<number, readonly number[]>;
}

/** Activity of users and popularity of items fall as powers; users like one of 40 groups of items. One item a user is held out. */
export function generatedTask(users: number, items: number, observations: number): Task {
  const random = createRandom(7);
  const skewed = (n: number) => {
    const draw = random.nextFloat();
    return Math.floor(n * draw * Math.sqrt(draw));
  };
  const seen = new Set<number>();
  const userOf = new Int32Array(observations);
  const itemOf = new Int32Array(observations);
  const later = new Map<number, number[]>();
  for (let count = 0; count < observations; ) {
    const user = skewed(users);
    const drawn = skewed(items);
    const item = random.nextInt(5) > 0 ? Math.min(items - 1, drawn - (drawn % 40) + (user % 40)) : drawn;
    const key = user * items + item;
    if (seen.has(key)) continue;
    seen.add(key);
    if (!later.has(user)) {
      later.set(user, [item]);
      continue;
    }
    userOf[count] = user;
    itemOf[count] = item;
    count++;
  }
  const names = (prefix: string, n: number) => Array.from({ length: n }, (_, i) => `${prefix}${i}`);
  const strength = new Float64Array(observations).fill(1);
  return {
    interactions: { users: names("u", users), items: names("i", items), userOf, itemOf, strength },
    later,
  };
}

const RATINGS = join(rootFolder(), "..", "shared", "data", "movietweetings", "ratings-first-80k.csv.gz");

/** The first `count` ratings of MovieTweetings, the newest quarter (at most 10,000) held out; undefined without the data. */
export function ratingsTask(count: number): Task | undefined {
  if (!existsSync(RATINGS)) return undefined;
  const rows = gunzipSync(readFileSync(RATINGS))
    .toString()
    .trim()
    .split("\n")
    .slice(1, count + 1)
    .map((line) => line.split(",") as [string, string, string, string]);
  const cut = count - Math.min(10_000, Math.floor(count / 4));
  const train = rows.slice(0, cut);
  const users = [...new Set(rows.map(([user]) => user))].sort();
  const items = [...new Set(train.map(([, item]) => item))].sort();
  const userAt = new Map(users.map((name, i) => [name, i]));
  const itemAt = new Map(items.map((name, i) => [name, i]));
  const later = new Map<number, number[]>();
  for (const [user, item] of rows.slice(cut)) {
    const u = userAt.get(user) as number;
    later.set(u, [...(later.get(u) ?? []), itemAt.get(item) ?? -1]);
  }
  return {
    interactions: {
      users,
      items,
      userOf: Int32Array.from(train, ([user]) => userAt.get(user) as number),
      itemOf: Int32Array.from(train, ([, item]) => itemAt.get(item) as number),
      strength: Float64Array.from(train, ([, , rating]) => Number(rating)),
    },
    later,
  };
}
