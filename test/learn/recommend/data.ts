/** Generated tastes: users belong to one of a few groups, and take mostly the items of their group. */
import { createRandom } from "../../../src/core/index.ts";
import type { Interactions } from "../../../src/learn/index.ts";

const name = (prefix: string, i: number) => `${prefix}${String(i).padStart(4, "0")}`;

export function groupedInteractions(options: {
  readonly users: number;
  readonly items: number;
  readonly groups: number;
  readonly perUser: number;
  readonly seed: number;
}): Interactions {
  const { users, items, groups, perUser, seed } = options;
  const random = createRandom(seed);
  const userOf: number[] = [];
  const itemOf: number[] = [];
  const strength: number[] = [];
  for (let user = 0; user < users; user++) {
    for (let i = 0; i < perUser; i++) {
      const own = random.nextInt(10) < 9;
      const drawn = random.nextInt(items);
      userOf.push(user);
      itemOf.push(own ? drawn - (drawn % groups) + (user % groups) : drawn);
      strength.push(1 + random.nextInt(3));
    }
  }
  return {
    users: Array.from({ length: users }, (_, i) => name("u", i)),
    items: Array.from({ length: items }, (_, i) => name("i", i)),
    userOf: Int32Array.from(userOf),
    itemOf: Int32Array.from(itemOf, (item) => Math.min(item, items - 1)),
    strength: Float64Array.from(strength),
  };
}
